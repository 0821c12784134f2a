"""Dates and times of day in a sentence."""

from collections.abc import Sequence

from factcheck.differences.amounts import DASHES, counts, is_tight
from factcheck.differences.lexicon import NUMBER_WORDS, word_set
from factcheck.differences.records import Kind, Value
from factcheck.differences.tokens import Token
from factcheck.differences.years import date_value, read_century, read_years, year_at

__all__ = ["find_dates"]

_MONTHS = (
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
)
_MONTH_OF = (
    {name: n for n, name in enumerate(_MONTHS, 1)} | {name[:3]: n for n, name in enumerate(_MONTHS, 1)} | {"sept": 9}
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAY_OF = {name: float(n) for n, name in enumerate(_WEEKDAYS)}
#: Months that are also words or names: alone, a date only behind one of these words.
_UNSURE = word_set("may march april june august jan jun mar dec sep apr")
_BEFORE_MONTH = word_set("in of since until by during last this next early late mid through and to from between")
_HALVES = {"morning": 0, "afternoon": 12, "evening": 12}
_BEFORE_CLOCK = word_set("at by until before after around from about")


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
            found = _from_name(tokens, i, text) or _from_word(tokens, i, text)
        if found is None:
            i += 1
            continue
        values.append(found)
        taken[found.at[0] : found.at[1]] = [True] * (found.at[1] - found.at[0])
        i = found.at[1]
    return values, taken


def _from_digits(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    if (clock := _clock(tokens, i, text) or _spoken_clock(tokens, i, text)) is not None:
        return clock
    if (iso := _iso(tokens, i)) is not None:
        return date_value(tokens, (i, iso[3]), text, *iso[:3])
    return _day_first(tokens, i, text) or read_years(tokens, i, text) or read_century(tokens, i, text)


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
    if j < len(tokens) and is_tight(tokens, j) and tokens[j].low in ("st", "nd", "rd", "th"):
        j += 1
    return int(tokens[i].text), j


def _month(tokens: Sequence[Token], i: int) -> tuple[int, int] | None:
    if i >= len(tokens) or (month := _MONTH_OF.get(tokens[i].low)) is None:
        return None
    if not tokens[i].is_cap and (tokens[i].low in _UNSURE or tokens[i].low not in _MONTHS):
        return None
    j = i + 1
    if j < len(tokens) and tokens[i].low not in _MONTHS and tokens[j].text == "." and is_tight(tokens, j):
        j += 1
    return month, j


def _year_after(tokens: Sequence[Token], i: int) -> tuple[int | None, int]:
    """A year at token ``i``, with or without a comma or "of" before it, and where the date ends."""
    j = i
    if j < len(tokens) and (tokens[j].low in (",", "of", "/") or tokens[j].text in DASHES):
        j += 1
    year = year_at(tokens, j)
    return (year, j + 1) if year is not None else (None, i)


def _further_day(tokens: Sequence[Token], i: int) -> int | None:
    """Where a second day of the month ends, which follows the first at token ``i``: "1-2", "1 and 2", "7 to 23"."""
    if i >= len(tokens) or not (tokens[i].low in ("and", "to") or tokens[i].text in DASHES):
        return None
    day = _day(tokens, i + 1)
    return None if day is None else day[1]


def _day_first(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """5 May 2015, the 5th of May, 7–23 February."""
    day = _day(tokens, i)
    if day is None or (i and is_tight(tokens, i) and tokens[i - 1].text not in "([,'\"‘“/"):
        return None
    number: int | None
    number, j = day
    if (last := _further_day(tokens, j)) is not None and _month(tokens, last) is not None:
        number, j = None, last  # days between are not told apart
    elif j < len(tokens) and tokens[j].low == "of":
        j += 1
    month = _month(tokens, j)
    if month is None:
        return None
    year, stop = _year_after(tokens, month[1])
    return date_value(tokens, (i, stop), text, year, month[0], number)


def _from_name(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """A weekday, or a month with what belongs to it: May 5, May 5, 2015, May 2015, in May."""
    low = tokens[i].low
    if low in _WEEKDAY_OF and (tokens[i].is_cap or low not in ("sun", "sat")):
        begin, end, weekday = tokens[i].start, tokens[i].end, _WEEKDAY_OF[low]
        return Value(Kind.DATE, begin, end, text[begin:end], weekday, weekday, unit="weekday", at=(i, i + 1))
    found = _month(tokens, i)
    if found is None:
        return None
    month, j = found
    day = _day(tokens, j)
    if day is not None and not (day[1] < len(tokens) and tokens[day[1]].text == ":"):
        number: int | None
        number, j = day
        if (last := _further_day(tokens, j)) is not None and not counts(tokens, last) and _month(tokens, last) is None:
            number, j = None, last
        year, stop = _year_after(tokens, j)
        return date_value(tokens, (i, stop), text, year, month, number)
    year, stop = _year_after(tokens, j)
    if year is None and low in _UNSURE and (not i or tokens[i - 1].low not in _BEFORE_MONTH):
        return None
    return date_value(tokens, (i, stop), text, year, month)


def _from_word(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    token = tokens[i]
    if token.low in ("noon", "midday", "midnight") and not (token.is_cap and i):
        minutes = 0.0 if token.low == "midnight" else 720.0
        return Value(Kind.TIME, token.start, token.end, token.text, minutes, minutes, unit="minute", at=(i, i + 1))
    return _spoken_clock(tokens, i, text) or read_century(tokens, i, text)


def _iso(tokens: Sequence[Token], i: int) -> tuple[int, int, int, int] | None:
    """2015-05-03, 2015/5/3, 03.05.2015; where the year comes last, the order of day and month must be sure."""
    raw = tokens[i].text
    if raw.count(".") == 2:
        first, second, third = raw.split(".")
        return (
            _checked(third, second, first, i + 1) if len(third) == 4 and len(first) <= 2 and len(second) <= 2 else None
        )
    if i + 4 >= len(tokens) or not (tokens[i + 2].is_digits and tokens[i + 4].is_digits):
        return None
    mark = tokens[i + 1].text
    if (
        mark not in ("-", "/")
        or tokens[i + 3].text != mark
        or not all(is_tight(tokens, k) for k in range(i + 1, i + 5))
    ):
        return None
    first, second, third = (tokens[k].text for k in (i, i + 2, i + 4))
    if len(first) == 4:
        return _checked(first, second, third, i + 5)
    if len(third) != 4 or not (first.isdecimal() and second.isdecimal()):
        return None
    if int(first) > 12:
        return _checked(third, second, first, i + 5)
    return _checked(third, first, second, i + 5) if int(second) > 12 or first == second else None


def _checked(year: str, month: str, day: str, stop: int) -> tuple[int, int, int, int] | None:
    if not (year.isdecimal() and month.isdecimal() and day.isdecimal()) or len(month) > 2 or len(day) > 2:
        return None
    numbers = int(year), int(month), int(day)
    return (*numbers, stop) if 1 <= numbers[1] <= 12 and 1 <= numbers[2] <= 31 and 1000 <= numbers[0] <= 2100 else None


def _spoken_clock(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """ "four in the afternoon", "8 in the evening", "five o'clock"."""
    token, stop = tokens[i], i + 1
    hour = NUMBER_WORDS.get(token.low) or (int(token.text) if token.text.isdecimal() and len(token.text) <= 2 else 0)
    if not 1 <= hour <= 12 or stop >= len(tokens):
        return None
    told = tokens[stop].low == "o'clock"
    stop += told
    behind = [following.low for following in tokens[stop : stop + 3]]
    half = _HALVES.get(behind[2]) if behind[:2] == ["in", "the"] and len(behind) == 3 else None
    if half is None and not told:
        return None
    stop += 0 if half is None else 3
    begin, end, value = token.start, tokens[stop - 1].end, 60.0 * (hour % 12 + (half or 0))
    return Value(
        Kind.TIME, begin, end, text[begin:end], value, value, unit="clock" if half is None else "minute", at=(i, stop)
    )


def _clock(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """10:30, 3 pm, 3.30pm: minutes of the day."""
    raw = tokens[i].text.replace(".", ":")
    hours, _, minutes = raw.partition(":")
    if not hours.isdecimal() or len(hours) > 2 or (minutes and not (minutes.isdecimal() and len(minutes) == 2)):
        return None
    hour, minute = int(hours), int(minutes or 0)
    if minute > 59 or hour > 24:
        return None
    after = tokens[i + 1].low if i + 1 < len(tokens) else ""
    stop = i + 1
    if after in ("am", "pm", "a.m.", "p.m.") and 1 <= hour <= 12:
        hour, stop = hour % 12 + (12 if after[0] == "p" else 0), i + 2
    elif ":" not in tokens[i].text or not minutes or not (hour >= 13 or (i and tokens[i - 1].low in _BEFORE_CLOCK)):
        return None
    # Of a time with neither "am" nor "pm" the half of the day is known only from one o'clock in the afternoon on.
    unit = "minute" if stop > i + 1 or hour >= 13 else "clock"
    begin, end, value = tokens[i].start, tokens[stop - 1].end, 60.0 * hour + minute
    return Value(Kind.TIME, begin, end, text[begin:end], value, value, unit=unit, at=(i, stop))
