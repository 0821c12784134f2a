"""Dates as sources give them: a day, a month or a year."""

import datetime
import re
from typing import Any

__all__ = ["date_range"]

_ISO = re.compile(r"\s*(\d{4})(?:-?(\d{2})(?:-?(\d{2}))?)?(?=$|[T\s])")


def date_range(value: Any) -> tuple[int, int] | None:
    """The first and the last day that a date can mean, as numbers like 20200131; None where it cannot be read.

    ``2020`` is 2020-01-01 to 2020-12-31, so that a filter can be strict: a document of "2020" is not known to be older
    than a claim of March 2020.

    Args:
        value: an ISO 8601 string (a time of day is ignored), a ``datetime.date``, or None.
    """
    if isinstance(value, datetime.date):
        number = value.year * 10000 + value.month * 100 + value.day
        return number, number
    match = _ISO.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day = (int(part) if part else 0 for part in match.groups())
    if month > 12 or day > 31 or (match.group(2) and month == 0) or (match.group(3) and day == 0):
        return None
    return year * 10000 + (month or 1) * 100 + (day or 1), year * 10000 + (month or 12) * 100 + (day or 31)
