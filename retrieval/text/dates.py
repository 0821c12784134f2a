"""Dates as sources give them: a day, a month or a year."""

import contextlib
import datetime
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["DATE_ORDERS", "date_range", "day_month_order", "order_of_column"]

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
#: Forms with one meaning only. 1583402400 is any of several units.
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
#: 05/03/2020 is March or May by where it was written.
_YEAR_LAST = re.compile(
    rf"(?P<first>\d{{1,2}})(?P<separator>[-/.])(?P<second>\d{{1,2}})(?P=separator){_YEAR}{_TIME}", re.IGNORECASE
)
#: What a column of dates may be written in; ``auto`` is decided by :func:`order_of_column`.
DATE_ORDERS = ("auto", "dmy", "mdy", "ymd")


def date_range(value: Any, order: str | None = None) -> tuple[int, int] | None:
    """The first and the last day that a date can mean, as numbers like 20200131; None where it cannot be read.

    ``2020`` is 2020-01-01 to 2020-12-31, so that a filter can be strict: a document of "2020" is not known to be older
    than a claim of March 2020.

    Args:
        value: a ``datetime.date``, None, or a string: ISO 8601 (also ``2020/3/5``), RFC 2822, with an English month
            (``March 5, 2020``), or numbers with the year last (``31.10.2020``), where they can be read in one way only or
            ``order`` says how. A time of day and its zone are ignored.
        order: how numbers with the year last are read: ``dmy``, ``mdy``, or None (only where one of the two is over 12, or both
            are the same); ``ymd``: not at all.
    """
    if isinstance(value, datetime.date):
        number = value.year * 10000 + value.month * 100 + value.day
        return number, number
    text = value.strip() if isinstance(value, str) else ""
    if match := _YEAR_LAST.fullmatch(text):
        return _year_last(match, order)
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


def day_month_order(value: Any) -> str | None:
    """``dmy`` or ``mdy`` where a date of numbers with the year last can only be that; ``either`` where it can be both; else None."""
    match = _YEAR_LAST.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    as_dmy, as_mdy = _year_last(match, "dmy"), _year_last(match, "mdy")
    if as_dmy == as_mdy:
        return None  # neither, or the same day
    return "either" if as_dmy and as_mdy else "dmy" if as_dmy else "mdy"


def order_of_column(values: Iterable[Any]) -> str | None:
    """The order in which all dates of a column can be read: that of those with one reading; None if they differ or there is none."""
    orders = {order for value in values if (order := day_month_order(value)) not in (None, "either")}
    return orders.pop() if len(orders) == 1 else None


def _year_last(match: re.Match[str], order: str | None) -> tuple[int, int] | None:
    first, second, year = (int(match[name]) for name in ("first", "second", "year"))
    if order is None:
        order = "dmy" if first > 12 or first == second else "mdy" if second > 12 else "ymd"
    if order == "ymd":
        return None
    day, month = (first, second) if order == "dmy" else (second, first)
    with contextlib.suppress(ValueError):
        datetime.date(year, month, day)
        number = year * 10000 + month * 100 + day
        return number, number
    return None


def _month(text: str | None) -> int | None:
    """1 … 12 of a number or a name; None where there is none, 13 where there is no such month."""
    if text is None:
        return None
    return (int(text) or 13) if text.isdecimal() else _MONTHS.index(text[:3].lower()) + 1
