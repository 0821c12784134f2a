"""Pairs about who does what to whom: roles swapped, active and passive, comparisons, one side somebody else."""

from collections.abc import Callable

import numpy as np

from factcheck.labels import Stance
from factcheck.training.facts.names import CITIES, COUNTRIES, company, people, pick, team
from factcheck.training.facts.quantities import sentence
from factcheck.training.facts.verbs import COMPARISONS, RELATIONS, SYMMETRIC

__all__ = ["make_comparison", "make_role"]

Pair = tuple[str, str, Stance]


def _three(make: Callable[[np.random.Generator], str], rng: np.random.Generator) -> list[str]:
    found: list[str] = []
    while len(found) < 3:
        name = make(rng)
        if name not in found:
            found.append(name)
    return found


def _sides(who: str, rng: np.random.Generator) -> list[str]:
    """Three different names of that kind."""
    if who == "person":
        return people(rng, 3)
    if who in ("country", "city"):
        names = COUNTRIES if who == "country" else CITIES
        return [names[i] for i in rng.choice(len(names), 3, replace=False)]
    return _three(company if who == "company" else team, rng)


def make_role(rng: np.random.Generator) -> Pair:
    """A relation of two: as it is or in the passive (support), swapped (refute), with another side (insufficient)."""
    relation = pick(RELATIONS, rng)
    a, b, other = _sides(relation.who, rng)
    tail = pick(("", "", "", " on {d}", " in {y}", " last {m}"), rng).format(
        d=pick(("Monday", "Tuesday", "Friday", "Saturday", "Sunday"), rng),
        y=rng.integers(1950, 2026),
        m=pick(("week", "month", "year"), rng),
    )
    if " is " in relation.past or relation.past.split()[1].endswith("s"):  # a state has no day
        tail = ""
    ways = [way for way in (relation.past, relation.passive, relation.inverse) if way]
    evidence = sentence(pick(ways, rng).format(a=a, b=b) + tail)
    claimed = pick(ways, rng)
    draw = rng.random()
    if draw < 0.1:
        who = relation.who
        evidence = sentence(f"{a} {pick(SYMMETRIC[who], rng)} {b}{tail}")
        return evidence.replace(a, "{0}").replace(b, "{1}").format(b, a), evidence, Stance.SUPPORT
    if draw < 0.42:
        return sentence(claimed.format(a=a, b=b) + (tail if rng.random() < 0.6 else "")), evidence, Stance.SUPPORT
    if draw < 0.8:
        return sentence(claimed.format(a=b, b=a) + (tail if rng.random() < 0.6 else "")), evidence, Stance.REFUTE
    first, second = (other, b) if rng.random() < 0.5 else (a, other)
    return sentence(claimed.format(a=first, b=second) + tail), evidence, Stance.INSUFFICIENT


def make_comparison(rng: np.random.Generator) -> Pair:
    """Comparisons: the same from the other side (support), turned round (refute), with somebody else (insufficient)."""
    who, more, less = pick(COMPARISONS, rng)
    a, b, other = _sides(who, rng)
    if rng.random() < 0.5:
        more, less = less, more
    verb = pick(("is", "is", "was"), rng)
    by = pick(("", "", " far", " much", " slightly"), rng) if not more.startswith(("more", "less", "further")) else ""
    evidence = sentence(f"{a} {verb}{by} {more} than {b}")
    draw = rng.random()
    if draw < 0.4:
        first, word, second = _either_way(a, b, more, less, rng)
        return sentence(f"{first} {verb} {word} than {second}"), evidence, Stance.SUPPORT
    if draw < 0.8:
        first, word, second = _either_way(b, a, more, less, rng)
        return sentence(f"{first} {verb} {word} than {second}"), evidence, Stance.REFUTE
    names = (a, other) if rng.random() < 0.5 else (other, b)
    return sentence(f"{names[0]} {verb} {more} than {names[1]}"), evidence, Stance.INSUFFICIENT


def _either_way(a: str, b: str, more: str, less: str, rng: np.random.Generator) -> tuple[str, str, str]:
    """ "a … more than b" or the same as "b … less than a"."""
    return (a, more, b) if rng.random() < 0.5 else (b, less, a)
