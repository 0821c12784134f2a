"""``factcheck evaluate``: a verdict table against gold labels."""

import argparse
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factcheck.commands import common
from factcheck.commands.common import add_reading_arguments, claims_format, counted, quiet_libraries, share, write_json
from factcheck.commands.inputs import check_image_root, check_model
from factcheck.commands.progress import late_progress
from factcheck.errors import InputError
from factcheck.outputs import check_output_file, is_json_with, is_report, refuse_standard_output, same_file
from factcheck.verification.verdict_table import check_verdicts

if TYPE_CHECKING:
    from factcheck.evaluation.confidence import TargetPoint
    from factcheck.evaluation.scoring import Scores

__all__ = ["add_arguments", "print_scores", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("verdicts", help="verdict table that 'factcheck verify' wrote")
    parser.add_argument("--truth", required=True, help="claims table with gold labels")
    parser.add_argument("--columns", help="names of columns in the truth table, as label=verdict")
    add_reading_arguments(parser)
    parser.add_argument(
        "--target-precision",
        type=share,
        metavar="P",
        help="find the --abstain-below at which verdicts are right this often, in (0, 1] (default: 0.8, 0.9 and 0.95)",
    )
    parser.add_argument("--report", help="HTML report to write")
    parser.add_argument(
        "--image-root", help="folder of the photos that the report shows (default: the truth table's folder)"
    )
    parser.add_argument(
        "--baselines", metavar="TRAIN", help="also train baselines on this labelled table and score them"
    )
    parser.add_argument("--model", default="bundled", help="model whose encoders the baselines use (default: bundled)")
    parser.add_argument("--json", help="figures to write as JSON")


def run(args: argparse.Namespace) -> int:
    """Score, print, and write what was asked for."""
    columns = claims_format(args)
    _check(args, columns)
    from factcheck.evaluation.confidence import TARGETS
    from factcheck.evaluation.scoring import score

    targets = TARGETS if args.target_precision is None else (args.target_precision,)
    with late_progress("reading the truth table") as progress:
        scores = score(args.verdicts, args.truth, columns=columns, targets=targets, progress=progress)
    _warn(scores, args.truth)
    print_scores(scores)
    figures = scores.to_dict()
    baselines, by_source = _baselines(args, columns) if args.baselines else ({}, {})
    if args.baselines:
        figures["baselines"] = {name: part.to_dict() for name, part in baselines.items()}
        figures["baselines_by_source"] = by_source
    if scores.by_source:
        _print_sources(scores.by_source, by_source)
    if args.json:
        write_json(args.json, figures)
    if args.report:
        from factcheck.evaluation.report import write_report

        with late_progress("reading claims and photos") as progress:
            write_report(
                args.report,
                args.verdicts,
                args.truth,
                title=f"Evaluation of {Path(args.verdicts).name}",
                columns=columns,
                image_root=args.image_root,
                targets=targets,
                baselines=baselines,
                baselines_by_source=by_source,
                progress=progress,
            )
        print(f"report: {args.report}")
    return 0


def _check(args: argparse.Namespace, columns: Mapping[str, str] | None) -> None:
    """Refuse what cannot go well, before the heavy imports and the long work (InputError)."""
    inputs = {"the verdict table": args.verdicts, "the truth table": args.truth, "the training table": args.baselines}
    for field, path in (("report", args.report), ("json", args.json)):
        refuse_standard_output(field, path)
    check_output_file("report", args.report, inputs, own=is_report, kind="a report")
    check_output_file("json", args.json, inputs, own=is_json_with("rows", "labelled_rows_without_verdict"))
    if args.report and args.json and Path(args.report).resolve() == Path(args.json).resolve():
        raise InputError(f"--report and --json both name {args.json!r}; name two files")
    if same_file(args.truth, args.baselines):
        raise InputError(
            f"--baselines {args.baselines!r} is the truth table itself: baselines would be scored on the rows they were trained on. "
            "Give the table that the model was trained on"
        )
    check_image_root(args.image_root)
    check_verdicts(Path(args.verdicts))
    from factcheck.data import open_claims

    open_claims(args.truth, columns=columns, on_error="mark")
    if args.baselines:
        open_claims(args.baselines, columns=columns, on_error="mark")
        check_model(args.model)
        from factcheck.evaluation.baselines import check_training_table

        check_training_table(args.baselines, columns=columns)


def _warn(scores: "Scores", truth: str) -> None:
    if scores.other_documents:
        print(
            f"factcheck: warning: {counted(scores.other_documents, 'verdict')} of {scores.rows} quote evidence that is not in the "
            f"document of their row in {truth}; is it the table that was verified?",
            file=sys.stderr,
        )
    if scores.by_position:
        print(
            f"factcheck: note: {truth} has no id column: its {counted(scores.rows, 'row')} and the verdicts were matched by "
            "position",
            file=sys.stderr,
        )


def _baselines(args: argparse.Namespace, columns: Mapping[str, str] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train the baselines, print their figures; these by name, and the stance accuracy by source and name."""
    quiet_libraries()
    from factcheck.evaluation.baselines import predict_baselines
    from factcheck.verification.verifier import Verifier

    predicted = predict_baselines(args.baselines, args.truth, Verifier.load(args.model), columns=columns)
    if predicted.seen:
        print(
            f"factcheck: warning: {predicted.seen} of the {counted(len(predicted.gold), 'labelled row')} of {args.truth} are in "
            f"{args.baselines}, too: the baselines were trained on them",
            file=sys.stderr,
        )
    scores = predicted.scores()
    for name, part in scores.items():
        print(f"baseline {name}: weighted F1 {part.weighted_f1:.4f}, accuracy {part.accuracy:.4f}")
    return scores, predicted.by_source()


def _print_sources(model: Any, baselines: Any) -> None:
    """Stance accuracy by source: the model, and each baseline where there are any."""
    from rich.table import Table

    console = common.console(160)
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


def print_scores(scores: "Scores") -> None:
    """Tables on standard output."""
    from rich.table import Table

    # Output that goes to a file or a pipe is not cut to an imagined terminal.
    console = common.console(160)
    statuses = ", ".join(f"{name} {count}" for name, count in sorted(scores.statuses.items()))
    console.print(f"{counted(scores.rows, 'row')} ({statuses}); {scores.abstained} abstained")
    if scores.unscored:
        console.print(f"{counted(scores.unscored, 'labelled row')} of the truth table without a verdict: not scored.")
    parts = (("five classes", scores.five_class), ("stance", scores.stance), ("image relation", scores.image_relation))
    for name, part in parts:
        if part is None:
            continue
        table = Table(
            title=", ".join(
                f"{title} {getattr(part, key):.4f} {ends(part.intervals[key])}"
                for title, key in (
                    (f"{name}: weighted F1", "weighted_f1"),
                    ("macro F1", "macro_f1"),
                    ("accuracy", "accuracy"),
                )
            )
            + f" ({counted(part.rows, 'row')})",
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
    if scores.operating:
        _print_confidence(console, scores)


def _print_confidence(console: Any, scores: "Scores") -> None:
    from rich.table import Table

    title = "how far confidence can be trusted, with 95% bootstrap intervals"
    table = Table(title=title, title_justify="left")
    for name in ("rows", "number", "accuracy", "ECE", "ECE if calibrated", "Brier", "AURC"):
        table.add_column(name, justify="left" if name == "rows" else "right")
    for part in scores.confidence.values():
        ece, brier, aurc, accuracy = (
            f"{getattr(part, name):.3f} {ends(part.intervals[name])}" for name in ("ece", "brier", "aurc", "accuracy")
        )
        table.add_row(part.kind, str(part.rows), accuracy, ece, f"{part.calibrated_ece:.3f}", brier, aurc)
    console.print(table)
    for part in scores.confidence.values():
        console.print(f"{part.kind}: {part.rows_are}.")
    if scores.undecided:
        console.print(f"{counted(scores.undecided, 'labelled row')} had nothing to be judged by: always withheld.")
    table = Table(title="verdicts given at a threshold (--abstain-below), by kind of row", title_justify="left")
    for name in ("threshold", "rows", "precision", "at least (95%)", "coverage", "given"):
        table.add_column(name, justify="left" if name == "rows" else "right")
    whole = next(iter(scores.confidence.values()))
    for place, threshold in enumerate(point.threshold for point in whole.thresholds):
        for part in scores.confidence.values():
            point = part.thresholds[place]
            if point.kept:
                figures = (f"{x:.3f}" for x in (point.precision, point.precision_bound, point.coverage))
                table.add_row(f"{threshold:g}", part.kind, *figures, str(point.kept))
    console.print(table)
    for target in whole.targets:
        console.print(_target_line(target, scores), soft_wrap=True)


def _target_line(part: "TargetPoint", scores: "Scores") -> str:
    from factcheck.evaluation.metrics import operating_point

    if part.point is None or scores.operating is None:
        return f"precision {part.target:g}: {part.remark}"
    # Rounded down: the rows at the threshold itself stay above it.
    threshold = math.floor(part.point.threshold * 1e5) / 1e5
    line = (
        f"precision {part.target:g} over {scores.operating.kind}: --abstain-below {threshold:.5f} gives "
        f"{part.point.coverage:.1%} {ends(part.coverage, '.1%')} of {part.point.rows} verdicts, "
        f"right in {part.point.precision:.3f} (at least {part.point.precision_bound:.3f} with 95% confidence)"
    )
    if part.held_out_precision is not None:
        line += f"; on rows that it was not chosen on: {part.held_out_precision:.3f} at {part.held_out_coverage:.1%}"
    for other in list(scores.confidence.values())[1:]:
        point = operating_point(other.confidence, other.correct, part.point.threshold)
        if point.kept:
            line += f"; {other.kind}: {point.precision:.3f} at {point.coverage:.1%}"
    return line


def ends(interval: tuple[float, float] | None, style: str = ".3f") -> str:
    """An interval in brackets, or nothing."""
    return f"[{interval[0]:{style}}, {interval[1]:{style}}]" if interval else ""
