"""Quantities with a unit: the same one written otherwise, and others."""

from dataclasses import dataclass

import numpy as np

from factcheck.training.facts.names import pick
from factcheck.training.facts.numerals import fraction, plain, plain3, spell, write_count, written

__all__ = ["KINDS", "Quantity", "draw", "write"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit, its size in the smallest unit of its kind, and its written forms (``{}`` takes the number)."""

    size: float
    forms: tuple[str, ...]
    one: str = ""  # "a week"
    system: int = 0  # units of one system convert into each other without a rest


def _unit(size: float, names: str, one: str = "", system: int = 0) -> Unit:
    return Unit(size, tuple(name if "{}" in name else "{} " + name for name in names.split("|")), one, system)


#: By kind of quantity its units, and the range that values are drawn from (in the first unit).
KINDS: dict[str, tuple[tuple[Unit, ...], tuple[float, float]]] = {
    "length": (
        (
            _unit(1, "metres|meters|m|{}m"),
            _unit(1000, "kilometres|kilometers|km|{}km", "a kilometre"),
            _unit(0.01, "centimetres|cm|{}cm"),
            _unit(1609, "miles|mi", "a mile", 1),
            _unit(0.3048, "feet|ft", "", 1),
            _unit(0.9144, "yards", "", 1),
        ),
        (2, 90_000),
    ),
    "mass": (
        (
            _unit(1, "kilograms|kilos|kg|{}kg", "a kilo"),
            _unit(1000, "tonnes|metric tons|t", "a tonne"),
            _unit(0.001, "grams|g|{}g"),
            _unit(0.4536, "pounds|lb", "", 1),
            _unit(0.02835, "ounces", "", 1),
        ),
        (0.05, 90_000),
    ),
    "duration": (
        (
            _unit(24, "days", "a day"),
            _unit(168, "weeks", "a week"),
            _unit(1, "hours|hrs", "an hour"),
            _unit(1 / 60, "minutes|mins", "a minute"),
            _unit(1 / 3600, "seconds", "a second"),
        ),
        (0.02, 90),
    ),
    "years": (
        (
            _unit(12, "years", "a year"),
            _unit(1, "months", "a month"),
            _unit(120, "decades", "a decade"),
            _unit(1200, "centuries", "a century"),
        ),
        (0.3, 400),
    ),
    "area": (
        (
            _unit(1, "square metres|sq m|m²"),
            _unit(10_000, "hectares|ha", "a hectare"),
            _unit(1e6, "square kilometres|km²|sq km"),
            _unit(4047, "acres", "an acre", 1),
        ),
        (20, 5e6),
    ),
    "volume": (
        (_unit(1, "litres|liters|l"), _unit(0.001, "millilitres|ml"), _unit(3.785, "gallons", "", 1)),
        (0.2, 9_000),
    ),
    "speed": ((_unit(1, "km/h|kilometres per hour|kph"), _unit(1.609, "mph|miles per hour", "", 1)), (5, 400)),
    "power": ((_unit(1, "kilowatts|kW"), _unit(1000, "megawatts|MW"), _unit(1e6, "gigawatts|GW")), (1, 3_000)),
}
_CURRENCIES = (
    ("${}", "{} dollars", "US${}", "{} US dollars"),
    ("€{}", "{} euros", "EUR {}"),
    ("£{}", "{} pounds", "GBP {}", "{} pounds sterling"),
    ("¥{}", "{} yen"),
    ("{} rupees", "Rs {}"),
    ("{} Swiss francs", "CHF {}"),
    ("{} kronor",),
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value of one of ``KINDS`` (in its first unit), of money, of things (``count``), or ``percent``.

    Attributes:
        kind: what it measures.
        value: > 0.
        unit: which unit or currency it is first written in.
    """

    kind: str
    value: float
    unit: int = 0


def draw(kind: str, rng: np.random.Generator) -> Quantity:
    """A quantity of that kind with a round value, as stated in news."""
    if kind == "count":
        top = pick((12, 60, 600, 9_000, 900_000, 90_000_000), rng)
        return Quantity(kind, _rounded(max(2.0, rng.random() * top), rng))
    if kind == "percent":
        whole = pick((10, 20, 25, 30, 40, 50, 60, 75, 80, 90), rng) if rng.random() < 0.4 else int(rng.integers(2, 99))
        return Quantity(kind, whole + (round(rng.random(), 1) if rng.random() < 0.2 else 0))
    if kind == "money":
        value = 10 ** rng.uniform(1, 11)
        return Quantity(
            kind, _rounded(value, rng), int(rng.choice(len(_CURRENCIES), p=(0.35, 0.25, 0.2, 0.05, 0.05, 0.05, 0.05)))
        )
    units, (low, high) = KINDS[kind]
    value = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    fits = [i for i, unit in enumerate(units) if 1 <= value * units[0].size / unit.size < 20_000]
    unit = pick(fits, rng) if fits else 0
    size = units[unit].size / units[0].size
    return Quantity(kind, _rounded(value / size, rng) * size, unit)


def _rounded(value: float, rng: np.random.Generator) -> float:
    """Two or three significant digits, whole from 10 on."""
    digits = int(rng.integers(1, 4))
    step = 10.0 ** (np.floor(np.log10(value)) + 1 - digits)
    rounded = round(value / step) * step
    return (
        float(max(1, round(rounded)))
        if value >= 10
        else max(1.0, round(rounded, 1))
        if rng.random() < 0.4
        else float(max(1, round(value)))
    )


def write(quantity: Quantity, rng: np.random.Generator, *, other_unit: bool = False, things: str = "") -> str:
    """The quantity in one of the ways to write it.

    Args:
        quantity: what is written.
        rng: makes the choice.
        other_unit: in another unit of the same system where the number stays short (10 km as 10,000 m).
        things: what a ``count`` counts.
    """
    if quantity.kind == "count":
        number = (
            write_count(int(quantity.value), rng)
            if quantity.value == int(quantity.value)
            else written(quantity.value, rng)
        )
        return f"{number} {things}".strip()
    if quantity.kind == "percent":
        words = fraction(int(quantity.value), rng) if quantity.value == int(quantity.value) else None
        if words is not None and things and rng.random() < 0.5:
            return f"{words} {things}" if " in " in words else f"{words} of {things}"
        number = (
            plain(quantity.value)
            if rng.random() < 0.8 or quantity.value != int(quantity.value)
            else spell(int(quantity.value))
        )
        form = (
            pick(("{}%", "{} percent", "{} per cent"), rng)
            if number[0].isdigit()
            else pick(("{} percent", "{} per cent"), rng)
        )
        return form.format(number) + (f" of {things}" if things else "")
    if quantity.kind == "money":
        form = pick(_CURRENCIES[quantity.unit], rng)
        number = written(quantity.value, rng, short=True)
        if not form.startswith("{}") and not number[0].isdigit():
            number = plain(quantity.value)
        if form.startswith("{}") and number[-1].isalpha() and number[0].isdigit() and " " not in number:
            number = plain(quantity.value)
        return form.format(number)
    return _measured(quantity, rng, other_unit)


def _measured(quantity: Quantity, rng: np.random.Generator, other_unit: bool) -> str:
    units = KINDS[quantity.kind][0]
    unit = units[quantity.unit]
    if other_unit:
        inside = [
            u
            for i, u in enumerate(units)
            if i != quantity.unit
            and u.system == unit.system == 0
            and _is_short(quantity.value * units[0].size / u.size)
            and 1 <= quantity.value * units[0].size / u.size <= 100_000
        ]
        if inside:
            unit = pick(inside, rng)
    value = round(quantity.value * units[0].size / unit.size, 3)
    if value == 1 and unit.one:
        return unit.one if rng.random() < 0.7 else f"one {unit.one.split()[1]}"
    form = pick(unit.forms, rng)
    if not form.startswith("{} ") or len(form) <= 6:  # "10 km", not "ten km"
        return form.format(plain3(value))
    number = written(value, rng) if value == int(value) else plain3(value)
    return form.format(number)


def _is_short(value: float) -> bool:
    return abs(value - round(value, 1)) < 1e-6
