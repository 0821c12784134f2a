"""Words that turn what a sentence says: swapped roles, opposites, negation, hedges."""

from factcheck.differences.align import Link
from factcheck.differences.gathered import Gathered
from factcheck.differences.lexicon import DENIALS, HEDGES, MISSES, NEGATIONS, OPPOSITES, STOPWORDS
from factcheck.differences.reading import Reading
from factcheck.differences.records import Kind, Relation
from factcheck.differences.roles import Role, roles_agree
from factcheck.differences.tokens import stems

__all__ = ["link_turns"]

#: Share of the claim's other words that a sentence must hold for a turned one to change its meaning.
_COVERED = 0.99
_FEWEST = 2
_REACH = 4
_DENIALS, _HEDGES = stems(DENIALS), stems(HEDGES)


def link_turns(claim: Reading, evidence: Gathered) -> list[Link]:
    """Links for the claim's relations with two sides, and where evidence says its opposite, denies or weakens it."""
    links: list[Link] = []
    for role in claim.roles:
        link = _link_role(claim, role, evidence)
        if link is not None:
            links.append(link)
    for s, reading in enumerate(evidence.readings):
        if len(claim.words) >= _FEWEST:
            links += _opposites(claim, s, reading)
            links += _polarity(claim, s, reading)
    return links


def _place(reading: Reading, role: Role) -> tuple[int, int]:
    """From the first to the last character of a relation."""
    tokens = [role.at, *(i for span in role.spans for i in (span[0], span[1] - 1))]
    return reading.tokens[min(tokens)].start, reading.tokens[max(tokens)].end


def _link_role(claim: Reading, role: Role, evidence: Gathered) -> Link | None:
    swapped = None
    for s, other in evidence.roles:
        agree = roles_agree(role, other)
        if agree is None:
            continue
        relation = Relation.EQUAL if agree else Relation.CONFLICTING
        link = Link(Kind.ROLE, relation, *_place(claim, role), s, _place(evidence.readings[s], other))
        if agree:
            return link
        swapped = swapped or link
    return swapped


def _opposites(claim: Reading, s: int, reading: Reading) -> list[Link]:
    found = []
    for i, token in enumerate(claim.tokens):
        others = OPPOSITES.get(token.stem) or OPPOSITES.get(token.low)
        if not others or token.stem in reading.words:
            continue
        rest = claim.words - {token.stem}
        if len(rest & reading.words) < _COVERED * len(rest) or not rest:
            continue
        for j, other in enumerate(reading.tokens):
            if (other.stem in others or other.low in others) and other.stem not in claim.words:
                if _is_negated(claim, i) == _is_negated(reading, j):
                    found.append(
                        Link(Kind.DIRECTION, Relation.CONFLICTING, token.start, token.end, s, (other.start, other.end))
                    )
                break
    return found


def _is_negated(reading: Reading, i: int) -> bool:
    """Whether a negation stands shortly before a token, in its clause."""
    return any(0 < i - n <= _REACH and reading.clauses[n] == reading.clauses[i] for n in reading.negated)


def _polarity(claim: Reading, s: int, reading: Reading) -> list[Link]:
    """Negation, denial and hedges that stand on one side only, before a word that both share."""
    if len(claim.words & reading.words) < _COVERED * len(claim.words):
        return []
    found = []
    for i, token in enumerate(reading.tokens):
        kind = _turn(reading, i)
        if kind is None:
            continue
        target = _target(reading, i)
        if target is None or reading.tokens[target].stem not in claim.words:
            continue
        mine = next(k for k, t in enumerate(claim.tokens) if t.stem == reading.tokens[target].stem)
        if any(_turn(claim, k) for k in range(max(0, mine - _REACH), mine)) or _is_negated(claim, mine):
            continue
        relation = Relation.ABSENT if kind is Kind.HEDGE and token.low not in MISSES else Relation.CONFLICTING
        place = claim.tokens[mine]
        found.append(Link(kind, relation, place.start, place.end, s, (token.start, reading.tokens[target].end)))
        break
    for n in claim.negated:
        target = _target(claim, n)
        if target is None or claim.tokens[target].stem not in reading.words or reading.negated:
            continue
        if any(_turn(reading, k) for k in range(len(reading.tokens))):
            continue
        theirs = next(t for t in reading.tokens if t.stem == claim.tokens[target].stem)
        found.append(
            Link(
                Kind.NEGATION,
                Relation.CONFLICTING,
                claim.tokens[n].start,
                claim.tokens[target].end,
                s,
                (theirs.start, theirs.end),
            )
        )
        break
    return found


def _turn(reading: Reading, i: int) -> Kind | None:
    token = reading.tokens[i]
    if not token.is_word:
        return None
    if token.low in NEGATIONS or token.low.endswith("n't"):
        return Kind.NEGATION
    if token.stem in _DENIALS:
        return Kind.NEGATION
    if token.low in MISSES or token.stem in _HEDGES:
        return Kind.HEDGE
    return None


def _target(reading: Reading, i: int) -> int | None:
    """The next word with meaning, which the token turns; None where a value comes first ("almost 500")."""
    taken = {k for value in reading.values for k in range(*value.at)}
    for k in range(i + 1, min(i + 1 + _REACH, len(reading.tokens))):
        token = reading.tokens[k]
        if k in taken or reading.clauses[k] != reading.clauses[i]:
            return None
        if token.is_word and token.low not in STOPWORDS and _turn(reading, k) is None:
            return k
    return None
