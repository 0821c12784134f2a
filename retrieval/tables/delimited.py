"""Comma- and tab-separated tables: streaming, strict, and no row lost, however quotation marks are used.

Whether fields are quoted is decided by the whole file as soon as one row leaves that open (:mod:`retrieval.tables.dialect`). A line that
belongs to no readable row is a row with a fault.
"""

import csv
import logging
from collections.abc import Iterator, Sequence
from itertools import islice

from retrieval.tables.content import Content
from retrieval.tables.dialect import (
    Dialect,
    Record,
    columns_of,
    csv_reader,
    find_dialect,
    is_doubtful,
    misfit,
    records_of,
)
from retrieval.tables.header import declared_delimiter, numbered_columns, read_header, without_marks
from retrieval.tables.lines import Lines
from retrieval.tables.one_column import find_dialect_of_one_column
from retrieval.tables.profile import Profile
from retrieval.tables.rows import BATCH_CHARS, Column, Fault, Row, RowBatch, Table

__all__ = ["HEADERS", "QUOTINGS", "DelimitedTable"]

QUOTINGS = ("auto", "quoted", "none")
HEADERS = ("first", "none")
_UNSURE = "cannot be told whether its quotation marks quote a field or belong to the text (see the option quoting)"
_INSIDE = "within quotation marks, and looks like a row of its own (see the option quoting)"
_REST = "perhaps the rest of a broken row before it"
_logger = logging.getLogger("retrieval")


