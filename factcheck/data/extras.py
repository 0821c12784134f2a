"""Fields of a JSONL claims table that the canonical table does not carry: gold evidence, the data set a row comes from."""

from pathlib import Path
from typing import Any

from factcheck.data.jsonl import json_lines, parse_row

__all__ = ["row_fields"]


def row_fields(path: str | Path, *names: str) -> list[Any] | None:
    """For each row the first of ``names`` that it has a value for, in the order of :func:`factcheck.data.open_claims`.

    Args:
        path: a claims table, or a JSONL file beside one with a line for each of its rows.
        names: fields to look for.

    Returns:
        One value a row, None where the row has none; None as a whole where no row has any, or the file is no JSONL file.
    """
    path = Path(path)
    if path.suffix.lower() not in (".jsonl", ".ndjson", ".json") or not path.is_file():
        return None
    values = []
    for _, raw in json_lines(path):
        row = parse_row(raw)[0] or {}
        values.append(next((row[name] for name in names if row.get(name) is not None), None))
    return values if any(value is not None for value in values) else None
