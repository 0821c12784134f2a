"""``factcheck evaluate``: a verdict table against gold labels."""

import argparse
import sys
from pathlib import Path

from factcheck.commands.common import column_mapping, counted, quiet_libraries, write_json
from factcheck.commands.inputs import check_model
from factcheck.errors import InputError
from factcheck.outputs import check_output_file, refuse_standard_output, same_file
from factcheck.verification.verdict_table import check_verdicts

__all__ = ["add_arguments", "print_scores", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("verdicts", help="verdict table that 'factcheck verify' wrote")
    parser.add_argument("--truth", required=True, help="claims table with gold labels")
    parser.add_argument("--columns", help="names of columns in the truth table, as label=verdict")
    parser.add_argument("--report", help="HTML report to write")
    parser.add_argument(
        "--baselines", metavar="TRAIN", help="also train baselines on this labelled table and score them"
    )
    parser.add_argument("--model", default="bundled", help="model whose encoders the baselines use (default: bundled)")
    parser.add_argument("--json", help="figures to write as JSON")


def run(args: argparse.Namespace) -> int:
    """Score, print, and write what was asked for."""
    inputs = {"the verdict table": args.verdicts, "the truth table": args.truth, "the training table": args.baselines}
    for field, path in (("report", args.report), ("json", args.json)):
        refuse_standard_output(field, path)
        check_output_file(field, path, inputs)
    if args.report and args.json and Path(args.report).resolve() == Path(args.json).resolve():
        raise InputError(f"--report and --json both name {args.json!r}; name two files")
    if same_file(args.truth, args.baselines):
        raise InputError(
            f"--baselines {args.baselines!r} is the truth table itself: baselines would be scored on the rows they were trained on. "
            "Give the table that the model was trained on"
        )
    columns = column_mapping(args.columns)
    check_verdicts(Path(args.verdicts))
    from factcheck.data import open_claims

    open_claims(args.truth, columns=columns, on_error="mark")  # mistakes show before the heavy imports
    if args.baselines:
        open_claims(args.baselines, columns=columns, on_error="mark")
        check_model(args.model)
        from factcheck.evaluation.baselines import check_training_table

        check_training_table(args.baselines, columns=columns)
    from factcheck.evaluation.scoring import score

    scores = score(args.verdicts, args.truth, columns=columns)
    if scores.other_documents:
        print(
            f"factcheck: warning: {counted(scores.other_documents, 'verdict')} of {scores.rows} quote evidence that is not in the "
            f"document of their row in {args.truth}; is it the table that was verified?",
            file=sys.stderr,
        )
    if scores.by_position:
        print(
            f"factcheck: note: {args.truth} has no id column: its {counted(scores.rows, 'row')} and the verdicts were matched by "
            "position",
            file=sys.stderr,
        )
    print_scores(scores)
    figures = scores.to_dict()
    baselines, by_source = {}, {}
    if args.baselines:
        quiet_libraries()
        from factcheck.evaluation.baselines import predict_baselines
        from factcheck.verification.verifier import Verifier

        verifier = Verifier.load(args.model)
        predicted = predict_baselines(args.baselines, args.truth, verifier, columns=columns)
        if predicted.seen:
            print(
                f"factcheck: warning: {predicted.seen} of the {counted(len(predicted.gold), 'labelled row')} of {args.truth} are in "
                f"{args.baselines}, too: the baselines were trained on them",
                file=sys.stderr,
            )
        baselines, by_source = predicted.scores(), predicted.by_source()
        for name, part in baselines.items():
            print(f"baseline {name}: weighted F1 {part.weighted_f1:.4f}, accuracy {part.accuracy:.4f}")
        figures["baselines"] = {name: part.to_dict() for name, part in baselines.items()}
        figures["baselines_by_source"] = by_source
    if scores.by_source:
        _print_sources(scores.by_source, by_source)
    if args.json:
        write_json(args.json, figures)
    if args.report:
        from factcheck.evaluation.report import write_report

        title = f"Evaluation of {Path(args.verdicts).name}"
        write_report(
            scores,
            args.report,
            title=title,
            baselines=baselines,
            baselines_by_source=by_source,
            verdicts=args.verdicts,
            truth=args.truth,
        )
        print(f"report: {args.report}")
    return 0


def _print_sources(model, baselines) -> None:
    """Stance accuracy by source: the model, and each baseline where there are any."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if Console().is_terminal else 160)
    remark = " (baselines: trained on the same rows)" if baselines else ""
    table = Table(title=f"stance accuracy by source{remark}", title_justify="left")
    names = list(dict.fromkeys(name for figures in baselines.values() for name in figures))
    table.add_column("source")
    for title in ("rows", "ECE", "model", *names):
        table.add_column(title, justify="right", overflow="fold")
    for source, part in model.items():
        others = (f"{baselines.get(source, {}).get(name, float('nan')):.3f}" for name in names)
        ece = "-" if part.ece is None else f"{part.ece:.3f}"
        table.add_row(source, str(part.rows), ece, f"{part.accuracy:.3f}", *others)
    console.print(table)


def print_scores(scores) -> None:
    """Tables on standard output."""
    from rich.console import Console
    from rich.table import Table

    # Output that goes to a file or a pipe is not cut to an imagined terminal.
    console = Console(width=None if Console().is_terminal else 160)
    statuses = ", ".join(f"{name} {count}" for name, count in sorted(scores.statuses.items()))
    console.print(f"{counted(scores.rows, 'row')} ({statuses}); {scores.abstained} abstained")
    if scores.unscored:
        console.print(f"{counted(scores.unscored, 'labelled row')} of the truth table without a verdict: not scored.")
    parts = (("five classes", scores.five_class), ("stance", scores.stance), ("image relation", scores.image_relation))
    for name, part in parts:
        if part is None:
            continue
        table = Table(
            title=f"{name}: weighted F1 {part.weighted_f1:.4f}, macro F1 {part.macro_f1:.4f}, "
            f"accuracy {part.accuracy:.4f} ({counted(part.rows, 'row')})",
            title_justify="left",
        )
        table.add_column("gold \\ predicted")
        for label in part.labels:
            table.add_column(label, justify="right", overflow="fold")
        for title in ("precision", "recall", "F1"):
            table.add_column(title, justify="right")
        for i, label in enumerate(part.labels):
            figures = (f"{x:.3f}" for x in (part.precision[i], part.recall[i], part.f1[i]))
            table.add_row(label, *map(str, part.confusion[i]), *figures)
        console.print(table)
        if part is scores.five_class and scores.image_remark:
            console.print(f"{scores.image_remark}.")
    if scores.calibration:
        c = scores.calibration
        coverage = ", ".join(f"{share:.0%} {accuracy:.3f}" for share, accuracy in c.accuracy_at.items())
        console.print(
            f"confidence ({c.task}), over {counted(c.rows, 'row')} judged by evidence{' and a pair of photos' * (c.task != 'stance')}: "
            f"ECE {c.ece:.4f} (were it perfectly calibrated, as many rows: {c.calibrated_ece:.4f}), "
            f"Brier {c.brier:.4f}, AURC {c.aurc:.4f}; accuracy at coverage {coverage}"
        )
        table = Table(title="verdicts given at a threshold (--abstain-below)", title_justify="left")
        for title in ("threshold", "precision", "at least (95%)", "coverage", "rows"):
            table.add_column(title, justify="right")
        for point in c.thresholds:
            if point.kept:
                figures = (f"{x:.3f}" for x in (point.precision, point.precision_bound, point.coverage))
                table.add_row(f"{point.threshold:g}", *figures, str(point.kept))
        console.print(table)
