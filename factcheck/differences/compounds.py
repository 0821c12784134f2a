"""One quantity said in two units: "an hour and thirty minutes", "5 feet 10 inches"."""

import math
from collections.abc import Sequence
from dataclasses import replace

from factcheck.differences.bounds import following
from factcheck.differences.records import Kind, Value
from factcheck.differences.tokens import Token
from factcheck.differences.units import UNITS

__all__ = ["joined"]


def joined(values: Sequence[Value], tokens: Sequence[Token], text: str) -> list[Value]:
    """The values of a sentence in order, with each quantity and the smaller one right behind it made one."""
    found: list[Value] = []
    for value in values:
        if found and _goes_on(found[-1], value, tokens):
            first = found.pop()
            low = first.low + value.low if math.isfinite(first.low) else first.low
            high = first.high + value.high if math.isfinite(first.high) else first.high
            at = first.at[0], value.at[1]
            value = replace(
                first, end=value.end, text=text[first.start : value.end], low=low, high=high, step=value.step, at=at,
                written_unit=value.written_unit, of=following(tokens, value.at[1]),
            )  # fmt: skip
        found.append(value)
    return found


def _goes_on(first: Value, second: Value, tokens: Sequence[Token]) -> bool:
    """Whether two values are neighbours, of one base unit, the second exact and less than one of the first's unit."""
    if first.kind not in (Kind.QUANTITY, Kind.DURATION) or second.unit != first.unit or second.low != second.high:
        return False
    between = [token.low for token in tokens[first.at[1] : second.at[0]]]
    unit = UNITS.get(first.written_unit)
    return between in ([], ["and"], [","]) and unit is not None and not unit.offset and 0 < second.low < unit.factor
