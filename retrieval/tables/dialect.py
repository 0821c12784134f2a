"""Whether a delimited file quotes its fields, where its quotation marks alone do not say: by what its lines look like."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from retrieval.tables.lines import Lines
from retrieval.tables.rows import Fault

__all__ = [
    "MAX_FIELD",
    "Dialect",
    "Profile",
    "Record",
    "csv_reader",
    "explain",
    "find_dialect",
    "is_doubtful",
    "profile_of",
    "records_of",
]

#: One field may be this long, in characters. Documents of megabytes exist; beyond this a closing quotation mark is missing.
MAX_FIELD = 64 * 2**20
# The unquoted reading is chosen where it has so many times the evidence of the other.
_OUTWEIGHS = 10
_SAMPLE, _LONGEST_TOKEN = 300, 64
# A column is of a kind if so much of what it holds is: some rows of the sample may be broken.
_MOST = 0.95
# Of fewer rows nothing is concluded.
_FEWEST = 3


@dataclass(frozen=True)
class Profile:
    """What the columns of a table hold, by rows that both readings split alike: numbers, single words, or any text.

    A line of a quoted text may by chance have as many delimiters as a row; it will hardly have a number in the place of ids.

    Attributes:
        kinds: place of a column to ``number`` or ``word``; columns of free text and empty ones are not there.
        wrapped: whether some column stands in quotation marks in nearly every row, as programs write that quote all fields.
    """

    kinds: dict[int, str] = field(default_factory=dict)
    wrapped: bool = False

    def fits(self, fields: Sequence[str]) -> bool:
        """Whether fields look like a row; False where no column tells."""
        return bool(self.kinds) and self.allows(fields)

    def allows(self, fields: Sequence[str]) -> bool:
        """Whether nothing says that fields are not a row."""
        return all(_kind(fields[place]) in ("empty", kind, "number") for place, kind in self.kinds.items()) and (
            not self.kinds or any(_kind(fields[place]) != "empty" for place in self.kinds)
        )

    def follows(self, fields: Sequence[str], first: Sequence[str], lines: int) -> bool:
        """Whether fields are a row beyond doubt: two columns tell, or a number is one of those after that of the first line."""
        if not self.fits(fields):
            return False
        numbers = [place for place, kind in self.kinds.items() if kind == "number" and place < len(first)]
        after = (int(fields[p]) - int(first[p]) for p in numbers if fields[p].isdecimal() and first[p].isdecimal())
        return len(self.kinds) > 1 or any(0 < step < lines for step in after)


@dataclass(frozen=True)
class Dialect:
    """How a file is read from the first row on that its two readings may see differently.

    Attributes:
        reading: ``quoted``, ``plain`` (marks are letters), or ``mixed``: rows that the two read differently are not read.
        careful: whether each row has to be looked at, see :func:`records_of`.
        profile: what its columns hold.
        forced: the user has said that fields are quoted.
        well_formed: all of it can be read as quoted.
    """

    reading: str
    careful: bool = True
    profile: Profile = field(default_factory=Profile)
    forced: bool = False
    well_formed: bool = False


class Record(NamedTuple):
    """One or more lines, and what both readings make of them.

    Attributes:
        kind: ``agreed``: both split one line alike. ``quoted``: fields in quotation marks hold delimiters or line ends.
            ``unquoted``: a line that splits into the columns only where marks are letters. ``merged``: several lines that can be
            read as quoted, one of which looks like a row of its own. ``broken``: a line that neither can read.
        start: number of the first line, from 1.
        lines: the lines with their ends.
        fields: as read as quoted; None where that fails.
        fault: why it does.
        encoding: bytes that are not UTF-8.
    """

    kind: str
    start: int
    lines: list[str]
    fields: list[str] | None
    fault: str | None
    encoding: Fault | None


def records_of(lines: Lines, delimiter: str, width: int, dialect: Dialect) -> Iterator[Record]:
    """The records of a file. Of one that cannot be read as quoted only the first line is taken: it may have swallowed good rows."""
    reader = csv_reader(lines, delimiter)
    while True:
        lines.begin_record()
        fault, fields = None, None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = explain(error)
        if fields == []:  # an empty line
            continue
        if fields is not None and len(fields) != width:
            fault = f"split into {len(fields)}, where the header has {width} columns"
        elif len(lines.taken) > 1 and not dialect.forced and _has_stray_marks(fields or (), lines.taken, delimiter):
            fault = "quotation marks inside a field that does not begin with one"
        if fault is not None:
            lines.give_back()
            kind = "unquoted" if _splits(lines.taken[0], delimiter, width) else "broken"
            yield Record(kind, lines.start, list(lines.taken), None, fault, lines.fault)
            continue
        taken = lines.taken
        if len(taken) == 1:
            kind = "agreed" if '"' not in taken[0] or taken[0].count(delimiter) == width - 1 else "quoted"
        else:
            kind = "merged" if _is_merged(taken, delimiter, width, dialect) else "quoted"
        yield Record(kind, lines.start, taken, fields, None, lines.fault)


def find_dialect(
    open_lines: Callable[[], Lines], delimiter: str, width: int, profile: Profile, *, forced: bool
) -> Dialect:
    """The dialect that all rows of a file together speak for.

    Args:
        open_lines: gives its lines after the header, anew at each call.
        delimiter, width: see :class:`~retrieval.tables.delimited.DelimitedTable`.
        profile: what its columns hold.
        forced: it is known to be quoted.
    """
    dialect = Dialect("quoted", profile=profile, forced=forced)
    if forced:
        return dialect
    lines = open_lines()
    found: Counter[str] = Counter()
    try:
        for record in records_of(lines, delimiter, width, dialect):
            found[
                "wrapped" if profile.wrapped and record.kind == "agreed" and '"' in record.lines[0] else record.kind
            ] += 1
            found["faults"] += record.fault is not None and '"' in record.lines[0]
    finally:
        lines.close()
    quoted, unquoted = found["quoted"] + found["wrapped"], found["unquoted"] + found["merged"]
    if not found["faults"] and quoted:  # what it takes for merged rows is a text that looks like them
        return Dialect("quoted", profile=profile, well_formed=True)
    if unquoted and not quoted:
        return Dialect("plain", careful=False)
    # A stray mark makes one row seem unquoted; hardly anything makes an unquoted row seem quoted.
    if unquoted >= _OUTWEIGHS * quoted and unquoted:
        return Dialect("plain", profile=profile)
    return Dialect("mixed" if unquoted > quoted else "quoted", profile=profile)


def is_doubtful(fields: Sequence[str], lines: Sequence[str], delimiter: str, profile: Callable[[], Profile]) -> bool:
    """Whether a row of several lines that can be read as quoted may be something else all the same.

    Args:
        fields: what it was split into, as many as the file has columns.
        lines: its lines.
        delimiter: what separates fields.
        profile: gives what the columns hold; asked only where a line splits into the columns.
    """
    least = len(fields) - 1
    if least == 0:
        return False
    if all(line.count(delimiter) == least for line in lines):
        return True
    if len(lines) > 2 and _follows_inside(lines, delimiter, least, profile):
        return True
    return _has_stray_marks(fields, lines, delimiter)


def csv_reader(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """A strict reader of quoted fields."""
    # The limit belongs to the whole process; it is only ever raised.
    if csv.field_size_limit() < MAX_FIELD:
        csv.field_size_limit(MAX_FIELD)
    return csv.reader(lines, delimiter=delimiter, strict=True)


def explain(error: csv.Error) -> str:
    """What is wrong with a row that cannot be split."""
    text = str(error)
    if "unexpected end" in text:
        return "a quoted field is never closed"
    if "field larger" in text:
        return f"a field is longer than {MAX_FIELD} characters; its closing quotation mark is probably missing"
    if "expected after" in text:
        return "a quoted field goes on after its closing quotation mark; double the marks inside it"
    return f"cannot be split into fields ({text})"


def _splits(line: str, delimiter: str, width: int) -> bool:
    return line.count(delimiter) == width - 1 and not line.isspace()


def _is_merged(lines: Sequence[str], delimiter: str, width: int, dialect: Dialect) -> bool:
    """Whether a record of several lines may be several rows that two stray quotation marks have joined.

    So it is where each line splits into the columns and those after the first look like rows, or where one inside does so
    beyond doubt.
    """
    if dialect.forced or width == 1:
        return False
    fitting = [line.count(delimiter) == width - 1 for line in lines]
    if all(fitting):
        split = (line.rstrip("\r\n").split(delimiter) for line in lines[1:])
        return all(map(dialect.profile.fits, split)) or not (dialect.profile.kinds and dialect.well_formed)
    return _follows_inside(lines, delimiter, width - 1, lambda: dialect.profile)


def _follows_inside(lines: Sequence[str], delimiter: str, least: int, profile: Callable[[], Profile]) -> bool:
    """Whether a line between the first and the last, without any quotation mark, is a row beyond doubt."""
    for line in lines[1:-1]:
        if line.count(delimiter) == least and '"' not in line:
            first = lines[0].split(delimiter)
            if profile().follows(line.rstrip("\r\n").split(delimiter), first, len(lines)):
                return True
    return False


def _has_stray_marks(fields: Sequence[str], lines: Sequence[str], delimiter: str) -> bool:
    """Whether a field that needs no quotation marks has one inside, and none around it: then any of them may be a letter."""
    text = ""
    for part in fields:
        if '"' in part and delimiter not in part and "\n" not in part and "\r" not in part:
            text = text or "".join(lines)
            if '"' + part.replace('"', '""') + '"' not in text:
                return True
    return False


def profile_of(lines: Lines, delimiter: str, width: int) -> Profile:
    """What the columns hold in the first rows that can be read as quoted."""
    counts: list[dict[str, int]] = [{} for _ in range(width)]
    wrapped, alike = [0] * width, 0
    for record in islice(records_of(lines, delimiter, width, Dialect("quoted", forced=True)), _SAMPLE):
        for place, part in enumerate(record.fields or ()):
            kind = _kind(part)
            counts[place][kind] = counts[place].get(kind, 0) + 1
        if record.kind == "agreed":
            alike += 1
            raw = record.lines[0].rstrip("\r\n").split(delimiter)
            for place, (text, part) in enumerate(zip(raw, record.fields or (), strict=True)):
                wrapped[place] += text != part
    kinds = {}
    for place, found in enumerate(counts):
        filled = sum(found.values()) - found.get("empty", 0)
        numbers, words = found.get("number", 0), found.get("word", 0)
        if filled < _FEWEST:
            continue
        if numbers >= _MOST * filled:
            kinds[place] = "number"
        elif numbers + words >= _MOST * filled:
            kinds[place] = "word"
    return Profile(kinds, wrapped=alike > 1 and max(wrapped) >= _MOST * alike)


def _kind(text: str) -> str:
    text = text.strip().strip('"')
    if not text:
        return "empty"
    if text.isdecimal():
        return "number"
    return "word" if len(text) <= _LONGEST_TOKEN and len(text.split()) == 1 else "text"
