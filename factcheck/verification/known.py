"""Verdicts of an earlier table, taken over where nothing that they rest on has changed."""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from factcheck.errors import InputError
from factcheck.verification.verdict_table import completed, read_verdicts
from retrieval.errors import as_input_error

if TYPE_CHECKING:
    from factcheck.verification.summary import Clock
    from factcheck.verification.verifier import Verifier

__all__ = ["KnownVerdicts"]

# Row groups held decoded: an old table and a new one mostly have their rows in the same order.
_GROUPS_HELD = 8


class KnownVerdicts:
    """An earlier verdict table by the content of its rows.

    Rows in error and rows whose judge had a problem are not taken over: they are worth another try.

    Args:
        path: the table. Of Parquet only the hashes are held in memory.

    Raises:
        InputError: it cannot be read, or says nothing of the content of its rows.
    """

    def __init__(self, path: str | Path) -> None:
        self._file: pq.ParquetFile | None = None
        self._held: OrderedDict[int, pa.Table] = OrderedDict()
        self._rows: dict[str, tuple[int, int]] = {}
        path = Path(path)
        if path.suffix.lower() == ".parquet" and path.is_file():
            with as_input_error(f"{str(path)!r} is not a verdict table", pa.ArrowException, OSError):
                self._file = pq.ParquetFile(path)
                groups = self._file.num_row_groups
                names = ["content_hash", "status", "reason"]
                if set(names) <= set(self._file.schema_arrow.names):
                    for group in range(groups):
                        self._index(group, self._file.read_row_group(group, columns=names))
        else:
            self._held[0] = read_verdicts(path)
            self._index(0, self._held[0])
        if not self._rows:
            raise InputError(
                f"`since` {str(path)!r} holds no verdict that could be taken over",
                field="since",
                hint="give a table that `verify_file` wrote",
            )

    def complete(self, table: pa.Table, verifier: "Verifier", clock: "Clock") -> tuple[pa.Table, int]:
        """The verdicts of a claims table, only new and changed rows verified, and how many were taken over."""
        places = [self._rows.get(content) for content in verifier.content_hashes(table)]
        new = [i for i, place in enumerate(places) if place is None]
        known = [(i, place) for i, place in enumerate(places) if place is not None]
        made = verifier.verify_batch(table.take(pa.array(new, pa.int64())), clock=clock)
        with clock.stage("take over"):
            old = [self._group(group).slice(row, 1) for _, (group, row) in known]
            numbers = new + [i for i, _ in known]
            order = sorted(range(len(numbers)), key=numbers.__getitem__)
            return pa.concat_tables([made, *old]).take(order), len(old)

    def _index(self, group: int, table: pa.Table) -> None:
        columns = (table[name].to_pylist() for name in ("content_hash", "status", "reason"))
        for row, (content, status, reason) in enumerate(zip(*columns, strict=True)):
            if content is not None and status != "error" and "judge: " not in (reason or ""):
                self._rows[content] = (group, row)

    def _group(self, number: int) -> pa.Table:
        if number not in self._held:
            assert self._file is not None
            self._held[number] = completed(self._file.read_row_group(number))
            if len(self._held) > _GROUPS_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(number)
        return self._held[number]
