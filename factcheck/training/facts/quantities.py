"""Pairs about quantities: the same one written otherwise, bounded, rounded, altered, or the other one of the sentence."""

import math
from dataclasses import replace
from string import Formatter

import numpy as np

from factcheck.labels import Stance
from factcheck.training.facts.frames import COUNTED, DOUBLE, FRAMES, SUBJECTS
from factcheck.training.facts.measures import KINDS, Quantity, draw, write
from factcheck.training.facts.names import city, company, country, people, pick, team, two
from factcheck.training.facts.numerals import plain, written

__all__ = ["fill", "make_double", "make_quantity", "sentence"]

Pair = tuple[str, str, Stance]

_MORE = ("more than {}", "over {}", "at least {}", "upwards of {}")
_LESS = ("fewer than {}", "less than {}", "under {}", "at most {}", "no more than {}")
_ABOUT = ("about {}", "around {}", "some {}", "roughly {}", "approximately {}")
_BUILDINGS = "factory,museum,school,bridge,library,theatre,station,hospital,airport,church,stadium,hotel,market hall,castle".split(
    ","
)


def fill(template: str, rng: np.random.Generator, **given: str) -> str:
    """The template with its names filled in: ``{person}`` or ``{p}``, ``{city}``, ``{c}``, ``{d}``, ``{country}``, ``{company}``, …"""
    makers = {
        "person": lambda: people(rng, 1)[0],
        "p": lambda: people(rng, 1)[0],
        "city": lambda: city(rng),
        "c": lambda: city(rng),
        "d": lambda: city(rng),
        "country": lambda: country(rng),
        "company": lambda: company(rng),
        "team": lambda: team(rng),
        "f": lambda: fill(pick(SUBJECTS["firm"], rng), rng),
        "a": lambda: fill(pick(SUBJECTS["area"], rng), rng),
        "b": lambda: pick(_BUILDINGS, rng),
    }
    names = {name for _, name, _, _ in Formatter().parse(template) if name}
    values = {
        name: makers[name]() if name in makers and name not in given else "{" + name + "}" for name in sorted(names)
    }
    return template.format(**{**values, **given})


def sentence(text: str) -> str:
    """The text with a capital at its start and a full stop."""
    text = text.strip()
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def make_quantity(rng: np.random.Generator) -> Pair:
    """A claim about a quantity, one sentence of evidence, and the stance."""
    if rng.random() < 0.45:
        template, things = pick(COUNTED, rng)
        kind = "count" if rng.random() < 0.85 else "percent"
        template = fill(template.replace("{n}", "{q}"), rng, q="{q}")
        if kind == "percent":
            things = f"the {things}"
    else:
        kind, template, subject = pick(FRAMES, rng)
        things = ""
        template = fill(template, rng, s=fill(pick(SUBJECTS[subject], rng), rng), q="{q}")
    known = draw(kind, rng)
    evidence = sentence(template.format(q=write(known, rng, things=things)))
    if rng.random() < 0.08:  # both units, as in "328 feet (100 m)"
        evidence = _doubled(template, known, things, rng) or evidence
    makers = (_same, _same, _same, _altered, _altered, _bounded, _bounded, _rounded_claim, _subject, _open_bound)
    while True:
        made = pick(makers, rng)(template, known, things, rng)
        if made is not None:
            claim, stance, other = made
            return sentence(claim), other or evidence, stance


def _doubled(template: str, known: Quantity, things: str, rng: np.random.Generator) -> str | None:
    if known.kind not in ("length", "mass", "speed", "area"):
        return None
    units = KINDS[known.kind][0]
    others = [u for u in units if u.system != units[known.unit].system]
    other = pick(others, rng)
    value = known.value * units[0].size / other.size
    if value < 1:
        return None
    return sentence(template.format(q=f"{other.forms[0].format(plain(round(value)))} ({write(known, rng)})"))


Made = tuple[str, Stance, str | None]


def _same(template: str, known: Quantity, things: str, rng: np.random.Generator) -> Made:
    return template.format(q=write(known, rng, other_unit=rng.random() < 0.6, things=things)), Stance.SUPPORT, None


def _altered(template: str, known: Quantity, things: str, rng: np.random.Generator) -> Made | None:
    other = _other(known, rng)
    if other is None:
        return None
    return template.format(q=write(other, rng, things=things)), Stance.REFUTE, None


def _other(known: Quantity, rng: np.random.Generator) -> Quantity | None:
    """A quantity that is not the known one: another number, magnitude, unit or currency."""
    way = rng.random()
    if way < 0.3 and known.kind == "money":
        return replace(known, unit=int(pick([i for i in range(7) if i != known.unit], rng)))
    if way < 0.4 and known.kind in KINDS:
        units = KINDS[known.kind][0]
        number = known.value / units[known.unit].size
        other = int(pick([i for i in range(len(units)) if i != known.unit], rng))
        return replace(known, value=number * units[other].size, unit=other)
    if way < 0.65 and known.kind != "percent":
        factor = pick((1000.0, 0.001, 10.0, 0.1, 100.0), rng) if known.value >= 1e5 else pick((10.0, 0.1, 100.0), rng)
        value = known.value * factor
    else:
        value = known.value * pick((0.25, 0.5, 0.6, 0.75, 0.8, 1.25, 1.3, 1.5, 2.0, 3.0), rng)
    if known.kind in ("count", "percent"):
        value = float(round(value))
    if value < (2 if known.kind == "count" else 0.9) or (known.kind == "percent" and value > 99) or value > 1e12:
        return None
    if abs(value - known.value) < 0.12 * known.value:
        return None
    if known.kind in KINDS:
        size = KINDS[known.kind][0][known.unit].size / KINDS[known.kind][0][0].size
        value = max(1.0, round(value / size)) * size
        if abs(value - known.value) < 0.12 * known.value:
            return None
    elif known.kind == "money":
        value = float(f"{value:.3g}")
    return replace(known, value=value)


