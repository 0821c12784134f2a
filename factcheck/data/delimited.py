"""Comma- and tab-separated claims tables, Factify's included: streaming, strict, recovering after a bad row."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from factcheck.data.canonical import RawRows, is_missing_word
from factcheck.data.columns import resolve_columns
from factcheck.errors import InputError

__all__ = ["DelimitedReader", "detect_delimiter"]

#: One field may be this long, in characters. Documents of megabytes exist; beyond this a closing quote is missing.
MAX_FIELD = 64 * 2**20
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
_NULLS = frozenset({"", "nan", "NaN", "NAN"})
# Python strings of at most about this many characters are held before they become an Arrow table.
_BATCH_CHARS = 64 * 2**20

# Where the file's first line end is looked for.
_LINE_END_BYTES = 2**16
_QUOTED = re.compile(rb'"[^"]*(?:"|$)')

_Record = tuple[int, list[str] | None, str | None]  # line, fields, error


class DelimitedReader:
    """Rows of a delimited UTF-8 file with a header, quoted as :rfc:`4180` says (fields may hold newlines).

    A file whose first 64 KiB hold, outside quotes, carriage returns and no line feed has lines that end in either.

    Raises:
        InputError: the file is empty, is not UTF-8 text, or lacks needed columns.
    """

    def __init__(self, path: Path, delimiter: str, columns: Mapping[str, str] | None = None):
        self.path = path
        self.delimiter = delimiter
        self.header = _read_header(path, delimiter)
        self.names = resolve_columns(self.header, columns, where=str(path))

    def batches(self, batch_size: int, skip: int) -> Iterator[RawRows]:
        """Raw rows from row ``skip`` on."""
        records = islice(self.records(), skip, None)
        first = skip
        while True:
            batch: list[_Record] = []
            size = 0
            for record in records:
                batch.append(record)
                size += sum(map(len, record[1] or ()))
                if len(batch) == batch_size or size > _BATCH_CHARS:
                    break
            if not batch:
                return
            yield self._raw_rows(batch, first)
            first += len(batch)

    def count(self) -> int:
        """Number of rows, by reading the whole file once."""
        return sum(1 for _ in self.records())

    def records(self) -> Iterator[_Record]:
        """``(line, fields, error)`` of each row; where it does not split into the header's columns, fields hold its id or are None."""
        width = len(self.header)
        with self.path.open("rb") as file:
            lines = _Lines(file)
            reader = _csv_reader(lines, self.delimiter)
            next(reader)  # the header
            recovering = False
            while True:
                lines.begin_record()
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    # The record may have swallowed good rows, up to a quote that never closes. Give back all but its
                    # first line; lines that do not parse either belong to the same broken row.
                    lines.give_back()
                    if not recovering:
                        yield lines.start, self._only_id(lines.first), _explain(error)
                    recovering = True
                    continue
                if not fields:  # an empty line
                    continue
                if len(fields) != width:
                    if not recovering:
                        yield (
                            lines.start,
                            self._only_id(lines.first),
                            f"split into {len(fields)}, where the header has {width} columns",
                        )
                    continue
                recovering = False
                yield lines.start, fields, lines.encoding_error

    def _raw_rows(self, batch: Sequence[_Record], first: int) -> RawRows:
        blank = [""] * len(self.header)
        table = list(zip(*(fields or blank for _, fields, _ in batch), strict=True))
        columns = {
            canonical: [None if _is_null(canonical, cell) else cell for cell in table[self.header.index(name)]]
            for canonical, name in self.names.items()
        }
        errors = {i: error for i, (_, _, error) in enumerate(batch) if error}
        return RawRows(first, len(batch), columns, errors, [line for line, _, _ in batch])

    def _only_id(self, line: str) -> list[str] | None:
        """The fields of a row of which no more can be told than its id: that of a first column, which nothing can shift."""
        if self.names.get("id") != self.header[0]:
            return None
        start, separator, _ = line.partition(self.delimiter)
        identifier = start[1:-1] if len(start) > 1 and start[0] == start[-1] == '"' else start
        if not separator or '"' in identifier:
            return None
        return [identifier, *[""] * (len(self.header) - 1)]


def detect_delimiter(path: Path, columns: Mapping[str, str] | None = None, expected: str | None = None) -> str:
    """The separator (tab or comma) at which the header splits into a claims table's columns.

    Args:
        path: the file.
        columns: mapping as for :func:`factcheck.data.columns.resolve_columns`.
        expected: the separator that the user named; any other is then an error that says so.

    Raises:
        InputError: no separator, or another than ``expected``, yields a column for the claim.
    """
    fits: dict[str, int] = {}
    failures: dict[str, InputError] = {}
    widths: dict[str, int] = {}
    for delimiter in _SEPARATORS:
        try:
            header = _read_header(path, delimiter)
            widths[delimiter] = len(header)
            fits[delimiter] = len(resolve_columns(header, columns, where=str(path)))
        except InputError as error:
            failures[delimiter] = error
    if expected in fits:
        return expected
    best = max(fits, key=lambda d: (fits[d], widths[d]), default=None)
    if expected is not None and best is not None:
        raise InputError(
            f"{path}: the header is separated by {_SEPARATORS[best]}, not by {_SEPARATORS[expected]}. "
            + ("Name the right format" if best in ",\t" else "Save the table with commas or tabs")
        )
    if best is None:
        # Of both usual separators the one that splits the header; a header that cannot be split comes before one column.
        raise failures[expected or max("\t,", key=lambda d: widths.get(d, 1.5))]
    if best not in ",\t":
        raise InputError(
            f"{path}: the header is separated by {_SEPARATORS[best]}; "
            "expected commas or tabs. Save the table with one of them"
        )
    return best


