"""Words that turn what a sentence says: swapped roles, opposites, negation, hedges."""

from collections.abc import Sequence

from factcheck.differences.align import Link
from factcheck.differences.gathered import Gathered
from factcheck.differences.lexicon import (
    ATTITUDES,
    AUXILIARIES,
    BE,
    BLOCKERS,
    DENIALS,
    HEDGES,
    MISSES,
    NOT,
    OPPOSITES,
    PREPOSITIONS,
    QUANTIFIERS,
    SIDES,
    STOPWORDS,
    UNDONE,
    word_set,
)
from factcheck.differences.quantities import comparable, relate
from factcheck.differences.reading import Reading
from factcheck.differences.records import Kind, Relation
from factcheck.differences.roles import Role, roles_agree
from factcheck.differences.tokens import Token, stems

__all__ = ["link_turns"]

#: Fewest words with meaning that two sentences must share for one that is turned to change what is said.
_FEWEST = 2
#: How far a turning word reaches.
_REACH = 4
#: Words behind "not" that make it no plain denial.
_NO_DENIAL = word_set("only just merely to always necessarily all every , . one yet")
#: Share of the claim's words that a sentence with swapped roles must hold.
_COVERED = 0.8
#: A longer sentence than this many times the claim says other things as well, which the turned word may be of.
_LONGER, _MORE = 2, 14
_DENIALS, _HEDGES, _UNDONE, _ATTITUDES = stems(DENIALS), stems(HEDGES), stems(UNDONE), stems(ATTITUDES)


def link_turns(claim: Reading, evidence: Gathered) -> list[Link]:
    """Links for the claim's relations with two sides, and where evidence says its opposite, denies or weakens it."""
    links = [link for role in claim.roles if (link := _link_role(claim, role, evidence)) is not None]
    if len(claim.words) < _FEWEST or claim.question:
        return links
    for s, reading in enumerate(evidence.readings):
        if reading.question or len(reading.words) > _LONGER * len(claim.words) + _MORE:
            continue
        missing = claim.words - reading.words
        if len(missing) == 1 and _values_met(claim, reading):
            links += _opposites(claim, s, reading, missing)
        elif not missing and _values_met(claim, reading):
            links += _negations(claim, s, reading) or _hedges(claim, s, reading)
    return links


def _values_met(claim: Reading, reading: Reading) -> bool:
    """Whether a sentence says every value of the claim."""
    return all(
        any(
            comparable(mine, theirs) and relate(mine, theirs) in (Relation.EQUAL, Relation.COMPATIBLE)
            for theirs in reading.values
        )
        for mine in claim.values
    )


def _link_role(claim: Reading, role: Role, evidence: Gathered) -> Link | None:
    swapped = None
    for s, other in evidence.roles:
        reading = evidence.readings[s]
        agree = roles_agree(role, other)
        if agree is None or reading.question or _is_hedged(reading, other.at) != _is_hedged(claim, role.at):
            continue
        if _negates(claim, role.at) != _negates(reading, other.at):
            continue
        link = Link(
            Kind.ROLE,
            Relation.EQUAL if agree else Relation.CONFLICTING,
            *_place(claim, role),
            s,
            _place(reading, other),
        )
        if agree:
            return link
        covered = len(claim.words & reading.words) >= _COVERED * len(claim.words)
        if swapped is None and covered:
            swapped = link
    return swapped


def _is_hedged(reading: Reading, i: int) -> bool:
    """Whether what token ``i`` says is planned, alleged or nearly so."""
    return any(token.stem in _HEDGES or token.low in MISSES for token in reading.tokens[max(0, i - _REACH) : i])


def _place(reading: Reading, role: Role) -> tuple[int, int]:
    """From the first to the last character of a relation."""
    tokens = [role.at, *(i for span in role.spans for i in (span[0], span[1] - 1))]
    return reading.tokens[min(tokens)].start, reading.tokens[max(tokens)].end


def _negates(reading: Reading, i: int) -> bool:
    """Whether a negation stands shortly before a token, in its clause."""
    return any(0 < i - n <= _REACH and reading.clauses[n] == reading.clauses[i] for n in reading.negated)


def _opposites(claim: Reading, s: int, reading: Reading, missing: frozenset[str]) -> list[Link]:
    """Where the one word that a sentence lacks of the claim stands there as its opposite, in the same order of words."""
    if bool(claim.negated) != bool(reading.negated) or _dated(reading) - _dated(claim):
        return []
    taken = {k for value in claim.values for k in range(*value.at)}
    for i, token in enumerate(claim.tokens):
        others = OPPOSITES.get(token.stem) or OPPOSITES.get(token.low)
        if token.stem not in missing or not others or i in taken:
            continue
        for j, other in enumerate(reading.tokens):
            if (other.stem in others or other.low in others) and other.low not in claim.lows:
                if not _same_order(claim, i, reading, j):
                    return []
                place = (other.start, other.end)
                return [Link(Kind.DIRECTION, Relation.CONFLICTING, token.start, token.end, s, place)]
    return []


def _dated(reading: Reading) -> set[tuple[float, float]]:
    """The years that a sentence names."""
    return {(v.low, v.high) for v in reading.values if v.kind is Kind.DATE and v.unit != "weekday" and v.low}


def _same_order(claim: Reading, i: int, reading: Reading, j: int) -> bool:
    """Whether the words before and behind a place in the claim are before and behind one in the evidence."""
    mine = {t.stem for t in _meaning(claim.tokens[:i])}, {t.stem for t in _meaning(claim.tokens[i + 1 :])}
    theirs = {t.stem for t in _meaning(reading.tokens[:j])}, {t.stem for t in _meaning(reading.tokens[j + 1 :])}
    return mine[0] <= theirs[0] and mine[1] <= theirs[1] and not ("than" in claim.lows and claim.values)


