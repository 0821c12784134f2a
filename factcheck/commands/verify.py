"""``factcheck verify``: a table of claims in, the verdict table out."""

import argparse
import sys
from pathlib import Path

from factcheck.commands.common import column_mapping, counted, positive, probability, progress_bar, quiet_libraries
from factcheck.commands.inputs import check_image_root, check_model
from factcheck.commands.judging import add_judge_arguments, judge_of, print_dry_run, print_usage
from factcheck.errors import InputError

__all__ = ["add_arguments", "print_summary", "run"]

_REASONS_SHOWN = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("claims", help="claims table: CSV, TSV, JSONL or Parquet")
    parser.add_argument("--out", required=True, help="verdict table to write: .parquet, .csv, .tsv or .jsonl")
    parser.add_argument("--model", default="bundled", help="model folder, Hugging Face id, or 'bundled' (default)")
    parser.add_argument("--evidence", help="evidence index (a folder) for claims that bring no document")
    parser.add_argument(
        "--photos",
        metavar="ENCODER",
        help="photo encoder of the index, if it moved: 'bundled' or a folder; 'none' leaves its photos unsearched",
    )
    parser.add_argument("--image-root", help="folder that image paths are relative to (default: the table's folder)")
    parser.add_argument("--columns", help="names of columns in the table, as claim=text,document=body")
    parser.add_argument("--top-k", type=positive, help="evidence sentences a claim (default: as the model was trained)")
    parser.add_argument(
        "--abstain-below", type=probability, help="mark verdicts of lower confidence as abstained, in [0, 1]"
    )
    parser.add_argument(
        "--on-error",
        choices=("mark", "fail"),
        default="mark",
        help="bad rows: mark them (default) or stop at the first",
    )
    parser.add_argument(
        "--no-attribution", action="store_true", help="skip the attribution scores (several times faster)"
    )
    parser.add_argument(
        "--photo-attribution",
        action="store_true",
        help="also say how much the stance's probability drops without either photo (column photo_attribution)",
    )
    parser.add_argument("--batch-size", type=positive, default=32, help="rows a forward pass (default 32)")
    parser.add_argument("--chunk-size", type=positive, default=256, help="rows in memory at once (default 256)")
    parser.add_argument(
        "--no-resume",
        action="store_true",
        help="start over instead of finishing an interrupted run, whose verdicts stay as they are (of photos that were missing then, too)",
    )
    parser.add_argument("--device", help="torch device (default: cpu)")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say how many rows, tokens and seconds it would take, and what it would cost",
    )
    add_judge_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Verify and print a summary."""
    from factcheck.verification.verdict_table import check_output

    # A mistake must show at once, not after everything is loaded.
    check_output(Path(args.out), Path(args.claims))
    columns = column_mapping(args.columns)
    from factcheck.data import open_claims

    open_claims(args.claims, columns=columns, on_error=args.on_error)
    check_image_root(args.image_root)
    check_model(args.model)
    manifest = None
    if args.photos and not args.evidence:
        raise InputError("--photos names the photo encoder of an index; give the index as --evidence DIR, too")
    if args.evidence:
        from retrieval.manifest import read_manifest

        manifest = read_manifest(Path(args.evidence))
    quiet_libraries()
    from factcheck.verification.stream import verify_file
    from factcheck.verification.verifier import Verifier

    evidence = None
    if manifest is not None:
        from factcheck.verification.image_vectors import image_vectors_of
        from retrieval import open_index

        photos = None if args.photos == "none" else image_vectors_of(manifest, args.photos)
        evidence = open_index(args.evidence, image_encoder=photos)
    judge = judge_of(args)
    verifier = Verifier.load(
        args.model,
        judge=judge,
        top_k=args.top_k,
        abstain_below=args.abstain_below,
        attribution=not args.no_attribution,
        photo_attribution=args.photo_attribution,
        batch_size=args.batch_size,
        evidence=evidence,
        device=args.device,
    )
    if args.dry_run:
        print_dry_run(verifier, open_claims(args.claims, columns=columns, on_error=args.on_error), args.judge_price)
        return 0
    with progress_bar("verifying", resumes=True) as progress:
        summary = verify_file(
            verifier,
            args.claims,
            args.out,
            columns=columns,
            image_root=args.image_root,
            on_error=args.on_error,
            chunk_size=args.chunk_size,
            resume=not args.no_resume,
            progress=progress,
        )
    if not summary.rows:
        print(f"factcheck: warning: {args.claims} holds 0 rows; so does the verdict table", file=sys.stderr)
    print_summary(summary)
    print_usage(judge, args.judge_price)
    return 0


def print_summary(summary) -> None:
    """A few lines on standard output: rows, statuses, labels, and what the reasons are, most frequent first."""
    resumed = f" ({summary.resumed} of them from an interrupted run)" if summary.resumed else ""
    if summary.dropped:
        print(f"dropped {counted(summary.dropped, 'chunk')} of an earlier run with other input, model or options")
    print(f"{counted(summary.rows, 'row')}{resumed} -> {summary.out}")
    for title, counts in (("status", summary.statuses), ("label", summary.labels)):
        if counts:
            print(f"  {title}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))
    for reason, count in summary.reasons.most_common(_REASONS_SHOWN):
        print(f"  {count} x {reason}")
    if len(summary.reasons) > _REASONS_SHOWN:
        print(f"  and {len(summary.reasons) - _REASONS_SHOWN} more kinds of reason; each row has its own in the table")
