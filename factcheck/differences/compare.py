"""A claim beside its evidence, value by value."""

from collections.abc import Sequence

from factcheck.differences.align import Link, link_names, link_values
from factcheck.differences.gathered import Gathered, gather
from factcheck.differences.reading import Reading, read
from factcheck.differences.records import Difference, Value
from factcheck.differences.turns import link_turns

__all__ = ["compare", "find_values", "links"]


def find_values(text: str) -> tuple[Value, ...]:
    """The values in a sentence, in order: numbers, quantities, money, percentages, dates, times, ordinals, scores and names.

    Never raises on any string; of more than 4,000 characters the first are read.
    """
    reading = read(text)
    return tuple(sorted((*reading.values, *reading.names), key=lambda value: (value.start, value.end)))


def compare(claim: str, sentences: Sequence[str]) -> tuple[Difference, ...]:
    """How each value of a claim stands to the evidence, in the order of the claim.

    Args:
        claim: one sentence or a few.
        sentences: the evidence, best first or in the order of the document.

    Returns:
        One difference for each value of the claim, and one for each turn of meaning that was found (swapped roles, opposites, negation).
    """
    evidence = [read(sentence) for sentence in sentences]
    found = []
    for link in links(read(claim), gather(evidence)):
        value = None if link.other is None else evidence[link.sentence or 0].text[slice(*link.other)]
        start, end = link.other or (None, None)
        found.append(
            Difference(
                link.kind,
                link.relation,
                link.start,
                link.end,
                claim[link.start : link.end],
                link.sentence,
                start,
                end,
                value,
            )
        )
    return tuple(found)


def links(claim: Reading, evidence: Gathered) -> list[Link]:
    """All links of a claim, in its order."""
    found = [*link_values(claim, evidence), *link_names(claim, evidence), *link_turns(claim, evidence)]
    return sorted(found, key=lambda link: (link.start, link.end, link.kind))
