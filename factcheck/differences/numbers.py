"""Numbers of a sentence with their units: quantities, money, percentages, ranges and scores."""

from collections.abc import Sequence
from dataclasses import replace

from factcheck.differences.amounts import (
    DASHES,
    Amount,
    counts,
    is_named,
    is_tight,
    magnitude_at,
    read_amount,
    read_digits,
)
from factcheck.differences.bounds import following, is_bound, with_bound
from factcheck.differences.compounds import joined
from factcheck.differences.lexicon import LABELLED, STOPWORDS, word_set
from factcheck.differences.records import Kind, Value
from factcheck.differences.shares import read_fraction, read_ordinal
from factcheck.differences.tokens import Token, stems
from factcheck.differences.units import CURRENCY_PREFIXES, UNITS, Unit

__all__ = ["find_amounts"]

#: Stems before "a week" that say how long something was; elsewhere "a week" is a rate or a date.
_LASTING = stems("for last take within in after over about almost nearly than exactly only under spend")
_RATE = word_set("a an per / each every")
#: Units that are read only where they are glued to the number, and those that are also read in capitals.
_GLUED = word_set("s h w t")
_NEVER_BARE = word_set("won real reais rand pp sterling rs")
_CAPITALS = word_set("KM MW GW KW GB MB TB KG MPH KWH")
#: Words that begin a headline or a sentence right before a number that is no label.
_VERBLIKE = word_set("only just exactly nearly almost about around over some these those all population total")
#: What follows "3-1" where it is a score, and no range.
_SCORED = word_set(
    "overall win wins victory loss defeat record draw aggregate lead scoreline final result in on against at"
)
_MOST_BACK = 6
_HIGHEST_SCORE = 200


def find_amounts(tokens: Sequence[Token], taken: Sequence[bool], text: str) -> list[Value]:
    """The numbers, quantities, amounts of money, percentages, ordinals and scores outside the tokens ``taken`` (by dates)."""
    values: list[Value] = []
    i, count = 0, len(tokens)
    while i < count:
        found = None
        if not taken[i] and (tokens[i].is_digits or tokens[i].is_word):
            found = read_ordinal(tokens, i, text) or read_fraction(tokens, i, text) or _value_at(tokens, i, text, taken)
        if found is None:
            i += 1
            continue
        values.append(found)
        i = found.at[1]
    return joined(values, tokens, text)


def _value_at(tokens: Sequence[Token], i: int, text: str, taken: Sequence[bool]) -> Value | None:
    amount = read_amount(tokens, i)
    if amount is None:
        return _one_unit(tokens, i, text)
    unit, stop = _unit_after(tokens, amount.stop, amount)
    first = i
    if i and not taken[i - 1] and (before := _currency_before(tokens, i)) is not None:
        unit, first = before
    if unit is None and not _is_number(tokens, i, stop, amount):
        return None
    if unit is None and (_is_code(tokens, stop) or (stop < len(tokens) and tokens[stop].text == "/")):
        return None
    span = _range_end(tokens, stop, amount, unit)
    if span is None:
        score = _score(tokens, stop, amount, unit)
        if score is not None and not is_bound(tokens, first):
            return _make(tokens, (first, score[1]), text, Kind.SCORE, amount.value, score[0], Unit("score", "score"))
        value = _make(tokens, (first, stop), text, Kind.NUMBER, amount.value, amount.value, unit, amount.step)
        value = _with_rate(tokens, value)
        return with_bound(tokens, first, value.at[1], text, value)
    low, high, stop, unit = span
    return _make(tokens, (first, stop), text, Kind.NUMBER, low, high, unit, amount.step)


def _make(
    tokens: Sequence[Token],
    at: tuple[int, int],
    text: str,
    kind: Kind,
    low: float,
    high: float,
    unit: Unit | None,
    step: float = 0.0,
) -> Value:
    begin, end = tokens[at[0]].start, tokens[at[1] - 1].end
    counted = following(tokens, at[1])
    if unit is None:
        return Value(kind, begin, end, text[begin:end], low, high, step=step, of=counted, at=at)
    return Value(
        kind if kind is Kind.SCORE else unit.kind, begin, end, text[begin:end], low * unit.factor + unit.offset,
        high * unit.factor + unit.offset, unit=unit.base, written_unit=unit.name, step=step * unit.factor, of=counted, at=at,
    )  # fmt: skip


