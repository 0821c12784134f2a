"""Plain numbers at a place in a sentence, in digits or words, with their magnitude."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from factcheck.differences.lexicon import MAGNITUDES, NUMBER_WORDS, STOPWORDS, word_set
from factcheck.differences.tokens import Token
from factcheck.differences.units import CURRENCY_PREFIXES

__all__ = ["DASHES", "Amount", "counts", "is_named", "is_tight", "magnitude_at", "read_amount", "read_digits"]

DASHES = frozenset("-–—‐‑‒−")
# Grouped in the Western and the Indian way, and with stops (where only two groups or more are surely no decimals).
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")
_STOPPED = re.compile(r"\d{1,3}(?:\.\d{3}){2,}")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
#: Longer ones are serial numbers, addresses, keys.
_MOST_CHARS = 20
_SHORT = {"k": 1e3, "m": 1e6, "b": 1e9, "bn": 1e9, "mn": 1e6, "tn": 1e12, "t": 1e12}
_LARGE = word_set("hundred thousand million billion trillion dozen")
#: Before a dash these are no part of an identifier.
_OPEN_PREFIXES = word_set("mid early late pre post under over")


@dataclass(slots=True)
class Amount:
    """A number without its unit.

    Attributes:
        value: what it says.
        step: worth of its last digit where it looks rounded ("2 million", "1.5", "1,200"), else 0.
        stop: one past its last token.
        words: whether it is written in words.
        magnitude: whether "million" or the like belongs to it.
    """

    value: float
    step: float
    stop: int
    words: bool = False
    magnitude: bool = False


def read_amount(tokens: Sequence[Token], i: int) -> Amount | None:
    """The number that begins at token ``i``; None where none does."""
    token = tokens[i]
    if token.is_digits:
        if i and tokens[i - 1].text == "." and is_tight(tokens, i):
            return _fractional(tokens, i)
        return None if i and _glued(tokens, i) else read_digits(tokens, i)
    if token.low in NUMBER_WORDS:
        return _words(tokens, i)
    if token.low in ("a", "an"):
        return _words(tokens, i) if i + 1 < len(tokens) and tokens[i + 1].low in _LARGE else None
    if token.low == "half" and i + 2 < len(tokens) and tokens[i + 1].low == "a" and tokens[i + 2].low in MAGNITUDES:
        factor = MAGNITUDES[tokens[i + 2].low]
        return Amount(factor / 2, factor / 10, i + 3, True, True)
    return None


def read_digits(tokens: Sequence[Token], i: int) -> Amount | None:
    """The number at a token of digits, whatever it is glued to on the left."""
    raw = tokens[i].text
    if len(raw) > _MOST_CHARS or (len(raw) > 1 and raw[0] == "0" and raw[1].isdecimal()):
        return None
    if _PLAIN.fullmatch(raw):
        text = raw
    elif _GROUPED.fullmatch(raw):
        text = raw.replace(",", "")
    elif _STOPPED.fullmatch(raw):
        text = raw.replace(".", "")
    else:
        return None
    decimals, stop = len(text.partition(".")[2]), i + 1
    if len(text) <= 3 and text.isdecimal() and (loose := _loose_group(tokens, stop)) is not None:
        text, stop = text + loose[0], loose[1]
    factor, stop = magnitude_at(tokens, stop)
    if factor == 1:
        return Amount(float(text), 10.0**-decimals if decimals else _round_step(text), stop)
    return Amount(float(text) * factor, 10.0**-decimals * factor, stop, magnitude=True)


def _fractional(tokens: Sequence[Token], i: int) -> Amount | None:
    """ ".297" """
    text = tokens[i].text
    if not text.isdecimal() or len(text) > 6 or (i > 1 and is_tight(tokens, i - 1) and not tokens[i - 2].is_word):
        return None
    return Amount(float("0." + text), 10.0 ** -len(text), i + 1)


def _loose_group(tokens: Sequence[Token], i: int) -> tuple[str, int] | None:
    """The last three digits of "13, 000" and "13 000", as some tokenizers and some countries set them; and where they end."""
    if i + 1 < len(tokens) and tokens[i].text == "," and is_tight(tokens, i):
        group, spaced = i + 1, tokens[i + 1].start - tokens[i].end == 1
        wanted = "00"
    else:
        group, spaced = i, i < len(tokens) and tokens[i].start - tokens[i - 1].end == 1
        wanted = "000"
    if (
        not spaced
        or len(tokens[group].text) != 3
        or not tokens[group].text.isdecimal()
        or not tokens[group].text.endswith(wanted)
    ):
        return None
    return tokens[group].text, group + 1


def magnitude_at(tokens: Sequence[Token], i: int) -> tuple[float, int]:
    """The magnitude behind a number in digits ("million", "-million", "bn", "k"), 1 where there is none; and where it ends."""
    if i >= len(tokens):
        return 1.0, i
    token = tokens[i]
    if (factor := MAGNITUDES.get(token.low.removesuffix("s"))) is not None:
        return factor, i + 1
    if token.low in DASHES and i + 1 < len(tokens) and tokens[i + 1].low in MAGNITUDES:
        return MAGNITUDES[tokens[i + 1].low], i + 2
    if token.start == tokens[i - 1].end and token.low in _SHORT and (token.low != "m" or _means_million(tokens, i)):
        return _SHORT[token.low], i + 1
    return 1.0, i


def _means_million(tokens: Sequence[Token], m: int) -> bool:
    """Whether the "m" glued to a number means millions, not metres: by a currency before it or a plural after it."""
    if m > 1 and tokens[m - 2].low in CURRENCY_PREFIXES:
        return True
    return counts(tokens, m + 1) and (tokens[m + 1].low.endswith("s") or tokens[m + 1].low == "people")


def _glued(tokens: Sequence[Token], i: int) -> bool:
    """Whether a number is part of an identifier: COVID-19, F16, #5, 24/7, v1.2."""
    before = tokens[i - 1]
    if before.end != tokens[i].start:
        return before.text == "/"
    if before.is_word:
        return before.low not in CURRENCY_PREFIXES
    if before.text in "#@/_\\&=":
        return True
    if before.text in DASHES and i > 1 and is_tight(tokens, i - 1):
        return (tokens[i - 2].is_word and tokens[i - 2].low not in _OPEN_PREFIXES) or tokens[i - 2].text.startswith("0")
    return False


