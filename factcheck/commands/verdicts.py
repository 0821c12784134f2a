"""``factcheck verdicts``: tables that exist, without verifying anything again."""

import argparse

from factcheck.commands.common import counted, probability

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    about = "mark verdicts below another confidence as abstained"
    threshold = actions.add_parser("threshold", help=about, description=about.capitalize() + ".")
    threshold.add_argument("verdicts", metavar="VERDICTS", help="verdict table")
    threshold.add_argument("--abstain-below", type=probability, required=True, help="confidence in [0, 1]")
    threshold.add_argument("--out", help="table to write (default: the same one)")
    about = "put the shards of one run together, every row once"
    merge = actions.add_parser("merge", help=about, description=about.capitalize() + ".")
    merge.add_argument("shards", metavar="SHARD", nargs="+", help="tables that 'factcheck verify --shard i/n' wrote")
    merge.add_argument("--out", required=True, help="verdict table to write")


def run(args: argparse.Namespace) -> int:
    """Write the table and say what is in it."""
    from factcheck.verification.merge import change_threshold, merge_shards

    if args.action == "merge":
        print(f"{counted(merge_shards(args.shards, args.out), 'row')} -> {args.out}")
        return 0
    out = args.out or args.verdicts
    rows, abstained = change_threshold(args.verdicts, out, args.abstain_below)
    print(f"{counted(rows, 'row')}, {abstained} abstained below {args.abstain_below:g} -> {out}")
    return 0
