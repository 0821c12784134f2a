"""``factcheck photos evaluate|export``: copy detection next to simpler fingerprints; checkpoints into folders."""

import argparse
from pathlib import Path

from factcheck.commands import common
from factcheck.commands.common import positive, write_json
from factcheck.commands.inputs import check_checkpoint
from factcheck.errors import InputError
from factcheck.outputs import check_output_file, check_output_folder, is_json_with
from retrieval.arguments import checked_file

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    evaluate = actions.add_parser(
        "evaluate",
        help="recall@1, uAP and AUC of finding a photo's original",
        description="Measure how well photo encoders find the original of an altered photo among references: recall@1 (the "
        "nearest is the original), uAP (average precision over all queries at one threshold) and, for pairs, AUC of same "
        "against different.",
    )
    evaluate.add_argument(
        "--references",
        nargs="+",
        required=True,
        metavar="DIR_OR_TABLE",
        help="folders of original photos, or claims tables whose document photos are meant",
    )
    evaluate.add_argument(
        "--queries",
        required=True,
        metavar="DIR_OR_TABLE",
        help="folder of altered photos named as their originals, or a claims table (claim photo against document photo)",
    )
    evaluate.add_argument("--gold", help="JSONL with same_photo for each row of the table")
    evaluate.add_argument(
        "--max-references", type=positive, metavar="N", help="use so many references (those needed first)"
    )
    evaluate.add_argument("--model", default="bundled", help="bundled, or the folder of a photo encoder")
    evaluate.add_argument(
        "--compare",
        nargs="*",
        default=[],
        metavar="NAME",
        help="also evaluate colour-histogram, phash, timm:NAME, or folders of models",
    )
    evaluate.add_argument("--json", help="figures to write as JSON")
    evaluate.set_defaults(action_run=_evaluate)
    export = actions.add_parser(
        "export",
        help="turn a pre-training checkpoint into the folder of a photo encoder",
        description="Turn a pre-training checkpoint into the folder of a photo encoder, which 'image_weights' and 'index "
        "build --photos' take.",
    )
    export.add_argument("checkpoint", help="checkpoint that 'factcheck fit' wrote with configs/image_pretrain.yaml")
    export.add_argument("--out", required=True, help="folder to write")
    export.add_argument("--card", help="Markdown file to put in as README.md")
    export.set_defaults(action_run=_export)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action."""
    return args.action_run(args)


def _export(args: argparse.Namespace) -> int:
    check_checkpoint(args.checkpoint)
    check_output_folder("out", args.out, "a photo encoder", {"format": "factcheck-photo-encoder"})
    card = None
    if args.card:
        card = checked_file(f"`card` {args.card!r}", args.card, field="card").read_text("utf-8")
    from factcheck.models.folder import save_image_encoder
    from factcheck.training.images.module import load_pretrained_encoder

    encoder = load_pretrained_encoder(args.checkpoint)
    print(f"{save_image_encoder(encoder, args.out, card=card)}: photo encoder {encoder.fingerprint}")
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    inputs = {"the table of queries": args.queries, "the gold file": args.gold}
    for path in (*args.references, args.queries):
        if not Path(path).exists():
            raise InputError(f"{path!r}: no such folder or table of photos")
    if args.gold:
        checked_file(f"`gold` {args.gold!r}", args.gold, field="gold")
    inputs |= {f"the table {path}": path for path in args.references}
    check_output_file("json", args.json, inputs, own=is_json_with("recall@1", "uap"))
    from rich.table import Table

    from factcheck.evaluation.image_benchmark import descriptor, evaluate_descriptor, read_copy_set

    descriptors = {name: descriptor(name) for name in [args.model, *args.compare]}
    images = read_copy_set(args.references, args.queries, gold=args.gold, max_references=args.max_references)
    figures = {name: evaluate_descriptor(embed, images) for name, embed in descriptors.items()}
    first = figures[args.model]
    table = Table(
        title=f"{first['queries']} queries among {first['references']} references; {first['pairs']} pairs",
        title_justify="left",
    )
    table.add_column("descriptor")
    for heading in ("recall@1", "uAP", "AUC same/different"):
        table.add_column(heading, justify="right")
    for name, scores in figures.items():
        table.add_row(name, *(f"{scores[key]:.4f}" for key in ("recall@1", "uap", "auc")))
    common.console().print(table)
    if args.json:
        write_json(args.json, figures)
    return 0
