"""Dates as sources give them: a day, a month or a year."""

import contextlib
import datetime
import re
from typing import Any

__all__ = ["date_range"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\.?,?\s+)?"
_DAY, _YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?P<year>\d{4})"
_CLOCK = r"\d{1,2}(?::\d{2}(?::\d{2}(?:[.,]\d+)?)?|\d{2}(?:\d{2}(?:[.,]\d+)?)?)(?:\s*[ap]\.?m\.?)?"
_ZONE = r"(?:\s*(?:z|[a-z]{2,5}|(?:gmt|utc)?[+-]\d{1,2}(?::?\d{2})?)(?:\s*[(\[][a-z_/ ]+[)\]])?)?"
_TIME = rf"(?:(?:t|,?\s+(?:at\s+)?){_CLOCK}{_ZONE})?"
#: Forms with one meaning only. 05/03/2020 is March or May by where it was written, and 1583402400 any of several units.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_YEAR}(?:[-/](?P<month>\d{{1,2}}))?",
        rf"{_YEAR}(?P<separator>[-/.])(?P<month>\d{{1,2}})(?P=separator)(?P<day>\d{{1,2}})(?:{_TIME}|z|[+-]\d\d:?\d\d)",
        rf"{_YEAR}(?P<month>\d\d)(?:(?P<day>\d\d){_TIME})?",
        rf"{_WEEKDAY}{_DAY}(?:\s+|-|\s+of\s+){_MONTH}(?:,?\s+|-){_YEAR}{_TIME}",
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY},?\s+{_YEAR}{_TIME}",
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY},?\s+{_CLOCK}{_ZONE}\s+{_YEAR}",
        rf"{_MONTH},?\s+{_YEAR}",
    )
)


def date_range(value: Any) -> tuple[int, int] | None:
    """The first and the last day that a date can mean, as numbers like 20200131; None where it cannot be read.

    ``2020`` is 2020-01-01 to 2020-12-31, so that a filter can be strict: a document of "2020" is not known to be older
    than a claim of March 2020.

    Args:
        value: a ``datetime.date``, None, or a string: ISO 8601 (also ``2020/3/5``), RFC 2822, or with an English month
            (``March 5, 2020``). A time of day and its zone are ignored.
    """
    if isinstance(value, datetime.date):
        number = value.year * 10000 + value.month * 100 + value.day
        return number, number
    text = value.strip() if isinstance(value, str) else ""
    match = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    if match is None:
        return None
    parts = match.groupdict()
    year, month, day = int(parts["year"]), _month(parts.get("month")), int(parts.get("day") or 1)
    with contextlib.suppress(ValueError):
        datetime.date(year, month or 1, day)
        first = year * 10000 + (month or 1) * 100 + day
        return first, first if parts.get("day") else year * 10000 + (month or 12) * 100 + 31
    return None


def _month(text: str | None) -> int | None:
    """1 … 12 of a number or a name; None where there is none, 13 where there is no such month."""
    if text is None:
        return None
    return (int(text) or 13) if text.isdecimal() else _MONTHS.index(text[:3].lower()) + 1
