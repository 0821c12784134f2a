"""Fields of a claims table that the canonical table does not carry: gold evidence, the data set a row comes from."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from factcheck.data.claims import SUFFIXES, open_delimited
from factcheck.data.jsonl import json_lines, parse_row

__all__ = ["column_names", "field_rows", "row_fields"]


def row_fields(path: str | Path, *names: str, columns: Mapping[str, str] | None = None) -> list[Any] | None:
    """For each row the first of ``names`` that it has a value for, in the order of :func:`factcheck.data.open_claims`.

    Args:
        path: a claims table (CSV, TSV, JSONL, Parquet), or a JSONL file beside one with a line for each of its rows.
        names: fields to look for.
        columns: names of the table's columns, as for ``open_claims``.

    Returns:
        One value a row, None where the row has none; None as a whole where no row has any, or the table is no file.
    """
    path = Path(path)
    if not path.is_file():
        return None
    rows = field_rows(path, names, columns)
    values = [next((row[name] for name in names if row.get(name) is not None), None) for row in rows]
    return values if any(value is not None for value in values) else None


def field_rows(
    path: str | Path, names: Sequence[str], columns: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Some fields of each row of a file, in the order of :func:`factcheck.data.open_claims`; memory does not grow with it.

    Args:
        path: a claims table.
        names: its own names of the fields; a row that lacks one has no such key.
        columns: names of the table's columns, as for ``open_claims``.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind == "delimited":
        return _delimited(path, tuple(names), columns)
    if kind == "parquet":
        return _parquet(path, tuple(names))
    return (parse_row(raw)[0] or {} for _, raw in json_lines(path)) if kind == "jsonl" else iter(())


def column_names(path: str | Path, columns: Mapping[str, str] | None = None) -> list[str]:
    """The table's own names of its columns; of JSON lines, the fields of its first hundred rows."""
    import pyarrow.parquet as pq

    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind == "delimited":
        return list(open_delimited(path, columns).header)
    if kind == "parquet":
        return list(pq.read_schema(path).names)
    return list(dict.fromkeys(name for row in islice(field_rows(path, ()), 100) for name in row))


def _parquet(path: Path, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        held = [name for name in names if name in file.schema_arrow.names]
        if held:
            for batch in file.iter_batches(columns=held):
                yield from batch.to_pylist()


def _delimited(path: Path, names: tuple[str, ...], columns: Mapping[str, str] | None) -> Iterator[dict[str, Any]]:
    reader = open_delimited(path, columns)
    held = {name: reader.header.index(name) for name in names if name in reader.header}
    if held:
        for _, fields, error in reader.records():
            whole = fields if fields is not None and error is None else None
            yield {name: whole[place] or None for name, place in held.items()} if whole else {}