def is_tight(tokens: Sequence[Token], i: int) -> bool:
    """Whether no space stands before token ``i``."""
    return i > 0 and tokens[i].start == tokens[i - 1].end


def is_named(tokens: Sequence[Token], i: int) -> bool:
    """Whether a number or place in words is part of a name: capitalised within a sentence, or before a capital ("One Direction")."""
    token = tokens[i]
    if not token.is_cap or (token.text.isupper() and len(token.text) > 1):
        return False
    return (i > 0 and tokens[i - 1].is_word) or (i + 1 < len(tokens) and tokens[i + 1].is_cap)


def counts(tokens: Sequence[Token], i: int) -> bool:
    """Whether token ``i`` is a word that may be counted."""
    return i < len(tokens) and tokens[i].is_word and tokens[i].low not in STOPWORDS


def _round_step(digits: str) -> float:
    """Of a whole number: worth of its last digit but zeros where two or more zeros follow (a round number), else 0."""
    zeros = len(digits) - len(digits.rstrip("0"))
    return 10.0**zeros if 2 <= zeros < len(digits) else 0.0


def _words(tokens: Sequence[Token], i: int) -> Amount | None:
    """ "two hundred and fifty thousand", "twenty-five", "a dozen", "1" in words: groups below ever smaller magnitudes."""
    total = current = 0.0
    largest, magnitude, started = math.inf, False, False
    j = i
    while j < len(tokens):
        word = tokens[j].low
        if word in ("a", "an") and not started:
            current = 1.0
        elif word in NUMBER_WORDS and not (started and _is_full(current, NUMBER_WORDS[word])):
            current += NUMBER_WORDS[word]
        elif word == "hundred" and 0 < current < 100:
            current, magnitude = current * 100, True
        elif word in MAGNITUDES and current and MAGNITUDES[word] < largest:
            largest = MAGNITUDES[word]
            total, current, magnitude = total + current * largest, 0.0, True
        elif word == "dozen" and current and not magnitude:
            return Amount(current * 12, 0.0, j + 1, True)
        elif word == "and" and current and _half_follows(tokens, j):
            factor = MAGNITUDES.get(tokens[j + 3].low, 1.0) if j + 3 < len(tokens) else 1.0
            return Amount((current + 0.5) * factor, factor / 10, j + 3 + (factor > 1), True, factor > 1)
        elif not _goes_on(tokens, j, current, magnitude):
            break
        started = True
        j += 1
    step = (largest if largest < math.inf else 100.0) if magnitude and not current % 100 else 0.0
    return Amount(total + current, step, j, True, magnitude)


def _half_follows(tokens: Sequence[Token], j: int) -> bool:
    """ "and a half" at token ``j``."""
    return j + 2 < len(tokens) and tokens[j + 1].low == "a" and tokens[j + 2].low == "half"


def _is_full(current: float, following: float) -> bool:
    """Whether a number word cannot go on with another: "three four", "twenty eleven"."""
    tens = current % 100
    return tens != 0 and not (tens >= 20 and tens % 10 == 0 and 0 < following < 10)


def _goes_on(tokens: Sequence[Token], j: int, current: float, magnitude: bool) -> bool:
    """Whether a number in words goes on behind "and" (after "hundred" or the like) or a hyphen at token ``j``."""
    if not ((magnitude and tokens[j].low == "and") or (tokens[j].text in DASHES and is_tight(tokens, j))):
        return False
    following = tokens[j + 1].low if j + 1 < len(tokens) else ""
    return following in NUMBER_WORDS and not _is_full(current, NUMBER_WORDS[following])
