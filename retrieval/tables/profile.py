"""What the columns of a delimited table hold: by that a line within quotation marks is told from a row of its own."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

__all__ = ["CERTAIN", "LIKELY", "POSSIBLE", "Identifiers", "Profile", "Sample", "profile_of"]

#: How sure it is that lines begin with ids.
POSSIBLE, LIKELY, CERTAIN = 1, 2, 3
_LONGEST_TOKEN = 64
# A column is of a kind if so much of what it holds is: some rows of the sample may be broken.
_MOST = 0.95
_MOST_IDS = 0.8
# Of fewer rows nothing is concluded.
_FEWEST = 3
# Ids of so many digits are hardly met by chance at the beginning of a line.
_MANY_DIGITS = 5
_HASH_LENGTH = 8
# Fewer numbers may ascend by chance, and fewer hashes may seem to be of some few forms.
_FEW_IDS = 6
# Ids may be of some few forms, as train-17 and dev-3; each has to come again.
_FORMS = 4
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[0-9A-Za-z]")


class Sample(NamedTuple):
    """A record of the sample: its fields, and the line that both readings split alike, or None."""

    fields: Sequence[str]
    line: str | None


@dataclass(frozen=True)
class Identifiers:
    """What the values of the first column look like, where they look alike: numbers, or letters and digits in a form.

    Attributes:
        forms: with 0 for each run of digits, or with ``a`` for each letter and digit of a hash; empty for numbers.
        digits: of numbers: fewest and most digits.
        step: of numbers that ascend: the largest step from one to the next; 0 if they do not.
        few: whether there were too few to tell by them that they ascend, or that they have a form.
    """

    forms: frozenset[str] = frozenset()
    digits: tuple[int, int] = (0, 0)
    step: int = 0
    few: bool = False
    _heads: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        letters = {form[0] for form in self.forms} or {"0"}
        known = {"0": r"\d", "a": "0-9A-Za-z"}
        one_of = "".join(sorted(known.get(letter, re.escape(letter)) for letter in letters))
        # White space may stand before an id; a line that begins with its end is blank.
        object.__setattr__(self, "_heads", re.compile(rf"[{one_of}]|[^\S\r\n]"))

    def opening(self, lines: Sequence[str], delimiter: str, first: str) -> int:
        """Whether lines after the first of a record begin with ids: 0, :data:`POSSIBLE`, :data:`LIKELY` or :data:`CERTAIN`.

        In a form one is enough. A number may begin a line of a text as well, a list's: all have to, and to follow the record's own.
        """
        # An id begins no line that begins with another letter or mark, as nearly all lines of texts do: most records end here.
        if not self._heads.search("".join([line[:1] for line in lines[1:]])):
            return 0
        others = [line for line in lines[1:] if not line.isspace()]
        found = [self._opens(line, delimiter, first, place) for place, line in enumerate(others, 1)]
        surest = max(found, default=0)
        if self.forms or not surest:
            return surest
        if not all(found):
            return POSSIBLE
        return max(surest, LIKELY if len(found) > 1 else POSSIBLE)

    def _opens(self, line: str, delimiter: str, first: str, place: int) -> int:
        end = line.find(delimiter, 0, _LONGEST_TOKEN + 1)
        text = line[:end].strip()
        if end < 0 or not text or '"' in text:
            return 0
        if self.forms:
            return CERTAIN if _has_digit(text) and not self.forms.isdisjoint(_forms(text)) else 0
        if not text.isdecimal():
            return 0
        if self.step and first.isdecimal():
            if 0 < int(text) - int(first) <= self.step * place:
                return CERTAIN
            if not self.few:
                return 0
        fewest, most = self.digits
        if len(text) > most or (len(text) < fewest == most):
            return 0
        return CERTAIN if self.digits[0] >= _MANY_DIGITS else POSSIBLE


@dataclass(frozen=True)
class Profile:
    """What the columns of a table hold, by rows that both readings split alike: numbers, single words, or any text.

    A line of a quoted text may by chance have as many delimiters as a row; it will hardly have a number in the place of ids.

    Attributes:
        kinds: place of a column to ``number`` or ``word``; columns of free text and empty ones are not there.
        wrapped: whether some column stands in quotation marks in nearly every row, as programs write that quote all fields.
        ids: what the first column looks like; None where its values differ in that.
    """

    kinds: dict[int, str] = field(default_factory=dict)
    wrapped: bool = False
    ids: Identifiers | None = None

    @property
    def needs_ids(self) -> bool:
        """Whether a line that begins with no id is no row. A word or two with a digit may be a text's beginning, a number hardly."""
        return self.ids is not None and not (self.ids.few and self.ids.forms)

    def fits(self, fields: Sequence[str]) -> bool:
        """Whether fields look like a row; False where no column tells."""
        return bool(self.kinds) and self.allows(fields)

    def allows(self, fields: Sequence[str]) -> bool:
        """Whether nothing says that fields are not a row."""
        return all(kind_of(fields[place]) in ("empty", kind, "number") for place, kind in self.kinds.items()) and (
            not self.kinds or any(kind_of(fields[place]) != "empty" for place in self.kinds)
        )

    def may_open_and_close(self, fields: Sequence[str], width: int) -> bool:
        """Whether nothing says that at least ``width`` fields are not a row with delimiters in its texts: its two ends tell."""
        ends = ((0, fields[0]), (width - 1, fields[-1]))
        if self.needs_ids and 0 not in self.kinds:
            return False  # what opens a line as an id does is found by that
        return all(kind_of(text) in (self.kinds[place], "number") for place, text in ends if place in self.kinds)

    def follows(self, fields: Sequence[str], first: Sequence[str], lines: int) -> bool:
        """Whether fields are a row beyond doubt: two columns tell, or a number is one of those after that of the first line."""
        if not self.fits(fields):
            return False
        numbers = [place for place, kind in self.kinds.items() if kind == "number" and place < len(first)]
        after = (int(fields[p]) - int(first[p]) for p in numbers if fields[p].isdecimal() and first[p].isdecimal())
        return len(self.kinds) > 1 or any(0 < step < lines for step in after)

    def opening(self, lines: Sequence[str], delimiter: str, first: str) -> int:
        """See :meth:`Identifiers.opening`."""
        return 0 if self.ids is None else self.ids.opening(lines, delimiter, first)


