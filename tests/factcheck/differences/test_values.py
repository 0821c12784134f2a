"""Values read off a text: their kinds, amounts, bounds and places."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factcheck.differences import find_values
from factcheck.differences.units import UNITS

INF = math.inf


def values(text):
    return [(v.kind.value, v.text, v.low, v.high) for v in find_values(text) if v.kind != "name"]


@pytest.mark.parametrize(
    ("text", "kind", "said", "low", "high"),
    [
        ("It has 1,234,567 books.", "number", "1,234,567", 1234567, 1234567),
        ("It has 12,34,567 books.", "number", "12,34,567", 1234567, 1234567),
        ("It has 1.234.567 books.", "number", "1.234.567", 1234567, 1234567),
        ("It has 13, 000 books.", "number", "13, 000", 13000, 13000),
        ("It has two hundred and fifty thousand books.", "number", "two hundred and fifty thousand", 250000, 250000),
        ("It has twenty-five books.", "number", "twenty-five", 25, 25),
        ("It has a dozen books.", "number", "a dozen", 12, 12),
        ("It has half a million books.", "number", "half a million", 5e5, 5e5),
        ("It has one and a half million books.", "number", "one and a half million", 1.5e6, 1.5e6),
        ("It has 3 lakh books.", "number", "3 lakh", 3e5, 3e5),
        ("It has 5m books.", "number", "5m", 5e6, 5e6),
        ("It is 5m long.", "quantity", "5m", 5, 5),
        ("It bats .297 now.", "number", "297", 0.297, 0.297),
        ("More than 500 came.", "number", "More than 500", 500, INF),
        ("No fewer than 500 came.", "number", "No fewer than 500", 500, INF),
        ("No more than 500 came.", "number", "No more than 500", -INF, 500),
        ("Up to 500 came.", "number", "Up to 500", -INF, 500),
        ("500 or more came.", "number", "500 or more", 500, INF),
        ("500+ came.", "number", "500+", 500, INF),
        ("Between 5 and 7 came.", "number", "5 and 7", 5, 7),
        ("It took 5-7 hours.", "duration", "5-7 hours", 18000, 25200),
        ("It took 15 or 20 men.", "number", "15 or 20", 15, 20),
        ("It cost 1.5bn euros.", "money", "1.5bn euros", 1.5e9, 1.5e9),
        ("It cost US$2bn.", "money", "US$2bn", 2e9, 2e9),
        ("It cost between $3 million and $5 million.", "money", "$3 million and $5 million", 3e6, 5e6),
        ("It cost 3 million pounds.", "money", "3 million pounds", 3e6, 3e6),
        ("It fell by 4 per cent.", "percentage", "4 per cent", 4, 4),
        ("A third of them left.", "percentage", "A third", 100 / 3, 100 / 3),
        ("Two-thirds of them left.", "percentage", "Two-thirds", 200 / 3, 200 / 3),
        ("Half of them left.", "percentage", "Half", 50, 50),
        ("The 10-mile run.", "quantity", "10-mile", 16093.44, 16093.44),
        ("It was 30°C there.", "quantity", "30°C", 303.15, 303.15),
        ("The talks lasted a week.", "duration", "a week", 604800, 604800),
        ("A 63-year-old man.", "duration", "63-year", 63 * 31557600, 63 * 31557600),
        ("They won 3-1 there.", "score", "3-1", 3, 1),
        ("Her 21st novel.", "ordinal", "21st", 21, 21),
        ("The third novel.", "ordinal", "third", 3, 3),
        ("It rose in the 1990s.", "date", "1990s", 1990, 1999),
        ("In the nineteenth century.", "date", "nineteenth century", 1800, 1900),
        ("From 1997 to 2003 it rose.", "date", "1997 to 2003", 1997, 2003),
        ("The 1997-98 season.", "date", "1997-98", 1997, 1998),
        ("He died in 44 BC.", "date", "44 BC", -44, -44),
        ("It began at 3.30pm.", "time", "3.30pm", 930, 930),
        ("It began at noon.", "time", "noon", 720, 720),
    ],
)
def test_one_value(text, kind, said, low, high):
    (found,) = values(text)
    assert found[:2] == (kind, said)
    assert found[2:] == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("on May 3, 1975", (1975, 5, 3)),
        ("on 14 April 1949", (1949, 4, 14)),
        ("the 5th of May", (None, 5, 5)),
        ("in May 2015", (2015, 5, None)),
        ("on february 28", (None, 2, 28)),
        ("2015-05-03", (2015, 5, 3)),
        ("03.05.2015", (2015, 5, 3)),
        ("13/5/2015", (2015, 5, 13)),
        ("in 2015", (2015, None, None)),
        ("on Oct. 1 and 2", (None, 10, None)),
        ("7–23 February 2014", (2014, 2, None)),
    ],
)
def test_dates(text, parts):
    (value,) = find_values(text)
    assert value.parts == parts


@pytest.mark.parametrize(
    "text",
    ["COVID-19 is here", "the F16 jet", "open 24/7", "a 3D film", "Apollo 11", "May I?", "hundreds of them", "no one came",
     "see episode 100", "room 12", "call 020-7946", "2019-nCoV", "one of them",
     "rank #5", "a 4x4 car", "in his 60s"],
)  # fmt: skip
def test_what_is_no_value(text):
    assert values(text) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Then Anna Berg met the Bank of England.", ["Anna Berg", "Bank of England"]),
        ("The court of Lyon, said Ludwig van Beethoven.", ["Lyon", "Ludwig van Beethoven"]),
        ("It was Apollo 11 that flew.", ["Apollo 11"]),
        ("The talks ended.", []),
    ],
)
def test_names(text, names):
    assert [v.text for v in find_values(text) if v.kind == "name"] == names


@settings(deadline=None)
@given(st.text(max_size=200))
def test_values_are_where_they_say(text):
    for value in find_values(text):
        assert text[value.start : value.end] == value.text != ""
        assert not math.isnan(value.low)


def test_units_are_what_pint_makes_of_them():
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    bases = {name: name for name in ("m", "kg", "m/s", "W", "J", "byte", "Hz", "s", "K")} | {"m2": "m**2", "l": "liter"}
    odd = """l:liter C:degC F:degF mi:mile lb:pound nmi:nautical_mile light-year:light_year m²:m**2 km²:km**2 mi²:mile**2 ft²:foot**2
    barrel:oil_barrel m³:m**3 kw:kW mw:MW gw:GW w:W kwh:kWh mwh:MWh gwh:GWh twh:TWh mb:MB gb:GB tb:TB hz:Hz khz:kHz mhz:MHz ghz:GHz
    ha:hectare yd:yard tonne:metric_ton h:hour"""
    names = dict(entry.split(":") for entry in odd.split())
    checked = set()
    for unit in UNITS.values():
        if unit.base in bases and unit.name not in ("degree", "decade"):
            there = registry.Quantity(1.0, names.get(unit.name, unit.name)).to(bases[unit.base]).magnitude
            assert unit.factor + unit.offset == pytest.approx(there, rel=1e-5), unit
            checked.add(unit.name)
    assert len(checked) > 60