def _round_number(value: float, up: bool) -> float:
    """The next round number beyond ``value``."""
    step = 10.0 ** math.floor(math.log10(value))
    step = step / 2 if value / step < 3 else step
    return (math.floor(value / step) + 1) * step if up else (math.ceil(value / step) - 1) * step


def _bounded(template: str, known: Quantity, things: str, rng: np.random.Generator) -> Made | None:
    """ "More than 500" of 527 and "fewer than 600": support; the other way round: refute."""
    if known.kind in KINDS or known.value < 3:
        return None
    above, true = rng.random() < 0.65, rng.random() < 0.6
    bound = _round_number(known.value, up=(above != true))
    if (
        bound < 2
        or (known.kind == "percent" and bound > 99)
        or (not true and abs(bound - known.value) < 0.05 * known.value)
    ):
        return None
    words = pick(_MORE if above else _LESS, rng)
    amount = words.format(write(replace(known, value=bound), rng, things=things))
    return template.format(q=amount), Stance.SUPPORT if true else Stance.REFUTE, None


def _rounded_claim(template: str, known: Quantity, things: str, rng: np.random.Generator) -> Made | None:
    """ "About 500" of 512: support; "almost 500" of 512, "about 500" of 900: refute."""
    if known.kind in KINDS or known.value < 30 or known.kind == "percent":
        return None
    near = float(f"{known.value:.1g}") if rng.random() < 0.5 else float(f"{known.value:.2g}")
    off = abs(near - known.value) / known.value
    if near == known.value or off > 0.06:
        return None
    written_near = write(replace(known, value=near), rng, things=things)
    if rng.random() < 0.35:
        words = pick(("almost {}", "nearly {}", "just under {}", "close to {}"), rng)
        if words.startswith("close") and known.value > near:
            return None
        return (
            template.format(q=words.format(written_near)),
            Stance.SUPPORT if known.value < near else Stance.REFUTE,
            None,
        )
    return template.format(q=pick(_ABOUT, rng).format(written_near)), Stance.SUPPORT, None


def _open_bound(template: str, known: Quantity, things: str, rng: np.random.Generator) -> Made | None:
    """Evidence that gives a bound alone: a number beyond it is left open, one on the wrong side is refuted."""
    if known.kind in KINDS or known.value < 10:
        return None
    above, way = rng.random() < 0.7, rng.random()
    evidence = sentence(
        template.format(q=pick((_MORE if above else _LESS), rng).format(write(known, rng, things=things)))
    )
    factor = float(pick((1.1, 1.2, 1.4) if above == (way < 0.5) else (0.8, 0.7, 0.5), rng))
    value = float(f"{known.value * factor:.2g}")
    if known.kind == "percent" and not 1 <= value <= 99:
        return None
    claim = template.format(q=write(replace(known, value=float(round(value))), rng, things=things))
    return claim, Stance.INSUFFICIENT if way < 0.5 else Stance.REFUTE, evidence


def _subject(template: str, known: Quantity, things: str, rng: np.random.Generator) -> Made | None:
    """The same quantity said of another subject of the same kind: both can be true."""
    kinds = [(frame, subject) for kind, frame, subject in FRAMES if kind == known.kind]
    if not kinds:
        return None
    frame, subject = pick(kinds, rng)
    first, second = two(SUBJECTS[subject], rng)
    first, second = fill(first, rng), fill(second, rng)
    if first == second:
        return None
    amount = write(known, rng)
    claim, evidence = (fill(frame, rng, s=s, q=amount, city="{city}") for s in (first, second))
    place = city(rng)
    return claim.replace("{city}", place), Stance.INSUFFICIENT, sentence(evidence.replace("{city}", place))


def make_double(rng: np.random.Generator) -> Pair:
    """Evidence with two values of a kind, and a claim that gives one of its facts its own value, or the other's."""
    kind, evidence, first, second = pick(DOUBLE, rng)
    if kind == "year":
        start = int(rng.integers(1850, 2015))
        values = [str(start), str(start + int(rng.integers(2, 60)))]
    elif kind == "people":
        low, high = sorted(int(v) for v in rng.choice(np.arange(2, 120), 2, replace=False))
        low, high = (high, low) if rng.random() < 0.5 and "Of the" not in evidence else (low, high)
        if "Of the" in evidence:
            low, high = high, low
        values = [written(low, rng), written(high, rng)]
    else:
        x, y = draw(kind, rng), draw(kind, rng)
        while abs(x.value - y.value) < 0.1 * x.value:
            y = draw(kind, rng)
        y = replace(y, unit=x.unit) if kind == "money" else y
        values = [write(x, rng), write(y, rng)]
    places = two(
        (
            "Lyon Bern Turin Porto Leipzig Krakow Bergen Graz Ghent Oran Lagos Pune Osaka Perth Calgary Quito Dallas Leeds"
        ).split(),
        rng,
    )
    names = {"p": people(rng, 1)[0], "f": company(rng), "c": places[0], "d": places[1], "b": pick(_BUILDINGS, rng)}
    own = int(rng.integers(2))
    right = rng.random() < 0.45
    value = values[own] if right else values[1 - own]
    if not right and rng.random() < 0.3 and kind == "year":
        value = str(int(values[own]) + int(rng.integers(1, 20)) * (1 if rng.random() < 0.5 else -1))
    claim = (first, second)[own].format(x=value, y=value, **names)
    text = evidence.format(x=values[0], y=values[1], **names)
    return sentence(claim), sentence(text), Stance.SUPPORT if right else Stance.REFUTE
