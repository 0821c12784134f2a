"""Pairs about what somebody did: somebody else, another place or time, less or more said, hedges, two facts of which one is known."""

from dataclasses import dataclass, replace

import numpy as np

from factcheck.labels import Stance
from factcheck.training.facts.names import CITIES, city, company, country, people, pick, team
from factcheck.training.facts.quantities import sentence
from factcheck.training.facts.verbs import ACTS, Act

__all__ = ["make_event", "make_hedge", "make_holder", "make_negation", "make_parts"]

Pair = tuple[str, str, Stance]

_BY_KIND = {who: tuple(act for act in ACTS if act.who == who) for who in ("country", "company", "person", "body")}
_BODIES = (
    "the council of {c}|the mayor of {c}|the school in {c}|the hospital in {c}|the university of {c}|the zoo in {c}|the museum in {c}|"
    "the port of {c}|the court in {c}|the church in {c}|the police in {c}|the theatre in {c}|the airport in {c}|the health ministry of {n}|"
    "the parliament of {n}|the central bank of {n}|the army of {n}|the government of {n}|{t}|the library in {c}|the town of {c}"
).split("|")
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January February March April May June July August September October November December".split()


@dataclass(frozen=True, slots=True)
class Event:
    """A subject, what it did, and where and when ("" where that is not said)."""

    subject: str
    act: Act
    place: str = ""
    time: str = ""

    def past(self) -> str:
        return sentence(f"{self.subject} {self.act.past} {self.act.rest}{self.place}{self.time}")

    def after(self, words: str, form: str = "base") -> str:
        """The event behind an auxiliary or a hedge: "Norway plans to ban fur farms"."""
        return sentence(f"{self.subject} {words} {getattr(self.act, form)} {self.act.rest}{self.place}{self.time}")

    def passive(self) -> str | None:
        """ "Fur farms were banned by Norway", where that is said."""
        first = self.act.rest.split()[0]
        if first in ("to", "on", "out", "in", "abroad", "as", "from", "at") or self.act.base in (
            "leave",
            "join",
            "visit",
        ):
            return None
        owned = self.act.rest.startswith("its ")
        if owned:
            return None
        plural = self.act.rest.split(" to ")[0].split(" in ")[0].split(" from ")[0].endswith("s")
        return sentence(
            f"{self.act.rest} {'were' if plural else 'was'} {self.act.participle} by {self.subject}{self.place}{self.time}"
        )


def _subject(who: str, rng: np.random.Generator) -> str:
    if who == "person":
        return people(rng, 1)[0]
    if who == "country":
        return country(rng)
    if who == "company":
        return company(rng)
    return pick(_BODIES, rng).format(c=city(rng), n=country(rng), t=team(rng))


def _time(rng: np.random.Generator) -> str:
    return pick(
        (
            f" on {pick(_DAYS, rng)}",
            f" in {pick(_MONTHS, rng)}",
            f" in {rng.integers(1990, 2026)}",
            f" on {rng.integers(1, 29)} {pick(_MONTHS, rng)}",
            f" in {pick(_MONTHS, rng)} {rng.integers(2000, 2026)}",
            pick((" last week", " last year", " yesterday", " this morning", " at the weekend"), rng),
        ),
        rng,
    )


def _event(rng: np.random.Generator, who: str | None = None) -> Event:
    who = who or pick(("country", "company", "person", "body"), rng)
    act = pick(_BY_KIND[who], rng)
    act = act._replace(rest=act.rest.format(c=city(rng)))
    place = (
        f" in {city(rng)}"
        if who in ("person", "company") and " in " not in act.rest and act.rest[:3] != "to " and rng.random() < 0.3
        else ""
    )
    return Event(_subject(who, rng), act, place, _time(rng) if rng.random() < 0.4 else "")


def _said(event: Event, rng: np.random.Generator) -> str:
    """The event as a sentence, in one of a few ways that say the same."""
    draw = rng.random()
    if draw < 0.25 and (passive := event.passive()):
        return passive
    if draw < 0.33:
        return event.after("has", "participle")
    if draw < 0.4 and event.time:
        return sentence(f"{event.time.strip()}, {event.subject} {event.act.past} {event.act.rest}{event.place}")
    return event.past()


def make_event(rng: np.random.Generator) -> Pair:
    """An event and the same (support), or one with another subject, object, place, time, or more said of it (insufficient)."""
    event = _event(rng)
    will = rng.random() < 0.15
    draw = rng.random()
    if draw < 0.35:
        told = event if rng.random() < 0.6 else replace(event, time="", place=event.place if rng.random() < 0.5 else "")
        if will:
            return told.after(pick(("will", "is going to"), rng)), event.after("will"), Stance.SUPPORT
        return _said(told, rng), _said(event, rng), Stance.SUPPORT
    changes = ["subject"] * 4 + ["object", "all"] + ["time"] * 2 + ["more"] * (not event.time)
    changes += ["place"] * 2 if event.place or " in " in event.act.rest or " in " in event.subject else []
    other = _changed(event, pick(changes, rng), rng)
    if will:
        return other.after("will"), event.after("will"), Stance.INSUFFICIENT
    return _said(other, rng), _said(event, rng), Stance.INSUFFICIENT


