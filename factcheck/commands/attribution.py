"""``factcheck attribution``: whether verdicts rest on the sentences that attribution names."""

import argparse

from factcheck.commands import common
from factcheck.commands.common import add_reading_arguments, claims_format, positive, quiet_libraries, write_json
from factcheck.commands.inputs import check_image_root, check_model
from factcheck.outputs import check_output_file, is_json_with

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("claims", help="claims table with documents")
    parser.add_argument("--model", default="bundled", help="model folder, Hugging Face id, or 'bundled' (default)")
    parser.add_argument("--image-root", help="folder that image paths are relative to (default: the table's folder)")
    parser.add_argument("--columns", help="names of columns in the table, as claim=text,document=body")
    add_reading_arguments(parser)
    parser.add_argument(
        "--gold",
        metavar="JSONL",
        help="gold evidence, a line a row, as evidence (indexes) or evidence_sentence (default: looked for in the table)",
    )
    parser.add_argument("--top-k", type=positive, help="evidence sentences a claim (default: as the model was trained)")
    parser.add_argument("--sizes", type=positive, nargs="+", default=[1, 2], help="sentences taken away (default 1 2)")
    parser.add_argument("--limit", type=positive, metavar="N", help="rows taken, first ones (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the random sentences (default 0)")
    parser.add_argument("--out", metavar="FILE", help="figures to write as JSON")
    parser.add_argument("--device", help="torch device (default: cpu)")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    inputs = {"the claims table": args.claims, "the gold evidence": args.gold}
    check_output_file("out", args.out, inputs, own=is_json_with("model", "faithfulness"))
    columns = claims_format(args)
    from factcheck.data import open_claims

    open_claims(args.claims, columns=columns, on_error="mark")  # mistakes show before the model is loaded
    check_image_root(args.image_root)
    check_model(args.model)
    quiet_libraries()
    from factcheck.evaluation.faithfulness import attribution_quality
    from factcheck.verification.verifier import Verifier

    verifier = Verifier.load(args.model, top_k=args.top_k, device=args.device)
    quality = attribution_quality(
        verifier,
        args.claims,
        image_root=args.image_root,
        columns=columns,
        gold=args.gold,
        sizes=args.sizes,
        seed=args.seed,
        limit=args.limit,
    )
    _print(quality)
    if args.out:
        write_json(args.out, {"model": verifier.fingerprint, "claims": args.claims, **quality.to_dict()})
    return 0


def _print(quality) -> None:
    from rich.table import Table

    from factcheck.evaluation.faithfulness import ORDERS

    console = common.console(160)
    table = Table(title="drop of the verdict's probability, by what names the sentences", title_justify="left")
    table.add_column("")
    for order in ORDERS:
        table.add_column(order, justify="right")
    table.add_column("better than random by", justify="right")
    for f in quality.faithfulness:
        for name, figures, (gain, half) in (
            (f"comprehensiveness: without the first {f.size}", f.comprehensiveness, f.comprehensiveness_gain),
            (f"sufficiency: the first {f.size} alone", f.sufficiency, f.sufficiency_gain),
        ):
            cells = (f"{figures[order]:.4f}" for order in ORDERS)
            table.add_row(f"{name} ({f.rows} rows)", *cells, f"{gain:+.4f} ± {half:.4f}")
    if quality.gold and quality.gold.choices:
        for name, figures in (
            ("first sentence is gold", quality.gold.precision_at_1),
            ("average precision of gold", quality.gold.average_precision),
        ):
            gain = f"{figures['attribution'] - figures['random']:+.4f}"
            cells = (f"{figures[order]:.4f}" for order in ORDERS)
            table.add_row(f"{name} ({quality.gold.choices} rows)", *cells, gain)
    console.print(table)
    if quality.gold:
        console.print(
            f"gold evidence: among the selected sentences in {quality.gold.found:.1%} of {quality.gold.rows} rows"
        )
