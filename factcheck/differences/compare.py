"""A claim beside its evidence, value by value."""

from collections.abc import Sequence
from dataclasses import replace

from factcheck.differences.align import Link, link_names, link_values
from factcheck.differences.gathered import Gathered, gather
from factcheck.differences.reading import Reading, read
from factcheck.differences.records import Difference, Kind, Relation, Value
from factcheck.differences.turns import link_turns

__all__ = ["MAX_TEXT", "compare", "find_values", "links"]

#: Characters of a text that are read.
MAX_TEXT = 20_000


def find_values(text: str) -> tuple[Value, ...]:
    """The values in a text, in order: numbers, quantities, money, percentages, dates, times, ordinals, scores and names.

    Never raises on any string. Of a text of more than 20,000 characters the first are read.
    """
    found = []
    for reading in read(text[:MAX_TEXT]):
        found += [_moved(value, reading.offset) for value in (*reading.values, *reading.names)]
    return tuple(sorted(found, key=lambda value: (value.start, value.end)))


def compare(claim: str, sentences: Sequence[str]) -> tuple[Difference, ...]:
    """How each value of a claim stands to the evidence, in the order of the claim.

    Args:
        claim: one sentence or a few.
        sentences: the evidence, best first or in the order of the document; of each, as of the claim, the first 20,000
            characters are read.

    Returns:
        One difference for each value of the claim, and one for each turn of meaning that was found (swapped roles, opposites,
        negation, hedges).
    """
    evidence: list[Reading] = []
    home: list[int] = []
    for s, sentence in enumerate(sentences):
        readings = read(sentence[:MAX_TEXT])
        evidence += readings
        home += [s] * len(readings)
    gathered = gather(evidence)
    return tuple(
        _difference(claim, reading, link, evidence, home)
        for reading in read(claim[:MAX_TEXT])
        for link in links(reading, gathered)
    )


def _difference(
    claim: str, reading: Reading, link: Link, evidence: Sequence[Reading], home: Sequence[int]
) -> Difference:
    start, end = reading.offset + link.start, reading.offset + link.end
    mine = (link.kind, link.relation, start, end, claim[start:end])
    if (
        link.sentence is None
        or link.other is None
        or (link.relation is Relation.ABSENT and link.kind is not Kind.HEDGE)
    ):
        return Difference(*mine)
    theirs = evidence[link.sentence]
    first, last = link.other
    return Difference(*mine, home[link.sentence], theirs.offset + first, theirs.offset + last, theirs.text[first:last])


def _moved(value: Value, by: int) -> Value:
    return replace(value, start=value.start + by, end=value.end + by) if by else value


def links(claim: Reading, evidence: Gathered) -> list[Link]:
    """All links of a sentence of the claim, in its order."""
    found = [*link_values(claim, evidence), *link_names(claim, evidence), *link_turns(claim, evidence)]
    return sorted(found, key=lambda link: (link.start, link.end, link.kind))