def _changed(event: Event, what: str, rng: np.random.Generator) -> Event:
    other = event
    while other == event:
        if what == "subject":
            other = replace(event, subject=_subject(event.act.who, rng))
        elif what == "object":
            fresh = pick([act for act in _BY_KIND[event.act.who] if act.base != event.act.base], rng)
            other = replace(event, act=fresh._replace(rest=fresh.rest.format(c=city(rng))))
        elif what in ("time", "more"):
            other = replace(event, time=_time(rng))
        elif what == "place":
            names = [name for name in CITIES if f" {name}" in event.past()]
            new = city(rng)
            swap = {"subject": event.subject, "place": event.place}
            for name in names:
                swap = {key: value.replace(name, new) for key, value in swap.items()}
            rest = event.act.rest
            for name in names:
                rest = rest.replace(name, new)
            other = replace(event, act=event.act._replace(rest=rest), **swap)
            if not names:
                return replace(event, place=f" in {new}")
        else:
            return _event(rng, event.act.who)
    return other


_PLANS = (
    "plans to",
    "wants to",
    "is considering whether to",
    "hopes to",
    "is expected to",
    "may",
    "could",
    "promised to",
    "vowed to",
    "threatened to",
    "was asked to",
    "is under pressure to",
    "is preparing to",
    "offered to",
    "might",
    "agreed in principle to",
)
_ALLEGED = (
    "allegedly {past}",
    "is suspected to have {participle}",
    "is accused of {ing}",
    "denied {ing}",
    "denies that it {past}",
    "reportedly thought about {ing}",
    "is said by rivals to have {participle}",
    "was rumoured to have {participle}",
    "was charged with {ing}",
    "was quoted as denying {ing}",
    "is being investigated for {ing}",
)
_FAILED = (
    "almost {past}",
    "nearly {past}",
    "came close to {ing}",
    "failed to {base}",
    "refused to {base}",
    "decided not to {base}",
    "did not {base}",
    "never {past}",
    "stopped short of {ing}",
    "has not {participle}",
    "narrowly avoided {ing}",
    "declined to {base}",
    "was prevented from {ing}",
    "gave up on {ing}",
)
_DONE = (
    "managed to {base}",
    "has {participle}",
    "succeeded in {ing}",
    "went on to {base}",
    "was forced to {base}",
    "finished {ing}",
    "ended up {ing}",
    "was the first to {base}",
    "did {base}",
)


def _hedged(event: Event, words: str) -> str:
    verb = words.format(**{form: getattr(event.act, form) for form in ("base", "past", "participle", "ing")})
    return sentence(f"{event.subject} {verb} {event.act.rest}{event.place}{event.time}")


def make_hedge(rng: np.random.Generator) -> Pair:
    """What was done beside what was planned or alleged (insufficient), almost or not done (refute), managed (support)."""
    event = _event(rng)
    draw = rng.random()
    if draw < 0.36:
        hedge = pick(tuple(f"{plan} {{base}}" for plan in _PLANS) + _ALLEGED * 2, rng)
        stance = Stance.INSUFFICIENT
    elif draw < 0.68:
        hedge, stance = pick(_FAILED, rng), Stance.REFUTE
    else:
        done = _hedged(event, pick(_DONE, rng))
        return (event.past() if rng.random() < 0.8 else done), done, Stance.SUPPORT
    bare, hedged = event.past(), _hedged(event, hedge)
    if rng.random() < 0.15:  # the hedge itself is what both say
        return hedged, hedged, Stance.SUPPORT
    return (bare, hedged, stance) if rng.random() < 0.6 else (hedged, bare, stance)


_NOT_DONE = tuple(words for words in _FAILED if words not in ("never {past}", "did not {base}", "has not {participle}"))
_NEGATIONS = ("did not {base}", "has not {participle}", "never {past}")


def make_negation(rng: np.random.Generator) -> Pair:
    """A claim that something was not done: supported by a refusal or a failure, refuted by the deed, left open by somebody else's."""
    event, draw = _event(rng), rng.random()
    claim = _hedged(event, pick(_NEGATIONS, rng))
    if draw < 0.55:
        return claim, _hedged(event, pick(_NOT_DONE if draw < 0.45 else _NEGATIONS, rng)), Stance.SUPPORT
    if draw < 0.8:
        return claim, event.past() if rng.random() < 0.6 else _hedged(event, pick(_DONE, rng)), Stance.REFUTE
    other = _changed(event, pick(("subject", "object"), rng), rng)
    return (
        claim,
        _hedged(other, pick((*_NOT_DONE, *_NEGATIONS), rng)) if rng.random() < 0.6 else other.past(),
        Stance.INSUFFICIENT,
    )