class DelimitedTable(Table):
    """A delimited text file, in UTF-8 or UTF-16.

    Args:
        content: the file.
        delimiter: one ASCII character.
        quoting: ``quoted``: a field in quotation marks may hold delimiters, line ends and doubled marks, as :rfc:`4180` says.
            ``none``: marks are letters, and every line is a row. ``auto``: what the file shows; a row where that stays
            open has a fault.
        header: ``first``: the first row names the columns; ``none``: they are called 1, 2, 3, …

    Raises:
        InputError: the file is empty, or its header cannot be read.
    """

    is_text = True

    def __init__(self, content: Content, delimiter: str, *, quoting: str = "auto", header: str = "first") -> None:
        self.where, self.delimiter = str(content), delimiter
        self._content, self._quoting = content, quoting
        self.header_fault = None
        if header == "none":
            self.names: list[str] = numbered_columns(content, delimiter, quoting)
            self._header_lines = 1 if declared_delimiter(content) else 0
        else:
            self.names, self._header_lines, self.header_fault = read_header(content, delimiter, quoting)
        self._id: str | None = None
        self._found: Dialect | None = None
        self._profile: Profile | None = None

    def only_id_of(self, name: str) -> None:
        """The id of a row that does not split can be told where it is in the first column, which nothing can shift."""
        self._id = name if name == self.names[0] else None

    @property
    def dialect(self) -> Dialect:
        """How rows in doubt are read: found out when it is first asked for, and said if it is not the usual way."""
        if self._found is None:
            forced, width, columns = self._quoting == "quoted", len(self.names), self._columns()
            if width == 1:
                self._found = find_dialect_of_one_column(self._lines, self.delimiter, columns, forced=forced)
            else:
                self._found = find_dialect(self._lines, self.delimiter, width, columns, forced=forced)
            if self._found.reading != "quoted":
                plain = self._found.reading == "plain"
                said = (
                    "its fields are not quoted" if plain else "some rows are quoted and others not, which are left out"
                )
                _logger.warning(
                    "%s: %s, by its quotation marks; if that is wrong, say so with `quoting`", self.where, said
                )
        return self._found

    def _columns(self) -> Profile:
        """What the columns hold."""
        if self._profile is None:
            lines = self._lines()
            try:
                self._profile = columns_of(lines, self.delimiter, len(self.names))
            finally:
                lines.close()
        return self._profile

    def _lines(self) -> Lines:
        """The lines after the header."""
        lines = Lines(self._content)
        for _ in range(self._header_lines):
            next(lines)
        return lines

    def batches(self, batch_size: int, skip: int = 0) -> Iterator[RowBatch]:
        """See :meth:`retrieval.tables.rows.Table.batches`."""
        held: list[_Fields] = []
        first, size = skip, 0
        for record in islice(self._records(), skip, None):
            held.append(record)
            size += sum(map(len, record[1] or ()))
            if len(held) == batch_size or size > BATCH_CHARS:
                yield _FieldsBatch(first, held, self.names)
                first, held, size = first + len(held), [], 0
        if held:
            yield _FieldsBatch(first, held, self.names)

    def count(self) -> int:
        """Number of rows, by going through the whole file once."""
        return sum(1 for _ in self._records())

    def _rows(self, skip: int) -> Iterator[Row]:
        for number, (line, fields, fault) in enumerate(self._records()):
            if number >= skip:
                yield Row(number, dict(zip(self.names, fields or (), strict=False)), fault, line)

    def _records(self) -> Iterator["_Fields"]:
        lines = self._lines()
        try:
            yield from self._plain(lines) if self._quoting == "none" else self._quoted(lines)
        finally:
            lines.close()

    def _plain(self, lines: Lines) -> Iterator["_Fields"]:
        """Every line a row."""
        while True:
            lines.begin_record()
            text = next(lines, None)
            if text is None:
                return
            if body := text.rstrip("\r\n"):
                yield self._line(body, lines.number, lines.fault)

    def _quoted(self, lines: Lines) -> Iterator["_Fields"]:
        """Rows as quoted, up to the first that both readings may see differently; from there on as the whole file has it."""
        width, reader = len(self.names), csv_reader(lines, self.delimiter)
        while True:
            lines.begin_record()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                break
            taken = lines.taken
            if len(fields) == width:
                if len(taken) > 1 and is_doubtful(fields, taken, self.delimiter, self._columns):
                    break
                yield lines.start, fields, lines.fault
            elif fields:
                if len(taken) > 1 or '"' in taken[0]:
                    break
                yield self._broken(taken[0], lines.number, self._misfit(len(fields)))
        lines.give_back(0)
        dialect = self.dialect
        yield from self._carefully(lines, dialect) if dialect.careful else self._plain(lines)

    def _carefully(self, lines: Lines, dialect: Dialect) -> Iterator["_Fields"]:
        """Rows of a file whose quotation marks are not all as they should be; what is true of each line decides."""
        plain = dialect.reading == "plain"
        broken = False  # whether the row before could not be read, so that what follows may be the rest of it
        for record in records_of(lines, self.delimiter, len(self.names), dialect):
            if record.kind == "agreed" and plain:
                yield self._line(record.lines[0].rstrip("\r\n"), record.start, record.encoding)
            elif record.kind == "agreed" or record.kind in dialect.keeps:
                assert record.fields is not None
                if broken and not dialect.profile.allows(record.fields):
                    yield from self._each(record, _REST)
                    continue
                broken = False
                yield record.start, record.fields, record.encoding
            elif record.kind in ("unquoted", "merged", "doubtful") and plain:
                for number, text in enumerate(record.lines, record.start):
                    yield self._line(text.rstrip("\r\n"), number, record.encoding)
            else:
                broken = '"' in record.lines[0]
                unsure = _INSIDE if record.kind in ("merged", "doubtful") else _UNSURE
                faults = [record.fault or unsure, *[unsure] * (len(record.lines) - 1)]
                if record.kind == "unquoted" and dialect.reading == "mixed":
                    faults = [unsure]
                for number, (text, fault) in enumerate(zip(record.lines, faults, strict=True), record.start):
                    if not text.isspace():
                        yield self._broken(text, number, fault)

    def _each(self, record: Record, fault: str) -> Iterator["_Fields"]:
        for number, text in enumerate(record.lines, record.start):
            if not text.isspace():
                yield self._broken(text, number, fault)

    def _line(self, body: str, number: int, encoding: Fault | None) -> "_Fields":
        fields = body.split(self.delimiter)
        if '"' in body and self._quoting != "none":  # a field that is quoted without need
            fields = [without_marks(field) for field in fields]
        if len(fields) != len(self.names):
            return self._broken(body, number, self._misfit(len(fields)))
        return number, fields, encoding

    def _misfit(self, fields: int) -> str:
        return misfit(fields, len(self.names))

    def _broken(self, text: str, number: int, fault: str) -> "_Fields":
        """A row of which no more can be told than its id."""
        start, separator, _ = text.partition(self.delimiter)
        identifier = start[1:-1] if len(start) > 1 and start[0] == start[-1] == '"' else start
        told = self._id is not None and separator and '"' not in identifier
        return number, [identifier] if told else None, Fault(fault)


#: Line, fields (of a row with a fault its id alone, or None), fault.
_Fields = tuple[int, Sequence[str] | None, Fault | None]


class _FieldsBatch(RowBatch):
    """Rows as lists of fields, in the order of the columns."""

    def __init__(self, first: int, records: Sequence[_Fields], names: Sequence[str]) -> None:
        self.first, self._records, self._names = first, records, names
        self.faults = {i: fault for i, (_, _, fault) in enumerate(records) if fault is not None}
        self.lines = [line for line, _, _ in records]

    def __len__(self) -> int:
        return len(self._records)

    def column(self, name: str) -> Column:
        """The values of a column, None where a row has none."""
        if name not in self._names:
            return Column([None] * len(self), {})
        place = self._names.index(name)
        if not self.faults:
            return Column([fields[place] for _, fields, _ in self._records if fields is not None], {})
        return Column(
            [fields[place] if fields is not None and place < len(fields) else None for _, fields, _ in self._records],
            {},
        )

    def rows(self) -> Iterator[Row]:
        """The rows one by one."""
        for number, (line, fields, fault) in enumerate(self._records, self.first):
            yield Row(number, dict(zip(self._names, fields or (), strict=False)), fault, line)
