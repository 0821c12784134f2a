"""Whether a delimited file quotes its fields, where its quotation marks alone do not say: by what its lines look like."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from retrieval.tables.lines import Lines
from retrieval.tables.profile import CERTAIN, LIKELY, Profile, Sample, profile_of
from retrieval.tables.rows import Fault

__all__ = [
    "MAX_FIELD",
    "OUTWEIGHS",
    "WHOLLY",
    "Dialect",
    "Record",
    "columns_of",
    "csv_reader",
    "explain",
    "find_dialect",
    "is_doubtful",
    "misfit",
    "records_of",
]

#: One field may be this long, in characters. Documents of megabytes exist; beyond this a closing quotation mark is missing.
MAX_FIELD = 64 * 2**20
#: The unquoted reading is chosen where it has so many times the evidence of the other.
OUTWEIGHS = 10
# Marks are trusted to quote where they do so beyond doubt so many times as often as they cannot.
_TRUSTED = 5
#: See :attr:`Dialect.trust`.
_NEARLY, WHOLLY, _SOUND = 1, 2, 3
# Rows looked at for what the columns hold.
_SAMPLE = 300


@dataclass(frozen=True)
class Dialect:
    """How a file is read from the first row on that its two readings may see differently.

    Attributes:
        reading: ``quoted``, ``plain`` (marks are letters), or ``mixed``: rows that the two read differently are not read.
        careful: whether each row has to be looked at, see :func:`records_of`.
        profile: what its columns hold.
        forced: the user has said that fields are quoted.
        trust: how far the marks of rows that can be read as quoted are trusted to quote: 0 (not beyond doubt), :data:`_NEARLY` (hardly
            a row cannot be read so), :data:`WHOLLY` (none), :data:`_SOUND` (none, and there are many).
    """

    reading: str
    careful: bool = True
    profile: Profile = field(default_factory=Profile)
    forced: bool = False
    trust: int = 0

    @property
    def keeps(self) -> tuple[str, ...]:
        """Kinds of records that are read as quoted."""
        if self.reading != "quoted":
            return ()
        return ("quoted", "doubtful") if self.trust else ("quoted",)


class Record(NamedTuple):
    """One or more lines, and what both readings make of them.

    Attributes:
        kind: ``agreed``: both split one line alike. ``quoted``: fields in quotation marks hold delimiters or line ends.
            ``unquoted``: a line that splits into the columns only where marks are letters. ``merged``: several lines that can be
            read as quoted, one of which looks like a row of its own. ``doubtful``: the same, where it may as well be chance.
            ``broken``: a line that neither can read.
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
            fault = misfit(len(fields), width)
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
            kind = _kind_of_several(fields or (), taken, delimiter, width, dialect)
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
            kind = record.kind
            if kind == "agreed" and '"' in record.lines[0] and (profile.wrapped or _has_doubled_marks(record)):
                kind = "written"
            found[kind] += 1
            found["torn"] += kind == "doubtful" and record.lines[0].count(delimiter) != width - 1
            found["faults"] += record.fault is not None and '"' in record.lines[0]
    finally:
        lines.close()
    quoted, unquoted = found["quoted"] + found["written"], found["unquoted"] + found["merged"]
    if not found["faults"] and quoted:  # what it takes for merged rows is a text that looks like them
        trust = _SOUND if quoted >= OUTWEIGHS * found["merged"] else WHOLLY
        return Dialect("quoted", profile=profile, trust=trust)
    if unquoted and not quoted:
        if unquoted >= OUTWEIGHS * found["torn"]:
            return Dialect("plain", careful=False)
        return Dialect("mixed", profile=profile)  # by itself the first line of a torn row would be none
    # A stray mark makes one row seem unquoted; hardly anything makes an unquoted row seem quoted.
    if unquoted >= OUTWEIGHS * quoted and unquoted:
        return Dialect("plain", profile=profile)
    sure = quoted >= _TRUSTED * found["faults"] and (quoted or not found["broken"])
    trust = _NEARLY if sure else 0
    return Dialect("mixed" if unquoted > quoted else "quoted", profile=profile, trust=trust)


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
        return True
    if lines[0].count(delimiter) == least and all(line.count(delimiter) == least for line in lines):
        return True
    if _has_stray_marks(fields, lines, delimiter) or profile().opening(lines, delimiter, fields[0]):
        return True
    if profile().needs_ids:
        return False
    if len(lines) > 2 and _follows_inside(lines, delimiter, least, profile):
        return True
    return _some_split(lines, delimiter, least, profile)


def misfit(fields: int, width: int) -> str:
    """What is wrong with a row of more or fewer fields than columns."""
    return f"split into {fields}, where the header has {width} column{'s' * (width != 1)}"


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


def _has_doubled_marks(record: Record) -> bool:
    """Whether a line has marks around a field and doubled ones in it, as hardly anything but a program that quotes writes it."""
    return any('"' in part and _quoted(part) in record.lines[0] for part in record.fields or ())


def _splits(line: str, delimiter: str, width: int) -> bool:
    return line.count(delimiter) == width - 1 and not line.isspace()


def _kind_of_several(fields: Sequence[str], lines: Sequence[str], delimiter: str, width: int, dialect: Dialect) -> str:
    """Whether a record of several lines is ``quoted``, or several rows that two stray quotation marks have ``merged``.

    Merged it is where a line after the first begins with an id beyond doubt, where each line splits into the columns and
    those after the first look like rows, or where one inside does so beyond doubt. ``doubtful`` it is where that may be chance.
    """
    if dialect.forced:
        return "quoted"
    if width == 1:
        return "quoted" if dialect.trust else "merged"
    profile = dialect.profile
    opening = profile.opening(lines, delimiter, fields[0])
    if opening == CERTAIN:
        return "merged"
    exact = all(line.count(delimiter) == width - 1 for line in lines)
    if opening >= LIKELY:
        merged = True
    elif profile.needs_ids and not opening:
        merged = False  # no line can be a row
    elif exact:
        fits = all(profile.fits(line.rstrip("\r\n").split(delimiter)) for line in lines[1:])
        merged = fits or (not profile.needs_ids and not (profile.kinds and dialect.trust >= WHOLLY))
    else:
        merged = _follows_inside(lines, delimiter, width - 1, lambda: profile)
    if merged:
        return "doubtful" if dialect.trust == _SOUND else "merged"
    return "doubtful" if exact or opening or _some_split(lines, delimiter, width - 1, lambda: profile) else "quoted"


def _some_split(lines: Sequence[str], delimiter: str, least: int, profile: Callable[[], Profile]) -> bool:
    """Whether a line after the first splits into at least the columns, and nothing says that it is no row."""
    return any(
        line.count(delimiter) >= least and profile().may_open_and_close(line.rstrip("\r\n").split(delimiter), least + 1)
        for line in lines[1:]
    )


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
            if _quoted(part) not in text:
                return True
    return False


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'


def columns_of(lines: Lines, delimiter: str, width: int) -> Profile:
    """What the columns hold in the first rows that can be read as quoted."""
    records = islice(records_of(lines, delimiter, width, Dialect("quoted", forced=True)), _SAMPLE)
    return profile_of(
        (
            Sample(record.fields, record.lines[0].rstrip("\r\n") if record.kind == "agreed" else None)
            for record in records
            if record.fields
        ),
        delimiter,
        width,
    )
