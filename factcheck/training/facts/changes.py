"""Pairs about what rose or fell, began or ended, and about the weather of a place on a day."""

import numpy as np

from factcheck.labels import Stance
from factcheck.training.facts.frames import SUBJECTS
from factcheck.training.facts.measures import draw, write
from factcheck.training.facts.names import CITIES, pick, two
from factcheck.training.facts.quantities import fill, sentence

__all__ = ["make_direction", "make_weather"]

Pair = tuple[str, str, Stance]

_UP = ("rose", "increased", "went up", "climbed", "grew", "jumped", "have risen", "are up", "surged", "soared")
_DOWN = ("fell", "decreased", "went down", "dropped", "declined", "sank", "have fallen", "are down", "plunged", "slid")
_SINGULAR = {"have risen": "has risen", "are up": "is up", "have fallen": "has fallen", "are down": "is down"}

#: Verbs and their opposites; either side lists what says the same.
_OPPOSED = tuple(
    tuple(tuple(side.split("/")) for side in line.split("|"))
    for line in """
{person} accepted the offer/{person} said yes to the offer|{person} rejected the offer/{person} turned down the offer
The court upheld the ban on {x}/The ban on {x} was upheld by the court|The court overturned the ban on {x}/The court lifted the ban on {x}
The council approved the {x}/The {x} was approved by the council|The council rejected the {x}/The council turned down the {x}
{country} banned {x}/{x} were banned in {country}|{country} allowed {x}/{x} were allowed in {country}
{company} opened its plant in {city}/{company}'s plant in {city} was opened|{company} closed its plant in {city}/{company} \
shut its plant in {city}
{person} was found guilty/{person} was convicted|{person} was acquitted/{person} was cleared of all charges/{person} was found not guilty
{person} won the election/{person} was victorious in the election|{person} lost the election/{person} was defeated in the election
{team} won the final/{team} triumphed in the final|{team} lost the final/{team} were beaten in the final
{person} survived the crash/{person} came out of the crash alive|{person} died in the crash/{person} was killed in the crash
The talks in {city} succeeded/The talks in {city} ended with an agreement|The talks in {city} failed/The talks in {city} \
ended without an agreement
{person} bought the house/{person} purchased the house|{person} sold the house
The water in {city} is safe to drink/The water in {city} can be drunk|The water in {city} is unsafe to drink/The water in \
{city} is not fit to drink
The vaccine is effective against {y}/The vaccine works against {y}|The vaccine is ineffective against {y}/The vaccine does \
not work against {y}
{y} is contagious/{y} spreads from person to person|{y} is not contagious/{y} does not spread from person to person
{person} is alive/{person} is still living|{person} is dead/{person} has died
The {z} is open to the public/Everybody can visit the {z}|The {z} is closed to the public/The public cannot visit the {z}
{person} supports the {x}/{person} is in favour of the {x}|{person} opposes the {x}/{person} is against the {x}
The photo is genuine/The photo is real|The photo is fake/The photo was made on a computer
{company} made a profit last year/{company} was profitable last year|{company} made a loss last year/{company} lost money last year
The majority voted for the {x}/Most voted for the {x}|Only a minority voted for the {x}/Most voted against the {x}
{person} arrived before noon/{person} came in the morning|{person} arrived after noon/{person} came in the afternoon
The {z} stands in the north of {city}/The {z} is in northern {city}|The {z} stands in the south of {city}/The {z} is in southern {city}
{person} was the first to speak/{person} spoke before all others|{person} was the last to speak/{person} spoke after all others
All passengers survived/Nobody on board died|All passengers died/No passenger survived
The {z} is public/The {z} belongs to the state|The {z} is private/The {z} belongs to a private owner
{country} joined the {w}/{country} became a member of the {w}|{country} left the {w}/{country} quit the {w}
The strike in {city} has begun/Workers in {city} have gone on strike|The strike in {city} has ended/The strike in {city} is over
{person} admitted the theft/{person} confessed to the theft|{person} denied the theft/{person} pleaded not guilty to the theft
The trams do not stop at the {z} in {city}|The trams stop at the {z} in {city}/Trams call at the {z} in {city}
The price of bread in {city} did not go up/Bread still costs the same in {city}|\
The price of bread in {city} went up/Bread got dearer in {city}
The {z} has not been finished/The {z} is still being built|The {z} has been finished/The {z} is complete
You need no ticket for the {z}/Entry to the {z} is free|You need a ticket for the {z}/The {z} charges an entry fee
The club did not sell {person}/{person} stays at the club|The club sold {person}/{person} was sold by the club
The {z} in {city} is smaller than the cathedral|The {z} in {city} is larger than the cathedral
The {z} does not open on Sundays/On Sundays the {z} stays shut|The {z} opens on Sundays/The {z} is open on Sundays
The flight to {city} was early|The flight to {city} was late/The flight to {city} was delayed
{person} kept the job/{person} remained in office|{person} lost the job/{person} was removed from office
""".strip().splitlines()
)
_FILL = {
    "x": tuple(
        "fireworks|plastic bags|night flights|street music|fur|e-scooters|wood stoves|drones|new tax|wind farm|merger"
        "|motorway|budget".split("|")
    ),
    "y": tuple("Measles|Malaria|Flu|Cholera|Dengue|Polio|The new virus|The infection|Mumps|Typhoid".split("|")),
    "z": tuple("castle museum library garden beach park tower archive palace market hospital zoo".split()),
    "w": tuple("alliance union treaty customs union league convention pact".split()),
}