class _Lines:
    """Decoded lines for the csv module, which can be given back when a record turns out broken."""

    def __init__(self, file: BinaryIO):
        self._raw = _lines_of_any_end(file) if _ends_lines_with_returns(file) else iter(file)
        self._number = 0  # lines handed out
        self._offset = 0  # bytes read from the file
        self._pending: deque[tuple[str, str | None]] = deque()
        self._taken: list[tuple[str, str | None]] = []
        self.start = 1
        self.encoding_error: str | None = None

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._pending:
            text, error = self._pending.popleft()
        else:
            text, error = self._decode(next(self._raw))
        if error and not self.encoding_error:
            self.encoding_error = error
        if not self._taken:
            self.start = self._number + 1
        self._number += 1
        self._taken.append((text, error))
        return text

    @property
    def first(self) -> str:
        """The current record's first line."""
        return self._taken[0][0]

    def begin_record(self) -> None:
        self._taken.clear()
        self.encoding_error = None

    def give_back(self) -> None:
        """Return the current record's lines but its first to the stream."""
        back = self._taken[1:]
        self._pending.extendleft(reversed(back))
        self._number -= len(back)

    def _decode(self, raw: bytes) -> tuple[str, str | None]:
        error = None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as fault:
            at = self._offset + fault.start
            error = f"not UTF-8: byte 0x{raw[fault.start]:02x} at offset {at} of the file"
            text = raw.decode("utf-8", "replace")
        if self._offset == 0:
            text = text.removeprefix("\ufeff")
        self._offset += len(raw)
        if "\r" in text:
            text = _lone_returns(text)
        return text, error


def _is_null(canonical: str, cell: str) -> bool:
    # Here a missing claim can only be written as a word; documents are looked at in every format (``canonical_table``).
    return (len(cell) < 4 and cell in _NULLS) or (canonical == "claim" and is_missing_word(cell))


def _ends_lines_with_returns(file: BinaryIO) -> bool:
    """Whether the lines of a file end in a lone carriage return, as old Macintosh programs write them; back at its start after."""
    file.seek(0)
    unquoted = _QUOTED.sub(b"", file.read(_LINE_END_BYTES))
    file.seek(0)
    return b"\r" in unquoted and b"\n" not in unquoted


def _lines_of_any_end(file: BinaryIO) -> Iterator[bytes]:
    r"""The lines of a file, ended by ``\r``, ``\n`` or ``\r\n``."""
    rest = b""
    while block := file.read(2**20):
        lines = (rest + block).splitlines(keepends=True)
        rest = lines.pop()  # it may go on in the next block, if only with the second half of its end
        yield from lines
    if rest:
        yield rest


def _lone_returns(text: str) -> str:
    """A carriage return inside a line counts as a space: older writers leave it unquoted, and the csv module refuses it."""
    body = text.removesuffix("\n").removesuffix("\r")
    return body.replace("\r", " ") + text[len(body) :] if "\r" in body else text


def _csv_reader(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    # The limit belongs to the whole process; it is only ever raised.
    if csv.field_size_limit() < MAX_FIELD:
        csv.field_size_limit(MAX_FIELD)
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _explain(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text:
        return "a quoted field is never closed"
    if "field larger" in text:
        return f"a field is longer than {MAX_FIELD} characters; its closing quote is probably missing"
    if "expected after" in text:
        return "a quoted field goes on after its closing quote; double the quotes inside it"
    return f"cannot be split into fields ({text})"


def _read_header(path: Path, delimiter: str) -> list[str]:
    with path.open("rb") as file:
        start = file.read(4)
        if not start:
            raise InputError(f"{path}: the file is empty; expected a header line and one row a claim")
        for magic, kind in (
            (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
            (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
            (b"PK\x03\x04", "a zip or spreadsheet file; export it as CSV"),
            (b"\x1f\x8b", "compressed with gzip; unpack it first"),
            (b"PAR1", "a Parquet file; name it .parquet"),
        ):
            if start.startswith(magic):
                raise InputError(f"{path}: expected UTF-8 text separated by commas or tabs, found {kind}")
        lines = _Lines(file)
        try:
            header = next(_csv_reader(lines, delimiter))
        except StopIteration:
            header = []
        except csv.Error as error:
            raise InputError(f"{path}, header: {_explain(error)}") from None
        if lines.encoding_error:
            raise InputError(f"{path}, header: {lines.encoding_error}. Save the file as UTF-8")
    return header
