"""Verdict tables that exist: another threshold, and the shards of one run put together."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factcheck.errors import InputError
from factcheck.outputs import same_file
from factcheck.records import verdict_schema
from factcheck.verification.verdict_table import (
    check_output,
    check_verdicts,
    completed,
    count_withheld,
    read_about,
    read_verdicts,
    with_threshold,
    write_tables,
)
from retrieval.arguments import checked_share

__all__ = ["change_threshold", "merge_shards"]


def change_threshold(verdicts: str | Path, out: str | Path, abstain_below: float) -> tuple[int, int]:
    """Write a verdict table with ``abstained`` as it is at another threshold; nothing is verified again.

    Args:
        verdicts: the table.
        out: the new table, which may be the same file.
        abstain_below: confidence in [0, 1] under which a verdict counts as abstained.

    Returns:
        How many rows there are, and how many of them abstain now, without those in error.

    Raises:
        InputError: the table cannot be read, ``out`` cannot be written, or the threshold is out of range.
    """
    verdicts, out = Path(verdicts), Path(out)
    threshold = checked_share("abstain_below", abstain_below)
    check_verdicts(verdicts)
    check_output(out)
    own = _own_columns(verdicts)
    about = read_about(verdicts)
    rows = abstained = 0
    tables = (with_threshold(table, threshold) for table in _tables(verdicts, own))
    for table in write_tables(tables, out, columns=own, about={**about, "abstain_below": threshold} if about else None):
        rows += table.num_rows
        abstained += count_withheld(table)
    return rows, abstained


def merge_shards(shards: Sequence[str | Path], out: str | Path) -> int:
    """Put the shards of a run together, after making sure that every row is there once.

    Args:
        shards: Parquet tables that ``verify_file(…, shard=(i, n))`` wrote, in any order.
        out: the whole table.

    Returns:
        How many rows it has.

    Raises:
        InputError: one is no shard, they are not of one run, rows are missing or double, or ``out`` cannot be written.
    """
    out = Path(out)
    check_output(out)
    paths = [Path(path) for path in shards]
    abouts: dict[Path, dict[str, Any]] = {}
    for path in paths:
        check_verdicts(path)
        if same_file(out, path):
            raise InputError(f"`out` {str(out)!r} is one of the shards", field="out", hint="name another file")
        about = abouts[path] = read_about(path)
        stretch = about.get("stretch")
        if not (isinstance(stretch, dict) and {"first", "stop", "total"} <= set(stretch)):
            raise InputError(f"{str(path)!r} is not a shard of a run", hint="`verify_file` writes shards")
        if pq.read_metadata(path).num_rows != stretch["stop"] - stretch["first"]:
            raise InputError(f"{str(path)!r} has lost rows or gained some", hint="make this shard again")
    order = sorted(paths, key=lambda path: (abouts[path]["stretch"]["first"], abouts[path]["stretch"]["stop"]))
    _check_stretches(order, abouts)
    first = abouts[order[0]]
    own = _own_columns(order[0])
    about = {name: value for name, value in first.items() if name != "stretch"}
    tables = (table for path in order for table in _tables(path, own))
    return sum(table.num_rows for table in write_tables(tables, out, columns=own, about=about))


def _check_stretches(order: Sequence[Path], abouts: dict[Path, dict[str, Any]]) -> None:
    """Refuse shards that are not of one run, or do not have every row once."""
    head = order[0]
    row = 0
    for path in order:
        for name in ("facts", "abstain_below"):
            if abouts[path].get(name) != abouts[head].get(name):
                what = "another threshold" if name == "abstain_below" else "another table, model or option"
                raise InputError(f"{str(path)!r} was made with {what} than {str(head)!r}", hint="make it again")
        stretch = abouts[path]["stretch"]
        if stretch["first"] != row:
            raise _gap(row, stretch["first"], str(path))
        row = stretch["stop"]
    total = abouts[head]["stretch"]["total"]
    if row != total:
        raise _gap(row, total, "the end")


def _gap(expected: int, found: int, before: str) -> InputError:
    if found < expected:
        return InputError(f"rows {found} to {expected - 1} are in two of the shards", hint="give each shard once")
    return InputError(f"rows {expected} to {found - 1} are missing before {before}", hint="give the missing shard, too")


def _own_columns(path: Path) -> list[str]:
    """Columns that a Parquet verdict table has beside those of every one."""
    if path.suffix.lower() != ".parquet":
        return []
    known = set(verdict_schema().names)
    return [name for name in pq.read_schema(path).names if name not in known]


def _tables(path: Path, own: Sequence[str]) -> Iterator[pa.Table]:
    """A verdict table in pieces, with its own columns."""
    if path.suffix.lower() != ".parquet":
        yield read_verdicts(path)
        return
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield completed(file.read_row_group(group), own)
