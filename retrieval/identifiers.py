"""Ids of documents: numbers that stand for whole ones."""

import math
from decimal import Decimal
from typing import Any

__all__ = ["whole_number"]


def whole_number(value: Any) -> Any:
    """An int for a whole float or decimal (an integer column with a gap, as pandas writes it; a database's key), else ``value``."""
    is_whole = isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value)
    return int(value) if is_whole else value
