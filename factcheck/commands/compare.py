"""``factcheck compare``: two verdict tables of the same claims; for CI, whether the second is worse."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factcheck.commands import common
from factcheck.commands.common import add_reading_arguments, claims_format, counted, probability, write_json
from factcheck.commands.inputs import check_image_root
from factcheck.commands.progress import late_progress
from factcheck.outputs import check_output_file, is_json_with, is_report, refuse_standard_output
from factcheck.verification.verdict_table import check_verdicts
from retrieval.errors import as_input_error

if TYPE_CHECKING:
    from factcheck.evaluation.compare import Comparison, Difference

__all__ = ["add_arguments", "run"]

_ROWS_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("first", metavar="A", help="verdict table to compare with")
    parser.add_argument(
        "second", metavar="B", help="verdict table of the same claims, by another model or other options"
    )
    parser.add_argument("--truth", required=True, metavar="CLAIMS", help="claims table with gold labels")
    parser.add_argument("--columns", help="names of columns in the truth table, as label=verdict")
    add_reading_arguments(parser)
    parser.add_argument(
        "--image-root", help="folder of the photos that the report shows (default: the truth table's folder)"
    )
    parser.add_argument("--report", metavar="R.html", help="report of B to write, with the comparison in it")
    parser.add_argument("--json", help="figures to write as JSON")
    parser.add_argument(
        "--metrics",
        nargs=2,
        metavar=("A.json", "B.json"),
        help="what 'factcheck verify --metrics' wrote of either run, to compare seconds per 1,000 claims",
    )
    parser.add_argument(
        "--fail-if-worse",
        type=probability,
        metavar="X",
        help="exit with status 1 if B's main figure is lower than A's by more than this (for CI), in [0, 1]",
    )


def run(args: argparse.Namespace) -> int:
    """Compare, print, write what was asked for."""
    inputs = {"table A": args.first, "table B": args.second, "the truth table": args.truth}
    for field in ("report", "json"):
        refuse_standard_output(field, getattr(args, field))
    check_output_file("report", args.report, inputs, own=is_report, kind="a report")
    check_output_file("json", args.json, inputs, own=is_json_with("main", "mcnemar"))
    for path in (args.first, args.second):
        check_verdicts(Path(path))
    check_image_root(args.image_root)
    seconds = tuple(map(_seconds, args.metrics)) if args.metrics else (None, None)
    columns = claims_format(args)
    from factcheck.evaluation.compare import compare

    with late_progress("reading the truth table") as progress:
        found = compare(
            args.first, args.second, args.truth, columns=columns, seconds=(seconds[0], seconds[1]), progress=progress
        )
    _print(found)
    if args.json:
        write_json(args.json, found.to_dict())
    if args.report:
        from factcheck.evaluation.report import write_report

        with late_progress("reading claims and photos") as progress:
            write_report(
                args.report,
                args.second,
                args.truth,
                title=f"{Path(args.second).name} compared with {Path(args.first).name}",
                columns=columns,
                image_root=args.image_root,
                comparison=found,
                progress=progress,
            )
        print(f"report: {args.report}")
    margin = args.fail_if_worse
    if margin is not None and found.main.difference < -margin:
        print(
            f"factcheck: B is worse than A by more than {margin:g}: {found.main.name} {found.main.second:.4f} after "
            f"{found.main.first:.4f}",
            file=sys.stderr,
        )
        return 1
    return 0


def _seconds(path: str) -> float | None:
    """Seconds per 1,000 claims out of a run's metrics; None for a run that verified nothing anew."""
    with as_input_error(
        f"`metrics` {path!r} does not hold the figures of a run",
        *(OSError, ValueError, KeyError, TypeError),
        field="metrics",
        hint="give the JSON files that `verify_file` wrote them to (--metrics FILE.json)",
    ):
        rate = json.loads(Path(path).read_text("utf-8"))["rows_per_second"]
        return 1000 / rate if rate else None


def _print(found: "Comparison") -> None:
    from rich.table import Table

    from factcheck.evaluation.compare import CHANGES

    console = common.console(160)
    console.print(f"{counted(found.rows, 'labelled row')} with a verdict in both tables")
    for number, name in ((found.only_first, "A"), (found.only_second, "B")):
        if number:
            console.print(f"{counted(number, 'row')} with a verdict in {name} alone: left out.")
    for title, rows in (
        ("over all rows", (*found.figures, *found.coverage)),
        ("share of right verdicts, by part", found.parts),
    ):
        table = Table(title=f"{title}, with 95% paired bootstrap intervals of the difference", title_justify="left")
        for name in ("", "rows", "A", "B", "B − A", "95% interval", ""):
            table.add_column(name, justify="left" if name == "" else "right")
        for one in rows:
            figures = (f"{one.first:.4f}", f"{one.second:.4f}", f"{one.difference:+.4f}")
            ends = f"{one.interval[0]:+.4f} … {one.interval[1]:+.4f}"
            name = f"{one.name}: {one.group}" if one.group else one.name
            table.add_row(name, str(one.rows), *figures, ends, _word(one))
        console.print(table)
    test = found.mcnemar
    console.print(
        f"McNemar: {test.only_first} rows right in A alone, {test.only_second} in B alone; p = {test.p_value:.3g} (exact, two-sided)"
    )
    if any(value is not None for value in found.seconds):
        console.print(f"seconds per 1,000 claims: A {_number(found.seconds[0])}, B {_number(found.seconds[1])}")
    for place, name in enumerate(CHANGES):
        ids = [found.ids[i] for i in (found.changes == place).nonzero()[0]]
        if place and ids:
            more = f" and {len(ids) - _ROWS_SHOWN} more" if len(ids) > _ROWS_SHOWN else ""
            console.print(f"{name} ({len(ids)}): {', '.join(ids[:_ROWS_SHOWN])}{more}", soft_wrap=True)


def _word(one: "Difference") -> str:
    if not one.is_certain or one.higher_is_better is None:
        return ""
    return "better" if (one.difference > 0) == one.higher_is_better else "worse"


def _number(value: Any) -> str:
    return "unknown" if value is None else f"{value:.1f}"