def profile_of(samples: Iterable[Sample], delimiter: str, width: int) -> Profile:
    """What the columns hold in the first rows that can be read as quoted."""
    counts: list[Counter[str]] = [Counter() for _ in range(width)]
    wrapped, alike = [0] * width, 0
    first = []
    for fields, line in samples:
        first.append(fields[0].strip())
        for place, part in enumerate(fields):
            counts[place][kind_of(part)] += 1
        if line is not None:
            alike += 1
            for place, (text, part) in enumerate(zip(line.split(delimiter), fields, strict=True)):
                wrapped[place] += text != part
    kinds = {}
    for place, found in enumerate(counts):
        filled = found.total() - found["empty"]
        if filled < _FEWEST:
            continue
        if found["number"] >= _MOST * filled:
            kinds[place] = "number"
        elif found["number"] + found["word"] >= _MOST * filled:
            kinds[place] = "word"
    return Profile(kinds, alike > 1 and max(wrapped) >= _MOST * alike, _identifiers([text for text in first if text]))


def _identifiers(values: Sequence[str]) -> Identifiers | None:
    """What ids look like, from some of them; of those that only are words nothing can be said."""
    most, few = _MOST_IDS * len(values), len(values) < _FEW_IDS
    if not values or len(set(values)) < most:
        return None
    numbers = [int(text) for text in values if text.isdecimal() and len(text) <= _LONGEST_TOKEN]
    if len(numbers) >= most:
        steps = [b - a for a, b in pairwise(numbers)]
        up = sorted(step for step in steps if step > 0)
        usual = up[: max(1, round(_MOST * len(up)))]  # a row too many or too few makes a leap
        lengths = [len(str(number)) for number in numbers]
        ascending = len(up) >= _MOST_IDS * len(steps)
        step = max(usual, default=1) if ascending else 0
        return Identifiers(digits=(min(lengths), max(lengths)), step=step, few=few)
    told = [_forms(text) for text in values if _has_digit(text) and kind_of(text) == "word"]
    found: set[str] = set()
    several = _FORMS if few else min(_FORMS, len(values) // _FEWEST)
    for forms in (
        Counter(digits for digits, _ in told),
        Counter(hashed for _, hashed in told if len(hashed) >= _HASH_LENGTH),
    ):
        common = dict(forms.most_common(several))
        if common and sum(common.values()) >= most and (not found or few):
            found.update(common)
    return Identifiers(frozenset(found), few=few) if found else None


def _forms(text: str) -> tuple[str, str]:
    """An id with 0 for each run of digits, and with ``a`` for each letter and digit."""
    return _DIGITS.sub("0", text), _LETTERS.sub("a", text)


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def kind_of(text: str) -> str:
    """Whether a field is ``empty``, a ``number``, a single ``word``, or ``text``."""
    text = text.strip().strip('"')
    if not text:
        return "empty"
    if text.isdecimal():
        return "number"
    return "word" if len(text) <= _LONGEST_TOKEN and len(text.split()) == 1 else "text"
