"""Fields of a claims table that the canonical table does not carry: gold evidence, the data set a row comes from."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from factcheck.data.claims import SUFFIXES, open_delimited
from factcheck.data.jsonl import json_lines, parse_row

__all__ = ["row_fields"]


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
    kind = SUFFIXES.get(path.suffix.lower())
    if kind == "delimited":
        rows = _delimited(path, names, columns)
    elif kind == "parquet":
        rows = _parquet(path, names)
    else:
        rows = (parse_row(raw)[0] or {} for _, raw in json_lines(path)) if kind == "jsonl" else iter(())
    values = [next((row[name] for name in names if row.get(name) is not None), None) for row in rows]
    return values if any(value is not None for value in values) else None


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
