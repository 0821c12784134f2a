"""What each value and name of a claim meets in the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

from factcheck.differences.gathered import Gathered
from factcheck.differences.names import same_name
from factcheck.differences.quantities import comparable, relate
from factcheck.differences.reading import Reading
from factcheck.differences.records import Kind, Relation, Value
from factcheck.differences.sameness import affinity, beside, is_of_another, is_same_thing, says_same

__all__ = ["Link", "link_names", "link_values"]


@dataclass(frozen=True, slots=True)
class Link:
    """A value of the claim and what it meets in the evidence.

    ``other`` is set where ``relation`` is absent, too, if a value of the kind was met, not surely of the same thing.
    """

    kind: Kind
    relation: Relation
    start: int
    end: int
    sentence: int | None = None
    other: tuple[int, int] | None = None


@dataclass(slots=True)
class _Found:
    score: float
    sentence: int
    value: Value
    relation: Relation


def link_values(claim: Reading, evidence: Gathered) -> list[Link]:
    """A link for each number, quantity, date, … of the claim."""
    return [_link_value(claim, value, evidence) for value in claim.values]


def _link_value(claim: Reading, value: Value, evidence: Gathered) -> Link:
    anchors = beside(claim, value, 1)
    same: _Found | None = None
    conflict: _Found | None = None
    near: tuple[int, Value] | None = None
    unsure = closest = 0.0
    for s, other in evidence.values.get(value.kind, ()):
        if not comparable(value, other):
            continue
        reading = evidence.readings[s]
        relation = relate(value, other)
        score = affinity(claim, value, anchors, reading, other)
        if relation is None:
            near, unsure = near or (s, other), max(score, unsure)
        elif relation is not Relation.CONFLICTING:
            if not reading.question and (same is None or score > same.score):
                same = _Found(score, s, other, relation)
        elif not is_same_thing(claim, value, anchors, evidence, s, other):
            near, closest = near or (s, other), max(score, closest)
        elif conflict is None or score > conflict.score:
            conflict = _Found(score, s, other, relation)
    # A value that may be the same stands closer to the claim's words: nothing is sure then.
    if conflict is not None and unsure >= conflict.score:
        conflict = None
    if same is not None and (unsure if same.relation is Relation.EQUAL else max(unsure, closest)) > same.score:
        same = None
    return _decide(claim, value, anchors, evidence.readings, same, conflict, near)


def _decide(
    claim: Reading,
    value: Value,
    anchors: frozenset[str],
    evidence: Sequence[Reading],
    same: _Found | None,
    conflict: _Found | None,
    near: tuple[int, Value] | None,
) -> Link:
    chosen = same
    if same is None or (
        conflict is not None
        and conflict.score > same.score
        and is_of_another(claim, evidence[same.sentence], same.value)
    ):
        chosen = conflict
    elif not says_same(claim, value, anchors, evidence[same.sentence], same.value, same.relation):
        near, chosen = (same.sentence, same.value), None
    if chosen is not None:
        other = chosen.value
        return Link(value.kind, chosen.relation, value.start, value.end, chosen.sentence, (other.start, other.end))
    if near is None:
        return Link(value.kind, Relation.ABSENT, value.start, value.end)
    return Link(value.kind, Relation.ABSENT, value.start, value.end, near[0], (near[1].start, near[1].end))


def link_names(claim: Reading, evidence: Gathered) -> list[Link]:
    """A link for each name of the claim that is surely one; never in conflict, as another name may be true too."""
    links = []
    for name in claim.names:
        best: tuple[int, int, Value] | None = None
        for s, other in evidence.names:
            same = same_name(name.text, other.text)
            rank = 2 if same else 1 if same is None else 0
            if rank and (best is None or rank > best[0]):
                best = (rank, s, other)
        if best is not None:
            relation = Relation.EQUAL if best[0] == 2 else Relation.COMPATIBLE
            links.append(Link(Kind.NAME, relation, name.start, name.end, best[1], (best[2].start, best[2].end)))
        elif name.at[0] > 0 or name.at[1] - name.at[0] > 1:
            links.append(Link(Kind.NAME, Relation.ABSENT, name.start, name.end))
    return links