def _meaning(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if token.is_word and token.low not in STOPWORDS]


def _negations(claim: Reading, s: int, reading: Reading) -> list[Link]:
    """Where one side says "not" before a word that the other says without."""
    if bool(claim.negated) == bool(reading.negated) or (claim.lows | reading.lows) & QUANTIFIERS:
        return []
    denier, plain = (claim, reading) if claim.negated else (reading, claim)
    if not plain.lows.isdisjoint(BLOCKERS) or len(denier.negated) > 1 or claim.lows & SIDES != reading.lows & SIDES:
        return []
    i = denier.negated[0]
    target = _denied(denier, i)
    if target is None or denier.tokens[target].stem not in plain.words:
        return []
    k = next(k for k, token in enumerate(plain.tokens) if token.stem == denier.tokens[target].stem)
    if not (_same_order(claim, target, reading, k) if denier is claim else _same_order(claim, k, reading, target)):
        return []
    if any(roles_agree(one, two) is False for one in denier.roles for two in plain.roles):
        return []  # "A did not beat B" and "B beat A"
    being = any(token.low in BE for token in denier.tokens[max(0, i - 1) : i + 2])
    if _in_name(denier, target) != _in_name(plain, k) or (being and not _is_predicate(plain, k)):
        return []
    first = i - 1 if i and denier.tokens[i - 1].low in AUXILIARIES else i
    denied = (denier.tokens[first].start, denier.tokens[target].end)
    said = (plain.tokens[k].start, plain.tokens[k].end)
    mine, theirs = (denied, said) if denier is claim else (said, denied)
    return [Link(Kind.NEGATION, Relation.CONFLICTING, *mine, s, theirs)]


def _denied(reading: Reading, i: int) -> int | None:
    """The word that a negation at token ``i`` denies; None where it is no plain denial ("not only", "better not to", "No, …")."""
    token = reading.tokens[i]
    if i == 0 or (token.low not in NOT and not token.low.endswith("n't")):
        return None
    following = reading.tokens[i + 1].low if i + 1 < len(reading.tokens) else ""
    if following in PREPOSITIONS or following in _NO_DENIAL:
        return None
    if token.low == "no" and (reading.tokens[i - 1].low not in ("has", "have", "had")):
        return None
    if reading.tokens[i - 1].low in ("may", "might", "perhaps"):
        return None
    target = _target(reading, i)
    return None if target is not None and reading.tokens[target].stem in _ATTITUDES else target


def _target(reading: Reading, i: int) -> int | None:
    """The next word with meaning, which the token turns; None where a value comes first ("almost 500")."""
    taken = {k for value in reading.values for k in range(*value.at)}
    for k in range(i + 1, min(i + 1 + _REACH, len(reading.tokens))):
        token = reading.tokens[k]
        if k in taken or reading.clauses[k] != reading.clauses[i]:
            return None
        if token.is_word and token.low not in STOPWORDS:
            return k
    return None


def _in_name(reading: Reading, i: int) -> bool:
    return any(name.at[0] <= i < name.at[1] for name in reading.names)


def _is_predicate(reading: Reading, k: int) -> bool:
    """Whether a word is what something is said to be: behind a form of "be" or in apposition."""
    return any(token.low in BE or token.text in ",(:–-" for token in reading.tokens[max(0, k - 3 * _REACH) : k])


def _hedges(claim: Reading, s: int, reading: Reading) -> list[Link]:
    """Where the evidence has planned, alleged, denied or nearly what the claim says, or says outright what it has nearly."""
    if claim.negated or any(t.stem in _HEDGES | _DENIALS | _UNDONE for t in claim.tokens):
        return []
    if not claim.lows.isdisjoint(MISSES):
        return _missed(claim, s, reading)
    for i, token in enumerate(reading.tokens):
        missed = token.low in MISSES
        undone = token.stem in _UNDONE and i + 1 < len(reading.tokens) and reading.tokens[i + 1].low == "to"
        if not (missed or undone or token.stem in _HEDGES or token.stem in _DENIALS):
            continue
        target = _target(reading, i)
        if target is None or reading.tokens[target].stem not in claim.words or (missed and target != i + 1):
            continue
        k = next(k for k, mine in enumerate(claim.tokens) if mine.stem == reading.tokens[target].stem)
        kind = Kind.NEGATION if undone else Kind.HEDGE
        relation = Relation.CONFLICTING if missed or undone else Relation.ABSENT
        place = (token.start, reading.tokens[target].end)
        return [Link(kind, relation, claim.tokens[k].start, claim.tokens[k].end, s, place)]
    return []


def _missed(claim: Reading, s: int, reading: Reading) -> list[Link]:
    """Where a sentence says outright what the claim says nearly happened."""
    if reading.negated or any(t.stem in _HEDGES | _DENIALS | _UNDONE or t.low in MISSES for t in reading.tokens):
        return []
    i = next(i for i, token in enumerate(claim.tokens) if token.low in MISSES)
    if _target(claim, i) != i + 1:
        return []
    said = next((t for t in reading.tokens if t.stem == claim.tokens[i + 1].stem), None)
    if said is None:
        return []
    place = claim.tokens[i].start, claim.tokens[i + 1].end
    return [Link(Kind.HEDGE, Relation.CONFLICTING, *place, s, (said.start, said.end))]
