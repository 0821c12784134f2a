"""``factcheck report``: a verdict table as one HTML file to look at, with or without gold labels."""

import argparse
from pathlib import Path

from factcheck.commands.common import add_reading_arguments, claims_format, positive
from factcheck.commands.inputs import check_image_root
from factcheck.commands.progress import late_progress
from factcheck.outputs import check_output_file, is_report, refuse_standard_output
from factcheck.verification.verdict_table import check_verdicts

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("verdicts", help="verdict table that 'factcheck verify' wrote")
    parser.add_argument(
        "--truth",
        metavar="CLAIMS",
        help="the claims table that was verified, with or without gold labels: its claims, documents and photos are shown",
    )
    parser.add_argument("--out", required=True, metavar="R.html", help="HTML file to write")
    parser.add_argument("--title", help="heading (default: the name of the verdict table)")
    parser.add_argument("--columns", help="names of columns in the claims table, as claim=text,document=body")
    add_reading_arguments(parser)
    parser.add_argument(
        "--image-root", help="folder that image paths are relative to (default: the claims table's folder)"
    )
    parser.add_argument(
        "--max-photos",
        dest="max_images",
        type=positive,
        default=1000,
        metavar="N",
        help="most photos in the page, some 10 KB each (default 1000)",
    )
    parser.add_argument(
        "--max-cases",
        type=positive,
        default=20_000,
        metavar="N",
        help="most cases that can be looked into (default 20000)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    refuse_standard_output("out", args.out)
    inputs = {"the verdict table": args.verdicts, "the claims table": args.truth}
    check_output_file("out", args.out, inputs, own=is_report, kind="a report")
    check_verdicts(Path(args.verdicts))
    check_image_root(args.image_root)
    from factcheck.evaluation.report import write_report

    with late_progress("reading claims and photos") as progress:
        write_report(
            args.out,
            args.verdicts,
            args.truth,
            title=args.title,
            columns=claims_format(args),
            image_root=args.image_root,
            max_images=args.max_images,
            max_cases=args.max_cases,
            progress=progress,
        )
    print(f"report: {args.out}")
    return 0
