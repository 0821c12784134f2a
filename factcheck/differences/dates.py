"""Dates and times of day in a sentence."""

from collections.abc import Sequence

from factcheck.differences.lexicon import ORDINAL_WORDS, word_set
from factcheck.differences.records import Kind, Value
from factcheck.differences.tokens import Token

__all__ = ["find_dates"]

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH_OF = (
    {name: n for n, name in enumerate(_MONTHS, 1)} | {name[:3]: n for n, name in enumerate(_MONTHS, 1)} | {"sept": 9}
)
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAY_OF = {name: n for n, name in enumerate(_WEEKDAYS)}
_DASHES = frozenset("-–—‐‑‒−")
#: Words before a bare four-digit number that make it a year.
_BEFORE_YEAR = word_set("""in since until till by from to during around before after between and circa c of late early mid for ( [ , ; - – —
    / year season spring summer autumn fall winter the through on a back as till""")
_BEFORE_MONTH = word_set("in of since until by during last this next early late mid through and to from between")


def find_dates(tokens: Sequence[Token], text: str) -> tuple[list[Value], list[bool]]:
    """The dates and times, and which tokens they take up."""
    values: list[Value] = []
    taken = [False] * len(tokens)
    i = 0
    while i < len(tokens):
        token = tokens[i]
        found = None
        if token.is_digits:
            found = _from_digits(tokens, i, text)
        elif token.is_word:
            if token.is_cap:
                found = _from_name(tokens, i, text)
            if found is None:
                found = _from_word(tokens, i, text)
        if found is None:
            i += 1
            continue
        values.append(found)
        for k in range(*found.at):
            taken[k] = True
        i = found.at[1]
    return values, taken


def _make(
    tokens: Sequence[Token], i: int, j: int, text: str, year: int | None, month: int | None, day: int | None
) -> Value:
    begin, end = tokens[i].start, tokens[j - 1].end
    number = float(year or 0)
    return Value(
        Kind.DATE, begin, end, text[begin:end], number, number, unit="date", parts=(year, month, day), at=(i, j)
    )


def _span(tokens: Sequence[Token], i: int, j: int, text: str, low: float, high: float) -> Value:
    """Years from ``low`` to ``high``, both included."""
    begin, end = tokens[i].start, tokens[j - 1].end
    return Value(Kind.DATE, begin, end, text[begin:end], low, high, unit="years", at=(i, j))


def _year(token: Token) -> int | None:
    text = token.text
    return int(text) if len(text) == 4 and text.isdecimal() and text.isascii() and 1000 <= int(text) <= 2100 else None


def _day(tokens: Sequence[Token], i: int) -> tuple[int, int] | None:
    """A day of a month at token ``i`` and where it ends: "5", "5th"."""
    if (
        i >= len(tokens)
        or not tokens[i].text.isdecimal()
        or len(tokens[i].text) > 2
        or not 1 <= int(tokens[i].text) <= 31
    ):
        return None
    j = i + 1
    if j < len(tokens) and tokens[j].start == tokens[i].end and tokens[j].low in ("st", "nd", "rd", "th"):
        j += 1
    return int(tokens[i].text), j


def _month(tokens: Sequence[Token], i: int) -> tuple[int, int] | None:
    if i >= len(tokens) or not tokens[i].is_cap or (month := _MONTH_OF.get(tokens[i].low)) is None:
        return None
    j = i + 1
    if j < len(tokens) and len(tokens[i].low) <= 4 and tokens[j].text == "." and tokens[j].start == tokens[i].end:
        j += 1
    return month, j


def _year_after(tokens: Sequence[Token], i: int) -> tuple[int, int] | None:
    """A year at token ``i``, with or without a comma or "of" before it."""
    if (i < len(tokens) and tokens[i].low in (",", "of", "/", "in")) or (i < len(tokens) and tokens[i].text in _DASHES):
        i += 1
    if i < len(tokens) and (year := _year(tokens[i])) is not None:
        return year, i + 1
    return None


