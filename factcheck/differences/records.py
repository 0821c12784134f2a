"""What the package finds and says: values of a text, and how a claim's values stand to its evidence."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Difference", "Kind", "Relation", "Value"]


class Kind(StrEnum):
    """What a value is of."""

    NUMBER = "number"
    QUANTITY = "quantity"
    MONEY = "money"
    PERCENTAGE = "percentage"
    DATE = "date"
    TIME = "time"
    DURATION = "duration"
    ORDINAL = "ordinal"
    SCORE = "score"
    NAME = "name"
    NEGATION = "negation"
    HEDGE = "hedge"
    DIRECTION = "direction"
    ROLE = "role"


class Relation(StrEnum):
    """How a claim's value stands to the evidence.

    Members:
        EQUAL: the evidence says the same value, in whatever writing.
        COMPATIBLE: it says a value that the claim's allows: within its bound, its rounding, its decade.
        CONFLICTING: it says another value of the same thing, so that both cannot be true.
        ABSENT: it says no value of the same thing, or not surely so.
    """

    EQUAL = "equal"
    COMPATIBLE = "compatible"
    CONFLICTING = "conflicting"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a text.

    Attributes:
        kind: what it is of; a number, a date, … or a name.
        start, end: characters in the text, end exclusive.
        text: these characters.
        low, high: the values that it allows, ends included unless ``open_low`` or ``open_high``; equal for an exact one. In the
            base unit (metres, kilograms, seconds, …), fractions and percentages in percent, times in minutes of the day,
            years as numbers; a score's two sides; 0 for a name.
        unit: the base unit, a currency's code, ``""`` for a bare number; what the parts mean for a date.
        written_unit: the unit as written, which says whether a conversion lies between two values.
        step: how fine it is said, in the base unit: half of it is the rounding it allows. 0 where it is exact.
        about: said with "about", "some", "nearly".
        parts: year, month and day of a date, None where it is not said.
        of: stems of the words that follow a number, among them what it counts.
        at: its first and one past its last token in its sentence.
    """

    kind: Kind
    start: int
    end: int
    text: str
    low: float = 0.0
    high: float = 0.0
    open_low: bool = False
    open_high: bool = False
    unit: str = ""
    written_unit: str = ""
    step: float = 0.0
    about: bool = False
    parts: tuple[int | None, int | None, int | None] | None = None
    of: tuple[str, ...] = ()
    at: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of a claim beside the evidence; the fields are those of the verdict table's ``differences``.

    Attributes:
        kind, relation: what the value is of, and how it stands to the evidence.
        claim_start, claim_end, claim_value: characters of the claim, and these as text.
        sentence: index of the evidence sentence that says the other value, from 0; None where ``relation`` is absent.
        start, end, value: characters of that sentence, and these as text; None likewise.
    """

    kind: Kind
    relation: Relation
    claim_start: int
    claim_end: int
    claim_value: str
    sentence: int | None = None
    start: int | None = None
    end: int | None = None
    value: str | None = None
