"""Which value of the evidence is of the same thing as a value of the claim.

Two values of one kind conflict only where they are said of the same thing, and a wrong alarm costs more than a missed one. So
the words around them decide, conservatively: the whole claim has to be found around the evidence's value, its names above all,
and the word that the value belongs to ("killed", "opened", "homes") next to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from factcheck.differences.gathered import Gathered
from factcheck.differences.lexicon import ONCE, STOPWORDS
from factcheck.differences.names import same_name
from factcheck.differences.quantities import comparable, relate
from factcheck.differences.reading import Reading
from factcheck.differences.records import Kind, Relation, Value
from factcheck.differences.tokens import stems

__all__ = ["Link", "link_names", "link_values"]

#: Share of the claim's words that a sentence must hold to speak of the same thing.
_COVERED = 0.8
#: Share that makes an equal value one of the same thing where nothing counted says so.
_SAME = 0.34
_ONCE = stems(ONCE)


@dataclass(frozen=True, slots=True)
class Link:
    """A value of the claim and what it meets in the evidence; ``other`` is set where a like value was met, not surely of the same thing."""

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
    anchors = _beside(claim, value, 1)
    same: _Found | None = None
    conflict: _Found | None = None
    near: tuple[int, Value] | None = None
    for s, other in evidence.values.get(value.kind, ()):
        if not comparable(value, other):
            continue
        reading = evidence.readings[s]
        relation = relate(value, other)
        if relation is None:
            near = near or (s, other)
            continue
        found = _Found(_affinity(claim, value, anchors, reading, other), s, other, relation)
        if relation is not Relation.CONFLICTING:
            if same is None or found.score > same.score:
                same = found
        elif not _is_same_thing(claim, value, anchors, reading, other, evidence.words):
            near = near or (s, other)
        elif conflict is None or found.score > conflict.score:
            conflict = found
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
    if conflict is not None and (
        same is None or (conflict.score > same.score and not _anchored(anchors, evidence[same.sentence], same.value))
    ):
        chosen = conflict
    elif same is not None and not _says_same(claim, value, evidence[same.sentence], same.value):
        near, chosen = (same.sentence, same.value), None
    if chosen is not None:
        return Link(
            value.kind, chosen.relation, value.start, value.end, chosen.sentence, (chosen.value.start, chosen.value.end)
        )
    if near is None:
        return Link(value.kind, Relation.ABSENT, value.start, value.end)
    return Link(value.kind, Relation.ABSENT, value.start, value.end, near[0], (near[1].start, near[1].end))


def _beside(reading: Reading, value: Value, count: int) -> frozenset[str]:
    """Stems of the nearest words with meaning before and behind a value, ``count`` each, within its clause."""
    tokens, clause = reading.tokens, reading.clauses[value.at[0]] if value.at[0] < len(reading.clauses) else -1
    found = []
    for steps in (range(value.at[0] - 1, -1, -1), range(value.at[1], len(tokens))):
        seen = 0
        for i in steps:
            if reading.clauses[i] != clause or seen == count:
                break
            if tokens[i].is_word and tokens[i].low not in STOPWORDS:
                found.append(tokens[i].stem)
                seen += 1
    return frozenset(found)


def _affinity(claim: Reading, value: Value, anchors: frozenset[str], reading: Reading, other: Value) -> float:
    clause = reading.clause_words[reading.clauses[other.at[0]]]
    words = claim.words
    score = len(words & clause) + 0.5 * len((words & reading.words) - clause) + len(anchors & clause)
    return score / (len(words) + len(anchors) or 1) + (0.5 if set(value.of) & set(other.of) else 0.0)


def _anchored(anchors: frozenset[str], reading: Reading, other: Value) -> bool:
    return anchors <= reading.clause_words[reading.clauses[other.at[0]]]


def _says_same(claim: Reading, value: Value, reading: Reading, other: Value) -> bool:
    """Whether an equal or compatible value is of the same thing."""
    if value.of and other.of and set(value.of) & set(other.of):
        return True
    if not claim.words:
        return True
    return len(claim.words & reading.words) >= _SAME * len(claim.words)


def _is_same_thing(
    claim: Reading, value: Value, anchors: frozenset[str], reading: Reading, other: Value, everywhere: frozenset[str]
) -> bool:
    """Whether another value is said of the very thing that the claim speaks of."""
    words, clause = claim.words, reading.clause_words[reading.clauses[other.at[0]]]
    if not words or not anchors:
        return False
    missing = words - reading.words
    names = {t.stem for name in claim.names for t in claim.tokens[name.at[0] : name.at[1]]} & words
    if missing & names and not (reading.pronoun and missing & names <= everywhere):
        return False
    if len(missing - names) > (1 - _COVERED) * len(words):
        return False
    if value.of and other.of and not set(value.of) & set(other.of):
        return False
    if not anchors & clause or not anchors <= reading.words:
        return False
    if value.kind is Kind.DATE:
        return bool(anchors & _ONCE & _beside(reading, other, 2))
    return not _scoped(claim, reading, other)


def _scoped(claim: Reading, reading: Reading, other: Value) -> bool:
    """Whether the evidence's value is of a time that the claim does not name."""
    clause = reading.clauses[other.at[0]]
    for value in reading.values:
        if (
            value.kind is Kind.DATE
            and reading.clauses[value.at[0]] == clause
            and not any(
                mine.kind is Kind.DATE and relate(mine, value) not in (None, Relation.CONFLICTING)
                for mine in claim.values
            )
        ):
            return True
    return False


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