def _from_digits(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    count, token = len(tokens), tokens[i]
    clock = _clock(tokens, i, text)
    if clock is not None:
        return clock
    if (iso := _iso(tokens, i)) is not None:
        return _make(tokens, i, iso[3], text, *iso[:3])
    year = _year(token)
    if year is not None:
        return _from_year(tokens, i, text, year)
    decade = _decade(tokens, i, text)
    if decade is not None:
        return decade
    if (day := _day(tokens, i)) is not None:
        j = day[1]
        if j < count and tokens[j].low == "of":
            j += 1
        last = _day(tokens, j + 1) if j < count and tokens[j].text in _DASHES else None
        if last is not None and (month := _month(tokens, last[1])) is not None:
            # 7–23 February: the days between are not told apart
            year, stop = _year_after(tokens, month[1]) or (None, month[1])
            return _make(tokens, i, stop, text, year, month[0], None)
        if (month := _month(tokens, j)) is not None:
            after = _year_after(tokens, month[1])
            if after is not None:
                return _make(tokens, i, after[1], text, after[0], month[0], day[0])
            return _make(tokens, i, month[1], text, None, month[0], day[0])
        if j < count and tokens[j].low == "century" and day[1] > i + 1:
            return _century(tokens, i, j, text, day[0])
    return None


def _from_year(tokens: Sequence[Token], i: int, text: str, year: int) -> Value | None:
    count = len(tokens)
    before = tokens[i - 1] if i else None
    after = tokens[i + 1] if i + 1 < count else None
    if (
        before is not None
        and before.end == tokens[i].start
        and before.text not in ("(", "[", "/", "'", '"', "‘", "“", ",", ".", *_DASHES)
    ):
        return None  # $2000, #2000, A2000
    if after is not None and after.start == tokens[i].end:
        if after.low == "s":
            return _span(tokens, i, i + 2, text, year, year + (99 if year % 100 == 0 and year < 2000 else 9))
        if after.is_word or after.text in "%°$€£":
            return None
        if after.text in _DASHES and i + 2 < count and tokens[i + 2].is_digits:
            return _years(tokens, i, i + 1, text, year)
    if after is not None and after.text in _DASHES and i + 2 < count and _year(tokens[i + 2]) is not None:
        return _years(tokens, i, i + 1, text, year)
    if (
        after is not None
        and after.low == "to"
        and before is not None
        and before.low == "from"
        and i + 2 < count
        and _year(tokens[i + 2])
    ):
        return _years(tokens, i, i + 1, text, year)
    if after is not None and after.low in ("bc", "b.c.", "bce", "b.c.e."):
        return _make(tokens, i, i + 2, text, -year, None, None)
    plural = (
        after is not None
        and after.is_word
        and after.low.endswith("s")
        and after.low
        not in ("was", "is", "has", "as", "us", "its", "olympics", "elections", "games", "series", "finals", "this")
    )
    if plural and (before is None or before.low not in ("in", "since", "the", "by", "of", "during")):
        return None
    if (
        after is not None
        and after.low
        in (
            "million",
            "billion",
            "percent",
            "people",
            "men",
            "women",
            "km",
            "kg",
            "m",
            "miles",
            "metres",
            "meters",
            "feet",
            "ft",
            "hectares",
            "acres",
            "tonnes",
            "tons",
            "euros",
            "dollars",
            "and",
        )
        and (before is None or before.low not in ("in", "since", "by", "of"))
    ):
        return None
    if before is None or before.low in _BEFORE_YEAR or (before.is_word and before.low in _MONTH_OF):
        return _make(tokens, i, i + 1, text, year, None, None)
    if after is None or not after.is_word or before.text in (":", "–", "‘", "'"):
        return _make(tokens, i, i + 1, text, year, None, None)
    return _make(tokens, i, i + 1, text, year, None, None) if 1700 <= year <= 2050 else None


def _years(tokens: Sequence[Token], i: int, dash: int, text: str, year: int) -> Value | None:
    """1997-98, 1997–2003."""
    last = tokens[dash + 1]
    end = _year(last)
    if end is None and len(last.text) == 2 and last.text.isdecimal():
        end = year - year % 100 + int(last.text)
        end += 100 * (end < year)
    if end is None:
        return _make(tokens, i, i + 1, text, year, None, None)
    return _span(tokens, i, dash + 2, text, year, end) if year <= end else None


def _decade(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """'90s, 90s."""
    if not (len(tokens[i].text) == 2 and tokens[i].text.isdecimal() and tokens[i].text.endswith("0")):
        return None
    if (
        i + 1 >= len(tokens)
        or tokens[i + 1].low != "s"
        or tokens[i + 1].start != tokens[i].end
        or int(tokens[i].text) < 20
    ):
        return None
    quoted = i > 0 and tokens[i - 1].text in "'’‘"
    if not quoted:
        return None  # also an age: in his 60s
    year = 1900 + int(tokens[i].text)
    return _span(tokens, i, i + 2, text, year, year + 9)


def _century(tokens: Sequence[Token], i: int, j: int, text: str, number: int) -> Value | None:
    if not 1 <= number <= 22:
        return None
    stop = j + 1
    if stop < len(tokens) and tokens[stop].low in ("bc", "b.c.", "bce"):
        return _span(tokens, i, stop + 1, text, -100 * number, -100 * number + 99)
    return _span(tokens, i, stop, text, 100 * number - 100, 100 * number)


def _iso(tokens: Sequence[Token], i: int) -> tuple[int, int, int, int] | None:
    """2015-05-03, 2015/5/3, 03.05.2015; of the last the order of day and month must be sure."""
    raw = tokens[i].text
    if raw.count(".") == 2:
        parts = raw.split(".")
        if len(parts[2]) == 4 and len(parts[0]) <= 2 and len(parts[1]) <= 2:
            return _checked(int(parts[2]), int(parts[1]), int(parts[0]), i + 1)
        return None
    if i + 4 >= len(tokens) or not (tokens[i + 2].is_digits and tokens[i + 4].is_digits):
        return None
    mark = tokens[i + 1].text
    if (
        mark not in "-/"
        or tokens[i + 3].text != mark
        or tokens[i + 4].end - tokens[i].start != sum(len(t.text) for t in tokens[i : i + 5])
    ):
        return None
    first, second, third = (tokens[k].text for k in (i, i + 2, i + 4))
    if not (first.isdecimal() and second.isdecimal() and third.isdecimal() and len(second) <= 2):
        return None
    if _year(tokens[i]) is not None and len(third) <= 2:
        return _checked(int(first), int(second), int(third), i + 5)
    if _year(tokens[i + 4]) is not None and len(first) <= 2:
        one, two = int(first), int(second)
        if one > 12:
            return _checked(int(third), two, one, i + 5)
        if two > 12 or one == two:
            return _checked(int(third), one, two, i + 5)
    return None


def _checked(year: int, month: int, day: int, stop: int) -> tuple[int, int, int, int] | None:
    return (year, month, day, stop) if 1 <= month <= 12 and 1 <= day <= 31 and 1000 <= year <= 2100 else None


def _from_name(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    low = tokens[i].low
    if low in _WEEKDAY_OF:
        begin, end = tokens[i].start, tokens[i].end
        number = float(_WEEKDAY_OF[low])
        return Value(Kind.DATE, begin, end, text[begin:end], number, number, unit="weekday", at=(i, i + 1))
    month = _month(tokens, i)
    if month is None:
        return None
    number, j = month
    day = _day(tokens, j)
    if day is not None and (day[1] >= len(tokens) or tokens[day[1]].text != ":"):
        if day[1] + 1 < len(tokens) and tokens[day[1]].text in _DASHES and _day(tokens, day[1] + 1) is not None:
            return _make(tokens, i, day[1], text, None, number, None)
        after = _year_after(tokens, day[1])
        if after is not None:
            return _make(tokens, i, after[1], text, after[0], number, day[0])
        return _make(tokens, i, day[1], text, None, number, day[0])
    after = _year_after(tokens, j)
    if after is not None:
        return _make(tokens, i, after[1], text, after[0], number, None)
    before = tokens[i - 1].low if i else ""
    sure = low not in ("may", "march", "mar", "jun", "jan", "dec", "sep", "apr") or before in _BEFORE_MONTH
    if low in ("may", "march", "august", "april", "june") and before not in _BEFORE_MONTH:
        sure = False
    return _make(tokens, i, j, text, None, number, None) if sure else None


def _from_word(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    token = tokens[i]
    if token.low in ORDINAL_WORDS and i + 1 < len(tokens) and tokens[i + 1].low == "century":
        return _century(tokens, i, i + 1, text, ORDINAL_WORDS[token.low])
    if token.low in ("noon", "midday", "midnight"):
        minutes = 0.0 if token.low == "midnight" else 720.0
        return Value(Kind.TIME, token.start, token.end, token.text, minutes, minutes, unit="minute", at=(i, i + 1))
    return None


def _clock(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """10:30, 3 pm, 3.30pm: minutes of the day."""
    raw = tokens[i].text.replace(".", ":")
    hours, _, minutes = raw.partition(":")
    if not hours.isdecimal() or len(hours) > 2 or (minutes and (not minutes.isdecimal() or len(minutes) != 2)):
        return None
    after = tokens[i + 1].low.replace(".", "") if i + 1 < len(tokens) else ""
    before = tokens[i - 1].low if i else ""
    hour, minute = int(hours), int(minutes or 0)
    if minute > 59 or hour > 24:
        return None
    stop = i + 1
    if after in ("am", "pm") and tokens[i + 1].low in ("am", "pm", "a.m.", "p.m."):
        if not 1 <= hour <= 12 or (
            tokens[i + 1].low == "am"
            and tokens[i + 1].start != tokens[i].end
            and tokens[i + 1].text == "am"
            and not minutes
        ):
            return None
        hour, stop = hour % 12 + (12 if after == "pm" else 0), i + 2
    elif (
        not minutes
        or ":" not in tokens[i].text
        or (before not in ("at", "by", "until", "before", "after", "around", "from", "about") and hour < 13)
    ):
        return None
    begin, end = tokens[i].start, tokens[stop - 1].end
    value = 60.0 * hour + minute
    return Value(Kind.TIME, begin, end, text[begin:end], value, value, unit="minute", at=(i, stop))
