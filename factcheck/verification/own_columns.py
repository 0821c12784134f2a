"""Columns of the claims table that travel into the verdict table."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from factcheck.data.canonical import whole_characters
from factcheck.data.claims import open_claims
from factcheck.errors import InputError
from factcheck.records import verdict_schema

__all__ = ["OwnColumns"]


class OwnColumns:
    """The columns to be kept of a claims table.

    Args:
        claims: the table.
        keep: their names, or ``("all",)``; a canonical name (``claim``) also stands for the table's own column of that meaning.
        columns: canonical name to the table's own column name.

    Attributes:
        names: what they are called in the verdict table; a name that it has already comes with ``claims_`` before it.

    Raises:
        InputError: the table has no such column.
    """

    def __init__(self, claims: Path, keep: Sequence[str], columns: Mapping[str, str] | None) -> None:
        self._table = open_claims(claims, columns=columns, on_error="mark") if keep else None
        held = self._table.names if self._table is not None else []
        known = set(verdict_schema().names)
        wanted = [name for name in held if name not in known] if tuple(keep) == ("all",) else list(keep)
        self._sources = [(columns or {}).get(name, name) for name in wanted]
        for name, source in zip(wanted, self._sources, strict=True):
            if source not in held:
                raise InputError(
                    f"`keep` names the column {name!r}, which {claims} does not have",
                    field="keep",
                    hint=f"it has {', '.join(held)}",
                )
        self.names = [f"claims_{name}" if name in known else whole_characters(name) for name in wanted]

    def added(self, first: int, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Consecutive verdicts from the row ``first`` on, with the columns."""
        rows: Iterator[dict[str, Any]] = iter(())
        if self._table is not None:
            rows = self._table.field_rows(self._sources, first)
        for table in tables:
            held = list(islice(rows, table.num_rows))
            for name, source in zip(self.names, self._sources, strict=True):
                values = [_text(held[i].get(source)) if i < len(held) else None for i in range(table.num_rows)]
                table = table.append_column(pa.field(name, pa.string()), pa.array(values, pa.string()))
            yield table


def _text(value: Any) -> str | None:
    if value is None:
        return None
    # Nothing rests on an own column: what it has of no character costs its row nothing.
    return whole_characters(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