def _is_number(tokens: Sequence[Token], i: int, stop: int, amount: Amount) -> bool:
    """Whether what was read is a number of something, and no part of "3D", "4x4", "Apollo 11" or "no one"."""
    if stop < len(tokens) and is_tight(tokens, stop) and (tokens[stop].is_word or tokens[stop].text in "_/"):
        return False
    if amount.words and (is_named(tokens, i) or (i > 1 and tokens[i - 1].text in DASHES and is_tight(tokens, i))):
        return False  # "One Direction", "high-five"
    if tokens[i].low == "one":
        if tokens[i].end - tokens[i].start > 3:
            return False  # one's
        return stop > i + 1 or (counts(tokens, stop) and not (i and tokens[i - 1].low == "no"))
    if _is_tight_dash(tokens, stop) and tokens[stop + 1].is_word and not tokens[stop + 1].text.islower():
        return False  # 2019-nCoV
    if not tokens[i].is_digits or i == 0:
        return True
    before = tokens[i - 1]
    dashed = _is_tight_dash(tokens, stop)  # a score, or part of a code
    if before.low in LABELLED:
        return dashed or counts(tokens, stop)
    return dashed or not (before.is_word and before.is_cap) or before.low in STOPWORDS or before.low in _VERBLIKE


def _is_code(tokens: Sequence[Token], stop: int) -> bool:
    """Whether "550-802" or "16000-16132" goes on: years, codes, telephone numbers, with nothing counted."""
    if not _is_tight_dash(tokens, stop):
        return False
    other = tokens[stop + 1]
    return other.text.isdecimal() and len(other.text) > 2 and not counts(tokens, stop + 2)


def _is_tight_dash(tokens: Sequence[Token], i: int) -> bool:
    """Whether token ``i`` is a dash without spaces around it."""
    return i + 1 < len(tokens) and tokens[i].text in DASHES and is_tight(tokens, i) and is_tight(tokens, i + 1)


def _currency_before(tokens: Sequence[Token], i: int) -> tuple[Unit, int] | None:
    """A currency before a number ("$5", "US$5", "EUR 5"), and where it begins."""
    sign = tokens[i - 1]
    if sign.low not in CURRENCY_PREFIXES:
        return None
    if (
        sign.text == "$"
        and i > 1
        and is_tight(tokens, i - 1)
        and (unit := UNITS.get(tokens[i - 2].low + "$")) is not None
    ):
        return unit, i - 2
    return UNITS[sign.low], i - 1


def _unit_after(tokens: Sequence[Token], stop: int, amount: Amount) -> tuple[Unit | None, int]:
    """The unit behind a number, of up to three words, with or without a hyphen; and where it ends."""
    j = stop
    if (j + 1 < len(tokens) and tokens[j].text in DASHES and is_tight(tokens, j) and tokens[j + 1].is_word) or (
        amount.magnitude and j < len(tokens) and tokens[j].low == "of"
    ):
        j += 1
    for length in (3, 2, 1):
        if j + length > len(tokens):
            continue
        name = "_".join(token.low for token in tokens[j : j + length])
        name = name.replace("_/_", "/").replace("°_", "°").replace("˚_", "˚")
        unit = UNITS.get(name)
        if unit is None or (length == 1 and not _is_unit(tokens, j)):
            continue
        if name in ("pounds", "pound") and amount.magnitude and amount.value >= 1e5:
            unit = UNITS["gbp"]
        return unit, j + length
    return None, stop


def _is_unit(tokens: Sequence[Token], j: int) -> bool:
    """Whether a word that may be a unit is one here: not the S of "4 S", the "won" of "3 won", the "second" of "5 second"."""
    token = tokens[j]
    if token.text.isupper() and token.text.isalpha() and token.text not in _CAPITALS and len(token.text) <= 2:
        return False
    if token.low == "s" and (tokens[j - 1].text.endswith("0") or (j > 1 and tokens[j - 2].text in DASHES)):
        return False  # in his 60s, the 40s, the under-21s
    if token.low == "cent" and token.is_cap:
        return False  # the rapper
    if token.low in _NEVER_BARE or (token.low in _GLUED and not is_tight(tokens, j)):
        return False
    return not (
        token.low in ("second", "minute")
        and not (tokens[j - 1].text in DASHES or tokens[j - 1].low in ("one", "1", "a"))
    )


