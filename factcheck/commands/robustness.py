"""``factcheck robustness``: verdicts under changes of the input that should not matter."""

import argparse

from factcheck.commands import common
from factcheck.commands.common import add_reading_arguments, claims_format, positive, quiet_libraries, write_json
from factcheck.commands.inputs import check_image_root, check_model
from factcheck.commands.progress import progress_bar
from factcheck.outputs import check_output_file, is_json_with

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("claims", help="claims table with documents; labels are used where it has them")
    parser.add_argument("--model", default="bundled", help="model folder, Hugging Face id, or 'bundled' (default)")
    parser.add_argument("--image-root", help="folder that image paths are relative to (default: the table's folder)")
    parser.add_argument("--columns", help="names of columns in the table, as claim=text,document=body")
    add_reading_arguments(parser)
    parser.add_argument("--limit", type=positive, default=200, metavar="N", help="rows taken, first ones (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (default 0)")
    parser.add_argument("--out", metavar="FILE", help="figures to write as JSON")
    parser.add_argument("--device", help="torch device (default: cpu)")


def run(args: argparse.Namespace) -> int:
    """Verify under every perturbation and print what changed."""
    check_output_file("out", args.out, {"the claims table": args.claims}, own=is_json_with("perturbations"))
    columns = claims_format(args)
    from factcheck.data import open_claims

    open_claims(args.claims, columns=columns, on_error="mark")  # mistakes show before the model is loaded
    check_image_root(args.image_root)
    check_model(args.model)
    quiet_libraries()
    from factcheck.evaluation.robustness import robustness
    from factcheck.verification.verifier import Verifier

    verifier = Verifier.load(args.model, attribution=False, device=args.device)
    with progress_bar("perturbing") as progress:
        results = robustness(
            verifier,
            args.claims,
            image_root=args.image_root,
            columns=columns,
            limit=args.limit,
            seed=args.seed,
            progress=progress,
        )
    _print(results)
    if args.out:
        figures = {"model": verifier.fingerprint, "claims": args.claims, "limit": args.limit, "seed": args.seed}
        write_json(args.out, {**figures, "perturbations": [result.to_dict() for result in results]})
    return 0


def _print(results) -> None:
    from rich.table import Table

    console = common.console(160)
    table = Table(title="verdicts after a change of the input", title_justify="left")
    table.add_column("change")
    for title in ("rows", "flips", "stance flips", "photo flips", "mean |Δp|", "accuracy", "after", "stances after"):
        table.add_column(title, justify="right")
    for r in results:
        shares = (f"{x:.1%}" if x is not None else "-" for x in (r.verdict_flips, r.stance_flips, r.image_flips))
        accuracies = (f"{x:.3f}" if x is not None else "-" for x in (r.accuracy_before, r.accuracy_after))
        stances = ", ".join(f"{name} {count}" for name, count in sorted(r.stances.items()))
        table.add_row(r.name, str(r.rows), *shares, f"{r.mean_change:.4f}", *accuracies, stances)
    console.print(table)