def make_parts(rng: np.random.Generator) -> tuple[str, list[str], Stance]:
    """A claim of two facts: both among the sentences (support), one alone (insufficient), one denied (refute)."""
    first = _event(rng)
    second = replace(_event(rng, first.act.who), subject=first.subject)
    while second.act.base == first.act.base:
        second = replace(_event(rng, first.act.who), subject=first.subject)
    if rng.random() < 0.25:
        second = _event(rng)
    joint = f"{second.act.past} {second.act.rest}{second.place}{second.time}"
    lead = first.past()[:-1]
    claim = sentence(
        f"{lead} and {joint}" if second.subject == first.subject else f"{lead} and {second.subject} {joint}"
    )
    sentences = [_said(first, rng), _said(second, rng)]
    draw = rng.random()
    if draw < 0.36:
        stance = Stance.SUPPORT
    elif draw < 0.7:
        gone = int(rng.integers(2))
        sentences[gone] = _said(
            replace(
                _event(rng, first.act.who),
                subject=first.subject if rng.random() < 0.5 else _subject(first.act.who, rng),
            ),
            rng,
        )
        stance = Stance.INSUFFICIENT
    else:
        wrong = int(rng.integers(2))
        sentences[wrong] = _hedged(
            (first, second)[wrong],
            pick(("did not {base}", "refused to {base}", "failed to {base}", "never {past}"), rng),
        )
        stance = Stance.REFUTE
    sentences += [_said(_event(rng), rng) for _ in range(int(rng.integers(0, 3)))]
    order = rng.permutation(len(sentences))
    return claim, [sentences[i] for i in order], stance


_HOLDERS = (
    "The capital of {n} is {c}|c",
    "{p} is the president of {n}|p",
    "{p} is the mayor of {c}|p",
    "{p} was born in {c}|c",
    "{p} died in {c}|c",
    "The headquarters of {f} are in {c}|c",
    "{f} was founded by {p}|p",
    "{p} is the chief executive of {f}|p",
    "The {y} final was won by {t}|t",
    "{p} won the {y} presidential election in {n}|p",
    "{p} was born on {d}|d",
    "{f} was founded in {y}|y",
    "The novel was written by {p}|p",
    "{p} is the captain of {t}|p",
    "The {y} Winter Games were held in {c}|c",
    "The film was directed by {p}|p",
    "The mother of {p} is {q}|q",
    "The song was composed by {p}|p",
    "{n} became independent in {y}|y",
    "The tallest building in {c} is the {f} Tower|f",
    "{p} died on {d}|d",
    "The bridge in {c} was designed by {p}|p",
    "{t} was founded in {y}|y",
    "The first woman to lead {f} was {p}|p",
    "{p}'s birthplace is {c}|c",
    "{p} is the only survivor of the crash in {c}|p",
    "The prime minister of {n} is {p}|p",
    "{p} died in {y}|y",
    "{p} was born in {y}|y",
    "The oldest university in {n} is in {c}|c",
    "The university in {c} opened in {y}|y",
    "{f} is based in {c}|c",
    "The owner of {t} is {p}|p",
)


def make_holder(rng: np.random.Generator) -> Pair:
    """Relations with one holder: another holder refutes; of somebody else nothing is known."""
    template, slot = pick(_HOLDERS, rng).split("|")
    p, q = people(rng, 2)
    values = {
        "p": p,
        "q": q,
        "c": city(rng),
        "n": country(rng),
        "f": company(rng),
        "t": team(rng),
        "y": str(rng.integers(1900, 2025)),
        "d": f"{rng.integers(1, 29)} {pick(_MONTHS, rng)} {rng.integers(1900, 2005)}",
    }
    names = [name for name in values if "{" + name + "}" in template]
    fresh = dict(zip("pq", people(rng, 2), strict=True)) | {
        "c": city(rng),
        "n": country(rng),
        "f": company(rng),
        "t": team(rng),
        "y": str(rng.integers(1900, 2025)),
        "d": f"{rng.integers(1, 29)} {pick(_MONTHS, rng)} {rng.integers(1900, 2005)}",
    }
    evidence = sentence(template.format(**values))
    draw = rng.random()
    if draw < 0.33:
        return evidence, evidence, Stance.SUPPORT
    others = [name for name in names if name != slot]
    changed = slot if draw < 0.7 or not others else pick(others, rng)
    claim = sentence(template.format(**{**values, changed: fresh[changed]}))
    if claim == evidence:
        return claim, evidence, Stance.SUPPORT
    return claim, evidence, Stance.REFUTE if changed == slot else Stance.INSUFFICIENT