def _with_rate(tokens: Sequence[Token], value: Value) -> Value:
    """A quantity per time: "5 litres a day", "$10 per hour" have their own unit."""
    stop = value.at[1]
    if not value.unit or value.unit == "%" or stop + 1 >= len(tokens) or tokens[stop].low not in _RATE:
        return value
    per = UNITS.get(tokens[stop + 1].low)
    if per is None or per.kind is not Kind.DURATION:
        return value
    return replace(value, unit=f"{value.unit}/{per.name}", written_unit=f"{value.written_unit}/{per.name}")


def _range_end(
    tokens: Sequence[Token], stop: int, amount: Amount, unit: Unit | None
) -> tuple[float, float, int, Unit | None] | None:
    """Both ends, the stop and the unit of "5-7 km", "between 5 and 7", "5 to 7 million"; None where there is one value."""
    if stop + 1 >= len(tokens):
        return None
    joiner, dashed = tokens[stop].low, tokens[stop].text in DASHES
    opener = _opener(tokens, stop) if joiner in ("and", "to") else ""
    if not (
        dashed or joiner == "or" or (joiner == "to" and opener != "from") or (joiner == "and" and opener == "between")
    ):
        return None
    begin = stop + 1 + (tokens[stop + 1].low in CURRENCY_PREFIXES)
    if begin >= len(tokens):
        return None
    other = read_digits(tokens, begin) if tokens[begin].is_digits else read_amount(tokens, begin)
    if other is None:
        return None
    end_unit, end = _unit_after(tokens, other.stop, other)
    if unit is not None and end_unit is not None and end_unit.base != unit.base:
        return None
    if dashed and unit is None and end_unit is None and not (other.magnitude or counts(tokens, end)):
        return None
    if dashed and end < len(tokens) and tokens[end].low in _SCORED:
        return None
    if joiner == "or" and (begin > stop + 1 or other.value > 2 * amount.value):
        return None
    low = amount.value
    if other.magnitude and not amount.magnitude and tokens[begin].is_digits:
        low *= magnitude_at(tokens, begin + 1)[0]
    return (low, other.value, end, unit or end_unit) if low < other.value else None


def _opener(tokens: Sequence[Token], stop: int) -> str:
    """The "between" or "from" shortly before a number."""
    for token in tokens[max(0, stop - _MOST_BACK) : stop]:
        if token.low in ("between", "from"):
            return token.low
    return ""


def _score(tokens: Sequence[Token], stop: int, amount: Amount, unit: Unit | None) -> tuple[float, int] | None:
    """The other side of "3-1" and where it ends."""
    if unit is not None or stop + 1 >= len(tokens) or not tokens[stop + 1].is_digits or amount.words:
        return None
    if (is_tight(tokens, stop) and is_tight(tokens, stop + 1)) and tokens[stop].text in DASHES:
        most = float(_HIGHEST_SCORE)
    elif tokens[stop].low == "to" and _opener(tokens, stop) != "from":
        most = amount.value  # "3 to 1"; were the second greater, it would be a range
    else:
        return None
    if amount.value > _HIGHEST_SCORE:
        return None
    other = read_digits(tokens, stop + 1)
    if other is None or other.value > most or other.stop != stop + 2:
        return None
    # "3-1-2", "3-1/2", "3-1x": something else
    after = other.stop
    if (
        after < len(tokens)
        and is_tight(tokens, after)
        and (tokens[after].is_word or tokens[after].text in DASHES or tokens[after].text == "/")
    ):
        return None
    return other.value, after


def _one_unit(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """ "lasted a week": one of a unit of time."""
    if tokens[i].low not in ("a", "an") or not 0 < i < len(tokens) - 1 or tokens[i - 1].stem not in _LASTING:
        return None
    unit = UNITS.get(tokens[i + 1].low)
    if unit is None or unit.kind is not Kind.DURATION:
        return None
    if i + 2 < len(tokens) and tokens[i + 2].low in ("ago", "later", "earlier"):
        return None
    value = _make(tokens, (i, i + 2), text, Kind.DURATION, 1.0, 1.0, unit)
    return with_bound(tokens, i, i + 2, text, value)