_WEATHER = tuple(
    tuple(group.split("|"))
    for group in (
        "It snowed in {c}|Snow fell in {c}",
        "It rained in {c}|There was rain in {c}",
        "It was sunny in {c}|The sun shone in {c}",
        "It was freezing in {c}|Temperatures in {c} were below zero",
        "It was hot in {c}|{c} had a hot day",
        "There was thick fog in {c}|{c} lay in thick fog",
        "There was a thunderstorm in {c}|A thunderstorm hit {c}",
        "It was windy in {c}|Strong winds blew in {c}",
    )
)
_CLASH = {(0, 2), (0, 4), (1, 2), (3, 4), (2, 5), (2, 6)}
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def make_direction(rng: np.random.Generator) -> Pair:
    """The same change in other words (support), its opposite (refute), or that of something else (insufficient)."""
    if rng.random() < 0.5:
        return _opposed(rng)
    first, second = (fill(subject, rng) for subject in two(SUBJECTS["price"], rng))
    known, turned = (_UP, _DOWN) if rng.random() < 0.5 else (_DOWN, _UP)
    amount = draw("percent", rng)
    tail = pick(("", " by {q}", " by {q}", " {q}", " sharply", " slightly", " last year"), rng)

    def said(subject: str, words: tuple[str, ...]) -> str:
        verb = pick(words, rng)
        if not subject.split(" in ")[0].split(" at ")[0].endswith("s") and not subject.startswith("Shares"):
            verb = _SINGULAR.get(verb, verb)
        return sentence(f"{subject} {verb}{tail}".format(q=write(amount, rng)))

    evidence, way = said(first, known), rng.random()
    if way < 0.4:
        return said(first, known), evidence, Stance.SUPPORT
    if way < 0.8:
        return said(first, turned), evidence, Stance.REFUTE
    return said(second, known if rng.random() < 0.6 else turned), evidence, Stance.INSUFFICIENT


def _opposed(rng: np.random.Generator) -> Pair:
    sides = pick(_OPPOSED, rng)
    values = {name: pick(options, rng) for name, options in _FILL.items()}
    own = int(rng.integers(2))
    seed = int(rng.integers(2**31))  # the same names on both sides

    def said(side: int, names: int) -> str:
        return sentence(fill(pick(sides[side], rng), np.random.default_rng(names), **values))

    evidence, way = said(own, seed), rng.random()
    if way < 0.42:
        return said(own, seed), evidence, Stance.SUPPORT
    claim = said(1 - own, seed)
    if way < 0.85:
        return claim, evidence, Stance.REFUTE
    other = said(int(rng.integers(2)), seed + 1)
    named = any(name in sides[0][0] for name in ("{person}", "{city}", "{country}", "{company}", "{team}"))
    return (other, evidence, Stance.INSUFFICIENT) if named else (claim, evidence, Stance.REFUTE)


def make_weather(rng: np.random.Generator) -> Pair:
    """The weather of a place on a day: of another place or day nothing is known."""
    kind = int(rng.integers(len(_WEATHER)))
    place, other_place = two(CITIES, rng)
    day, other_day = two(_DAYS, rng)

    def said(which: int, where: str, when: str) -> str:
        return sentence(f"{pick(_WEATHER[which], rng).format(c=where)} on {when}")

    evidence, way = said(kind, place, day), rng.random()
    if way < 0.35:
        return said(kind, place, day), evidence, Stance.SUPPORT
    if way < 0.55:
        clash = [b if a == kind else a for a, b in _CLASH if kind in (a, b)]
        return (
            (said(pick(clash, rng), place, day), evidence, Stance.REFUTE)
            if clash
            else (evidence, evidence, Stance.SUPPORT)
        )
    new = kind if rng.random() < 0.5 else int(rng.integers(len(_WEATHER)))
    where, when = pick(((other_place, day), (place, other_day), (other_place, other_day)), rng)
    return said(new, where, when), evidence, Stance.INSUFFICIENT
