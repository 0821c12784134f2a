"""The row stream: what every table gives, whatever its format. A row that cannot be read is a row all the same."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BATCH_CHARS", "Column", "Fault", "ListBatch", "Row", "RowBatch", "Table", "whole_number"]

#: Python objects of at most about this many characters are held at once.
BATCH_CHARS = 64 * 2**20


class Fault(NamedTuple):
    """Why a row cannot be taken as it stands.

    Attributes:
        text: what is wrong with it.
        legible: whether all its values are there, with U+FFFD for what could not be decoded; else none is but perhaps its id.
    """

    text: str
    legible: bool = False


class Row(NamedTuple):
    """One row of a table.

    Attributes:
        number: its place in the table, from 0.
        values: column name to value; what it lacks is not there.
        fault: why it cannot be read, or None.
        line: the line where it begins, from 1, in formats that have lines.
        size: about how many characters or bytes it holds.
    """

    number: int
    values: Mapping[str, Any]
    fault: Fault | None = None
    line: int | None = None
    size: int = 0


class Column(NamedTuple):
    """One value a row, and of the values that cannot be read (None) what is wrong with them, by row."""

    values: Sequence[Any]
    faults: Mapping[int, str]


class RowBatch(ABC):
    """Consecutive rows.

    Attributes:
        first: number of the first row in its table.
        faults: rows (counted from ``first``) that cannot be read, and why.
        lines: the line where each row begins, or None.
    """

    first: int
    faults: Mapping[int, Fault]
    lines: Sequence[int] | None = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def column(self, name: str) -> Column:
        """The values of a column, None where a row has none."""

    def array(self, name: str) -> "pa.ChunkedArray | None":
        """A column as it lies in Arrow; None where the table is none of Arrow's."""
        return None

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """The rows one by one; a value that cannot be read is its row's fault."""


class ListBatch(RowBatch):
    """Rows held as a list."""

    def __init__(self, first: int, rows: Sequence[Row]) -> None:
        self.first, self._rows = first, rows
        self.faults = {i: row.fault for i, row in enumerate(rows) if row.fault is not None}
        self.lines = [row.line for row in rows if row.line is not None] or None

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str) -> Column:
        """The values of a column, None where a row has none."""
        return Column([row.values.get(name) for row in self._rows], {})

    def rows(self) -> Iterator[Row]:
        """The rows one by one."""
        return iter(self._rows)


class Table(ABC):
    """A table that can be read any number of times, in little memory.

    Attributes:
        where: the table, as messages name it.
        names: its columns, as far as they are known before its rows are read.
        open_ended: whether rows may have columns that are not among ``names``.
        header_fault: bytes of the header that could not be decoded, in the names as U+FFFD.
        is_text: whether every value is text, so that what is missing can only be an empty one or a word.
    """

    where: str
    names: Sequence[str]
    open_ended: bool = False
    is_text: bool = False
    header_fault: Fault | None = None

    @abstractmethod
    def _rows(self, skip: int) -> Iterator[Row]:
        """The rows from number ``skip`` on."""

    def rows(self) -> Iterator[Row]:
        """Every row, in order."""
        return self._rows(0)

    def batches(self, batch_size: int, skip: int = 0) -> Iterator[RowBatch]:
        """The rows from number ``skip`` on, at most ``batch_size`` at once, and fewer where rows are megabytes long."""
        held: list[Row] = []
        first, size = skip, 0
        for row in self._rows(skip):
            held.append(row)
            size += row.size
            if len(held) == batch_size or size > BATCH_CHARS:
                yield ListBatch(first, held)
                first, held, size = first + len(held), [], 0
        if held:
            yield ListBatch(first, held)

    def count(self) -> int | None:
        """Number of rows; None where only reading everything could tell."""
        return sum(1 for _ in self._rows(0))

    def keep_only(self, names: Sequence[str]) -> "Table":
        """The same table for one who wants these columns alone, where that saves reading."""
        return self

    def only_id_of(self, name: str) -> None:  # noqa: B027  (most formats cannot tell)
        """Say which column holds the rows' ids, so that a row that cannot be read can be told by its own."""


def whole_number(value: Any) -> Any:
    """An int for a whole float or decimal (an integer column with a gap, as pandas writes it; a database's key), else ``value``."""
    is_whole = isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value)
    return int(value) if is_whole else value
