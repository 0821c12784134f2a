"""Years in a sentence: single ones, ranges, decades, centuries."""

from collections.abc import Sequence

from factcheck.differences.amounts import DASHES, is_tight
from factcheck.differences.lexicon import ORDINAL_WORDS, word_set
from factcheck.differences.records import Kind, Value
from factcheck.differences.tokens import Token
from factcheck.differences.units import UNITS

__all__ = ["date_value", "read_century", "read_years", "year_at"]

_FIRST, _LAST = 1000, 2100
#: From here on a bare number of four digits is a year in most sentences; before, only behind one of these words.
_SURE = 1500
_BEFORE = word_set(
    """in since until till by from to during before after between circa c year season spring summer autumn fall winter born died
    ( [ , ; / -"""
)
_NOT_COUNTING = word_set("in since the by of during until till from before after between and to for")
_COUNTED = word_set("million billion people men women children copies members")
#: Words in -s that follow a year and are no plural that it counts.
_NO_PLURAL = word_set(
    "was is has as us its this olympics elections games series finals census games paralympics always does says"
)
_BC, _AD = word_set("bc b.c. bce b.c.e."), word_set("ad a.d. ce c.e.")
_OPENING = "([/'\"‘“,."
_RANGES = {
    "to": word_set("from between"),
    "and": word_set("between"),
    "until": word_set("from"),
    "till": word_set("from"),
}


def date_value(tokens: Sequence[Token], at: tuple[int, int], text: str, *parts: int | None) -> Value:
    """A date of which the year, then the month, then the day are given as far as they are known."""
    begin, end = tokens[at[0]].start, tokens[at[1] - 1].end
    year, month, day = (*parts, None, None)[:3]
    number = float(year or 0)
    return Value(Kind.DATE, begin, end, text[begin:end], number, number, unit="date", parts=(year, month, day), at=at)


def _span(tokens: Sequence[Token], at: tuple[int, int], text: str, low: float, high: float) -> Value:
    """Years from ``low`` to ``high``, both included."""
    begin, end = tokens[at[0]].start, tokens[at[1] - 1].end
    return Value(Kind.DATE, begin, end, text[begin:end], low, high, unit="years", at=at)


def year_at(tokens: Sequence[Token], i: int) -> int | None:
    """The four-digit year that token ``i`` is."""
    text = tokens[i].text if i < len(tokens) else ""
    return int(text) if len(text) == 4 and text.isdecimal() and _FIRST <= int(text) <= _LAST else None


def read_years(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """A year, years or a decade at token ``i``, which begins with a digit; None where it is another number."""
    token = tokens[i]
    if not token.text.isdecimal() or len(token.text) > 4:
        return None
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if after is not None and after.low in _BC:
        return date_value(tokens, (i, i + 2), text, -int(token.text))
    if (i and tokens[i - 1].low in ("ad", "a.d.")) or (after is not None and after.low in _AD and after.text.isupper()):
        return date_value(tokens, (i, i + 1), text, int(token.text))
    year = year_at(tokens, i)
    if year is None:
        return _short_decade(tokens, i, text)
    if is_tight(tokens, i) and tokens[i - 1].text not in _OPENING and tokens[i - 1].text not in DASHES:
        return None  # $2000, #2000, A2000
    if after is not None and is_tight(tokens, i + 1):
        if after.low == "s":
            return _span(tokens, (i, i + 2), text, year, year + (99 if year % 100 == 0 and year < 2000 else 9))
        if after.is_word or after.text in "%°$€£":
            return None
        if after.text in DASHES and i + 2 < len(tokens) and is_tight(tokens, i + 2) and tokens[i + 2].is_word:
            return None  # 2019-nCoV
    return _range(tokens, i, text, year) or _single(tokens, i, text, year)


def _single(tokens: Sequence[Token], i: int, text: str, year: int) -> Value | None:
    before = tokens[i - 1].low if i else ";"
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if after is not None and after.is_word and before not in _NOT_COUNTING:
        plural = after.low.endswith("s") and not after.low.endswith(("ss", "us", "is")) and after.low not in _NO_PLURAL
        if plural or after.low in _COUNTED or (after.low in UNITS and not after.is_cap):
            return None
    if before in ("flight", "room", "route", "highway", "no", "number") or (year < _SURE and before not in _BEFORE):
        return None
    return date_value(tokens, (i, i + 1), text, year)


def _range(tokens: Sequence[Token], i: int, text: str, year: int) -> Value | None:
    """1997-98, 1997–2003, "from 1997 to 2003", "between 1997 and 2003"."""
    if i + 2 >= len(tokens):
        return None
    joiner = tokens[i + 1]
    opened = i > 0 and tokens[i - 1].low in _RANGES.get(joiner.low, ())
    if joiner.text not in DASHES and not opened:
        return None
    last = tokens[i + 2]
    end = year_at(tokens, i + 2)
    if (
        end is None
        and joiner.text in DASHES
        and is_tight(tokens, i + 2)
        and len(last.text) == 2
        and last.text.isdecimal()
    ):
        end = year - year % 100 + int(last.text)
        end += 100 * (end < year)
        if i + 3 < len(tokens) and tokens[i + 3].text in DASHES and is_tight(tokens, i + 3):
            return None  # 2015-05-03
    return _span(tokens, (i, i + 3), text, year, end) if end is not None and year <= end else None


def _short_decade(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """'90s; without the mark it is as often an age."""
    token = tokens[i]
    if len(token.text) != 2 or token.text[1] != "0" or i == 0 or tokens[i - 1].text not in ("'", "’", "‘"):
        return None
    if i + 1 >= len(tokens) or tokens[i + 1].low != "s" or not is_tight(tokens, i + 1):
        return None
    year = 1900 + int(token.text)
    return _span(tokens, (i, i + 2), text, year, year + 9)


def read_century(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """ "19th century", "nineteenth century"."""
    token, j = tokens[i], i + 1
    if token.is_digits:
        if (
            j >= len(tokens)
            or tokens[j].low not in ("st", "nd", "rd", "th")
            or not token.text.isdecimal()
            or len(token.text) > 2
        ):
            return None
        number, j = int(token.text), j + 1
    elif token.low in ORDINAL_WORDS:
        number = ORDINAL_WORDS[token.low]
    else:
        return None
    if j + 1 < len(tokens) and tokens[j].text in DASHES:
        j += 1
    if j >= len(tokens) or tokens[j].low != "century" or not 1 <= number <= 22:
        return None
    if j + 1 < len(tokens) and tokens[j + 1].low in _BC:
        return _span(tokens, (i, j + 2), text, -100.0 * number, -100.0 * number + 99)
    return _span(tokens, (i, j + 1), text, 100.0 * number - 100, 100.0 * number)
