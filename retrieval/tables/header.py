"""The columns of a delimited file: those that its header names, or as many as its first rows have."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

from retrieval.errors import InputError
from retrieval.tables.content import Content
from retrieval.tables.dialect import csv_reader, explain
from retrieval.tables.lines import Lines
from retrieval.tables.rows import Fault

__all__ = [
    "FirstRows",
    "declared_delimiter",
    "first_lines",
    "first_rows",
    "numbered_columns",
    "numbers",
    "read_header",
    "without_marks",
]

# Lines looked at for the number of columns where no header tells.
_FIRST_LINES = 200
# A line before the header by which a spreadsheet is told what separates columns, as in sep=;
_DECLARATION = re.compile(r'"?sep=([,;|\t])\1*"?[\r\n]*', re.IGNORECASE)


class FirstRows(NamedTuple):
    """What a delimiter makes of the first lines of a file.

    Attributes:
        rows: how many rows there are.
        width: how many fields most of them have; 1 where there are none.
        share: how many of them do, of 1.
        sound: how many of all rows can be read as quoted, of 1.
        tight: of the delimiters in them, the share that no white space follows and that stand in no number (``1,000``), as hardly any
            does in a sentence; 1 where there are none.
    """

    rows: int
    width: int
    share: float
    sound: float
    tight: float


def declared_delimiter(content: Content) -> str | None:
    """The delimiter that the first line declares, as Excel understands it (``sep=;``); None where it does not."""
    lines = Lines(content)
    try:
        declared = _DECLARATION.fullmatch(next(lines, ""))
    finally:
        lines.close()
    return declared[1] if declared else None


def _after_declaration(content: Content) -> Lines:
    """The lines of a file from its header on."""
    declared = declared_delimiter(content) is not None
    lines = Lines(content)
    if declared:
        next(lines)
    return lines


def read_header(content: Content, delimiter: str, quoting: str = "auto") -> tuple[list[str], int, Fault | None]:
    """The fields of the first row, the number of its last line, and what is wrong with its encoding.

    Raises:
        InputError: the file is empty or no text, or the row cannot be split.
    """
    lines = _after_declaration(content)
    try:
        reader = csv_reader(lines, delimiter)
        if quoting == "none":
            fields = [without_marks(field) for field in next(lines).rstrip("\r\n").split(delimiter)]
        else:
            fields = next(reader)
    except StopIteration:
        raise InputError(f"{content}: the file is empty; expected a header line and one row a line") from None
    except csv.Error as error:
        raise InputError(f"{content}, header: {explain(error)}") from None
    finally:
        lines.close()
    return fields, lines.number, lines.fault


def numbered_columns(content: Content, delimiter: str, quoting: str = "auto") -> list[str]:
    """The columns 1, 2, 3, … of a table without a header: as many as most of its first rows have fields.

    Raises:
        InputError: the file is empty or no text.
    """
    return numbers(first_rows(first_lines(content), delimiter, quoting).width)


def numbers(width: int) -> list[str]:
    """The names of so many columns."""
    return [str(i) for i in range(1, width + 1)]


def first_lines(content: Content) -> list[str]:
    """The first lines with something in them, without their ends.

    Raises:
        InputError: the file is empty or no text.
    """
    lines = _after_declaration(content)
    try:
        found = [line.rstrip("\r\n") for line in islice(lines, _FIRST_LINES)]
    finally:
        lines.close()
    if not any(found):
        raise InputError(f"{content}: the file is empty; expected one row a line")
    return [line for line in found if line]


def first_rows(lines: Sequence[str], delimiter: str, quoting: str = "auto") -> FirstRows:
    """The rows that lines are under a delimiter: as quoted or each one by itself, whichever makes them more alike."""
    plain = _alike([line.split(delimiter) for line in lines], delimiter)
    if quoting == "none" or not any('"' in line for line in lines):
        return plain
    rows, broken = _as_quoted(lines, delimiter)
    quoted = _alike(rows, delimiter, broken)
    # Lines of quoted texts are more than the rows that they are in, and alike in having no delimiter.
    if quoting == "quoted" or (plain.width == 1 < quoted.width and quoted.share > 0.5):
        return quoted
    # Several lines are hardly one row where each splits as rows do.
    as_quoted = (quoted.share, quoted.rows) >= (plain.share, plain.rows)
    return quoted if as_quoted else plain._replace(sound=quoted.sound)


def _as_quoted(lines: Sequence[str], delimiter: str) -> tuple[list[list[str]], int]:
    """Rows whose fields may be quoted, and how many are not; of those each line counts by itself, and of one that is cut none."""
    rows: list[list[str]] = []
    start = broken = 0
    while start < len(lines):
        reader: Any = csv_reader(iter([f"{line}\n" for line in lines[start:]]), delimiter)
        done = 0
        try:
            for fields in reader:
                rows.append(fields)
                done = reader.line_num
            break
        except csv.Error as error:
            broken += 1
            if "unexpected end" in str(error):
                break
            rows.append(lines[start + done].split(delimiter))
            start += done + 1
    return rows, broken


def _alike(rows: Sequence[Sequence[str]], delimiter: str, broken: int = 0) -> FirstRows:
    (width, count), *_ = Counter(map(len, rows)).most_common(1) or [(1, 0)]
    pairs = [pair for fields in rows if len(fields) == width for pair in pairwise(fields)]
    # What stands before white space or between digits may be punctuation, but for a tab.
    loose = [delimiter != "\t" and (b[:1].isspace() or (a[-1:].isdecimal() and b[:1].isdecimal())) for a, b in pairs]
    total = max(len(rows), 1)
    return FirstRows(len(rows), width, count / total, 1 - broken / total, 1 - sum(loose) / max(len(pairs), 1))


def without_marks(field: str) -> str:
    """A field without the pair of quotation marks around it; as it is if there are more."""
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' and field.count('"') == 2 else field
