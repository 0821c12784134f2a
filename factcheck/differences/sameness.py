"""Whether a value of the evidence is said of the very thing that the claim speaks of.

Two values of one kind conflict only where they are of the same thing, and a wrong alarm costs more than a missed one. So the
whole claim has to be found around the evidence's value, its names above all, and the word that the value belongs to ("killed",
"opened", "homes") next to it; and nothing may set the two apart: another time, "other", a question, a part of a whole.
"""

from math import isfinite

from factcheck.differences.gathered import Gathered
from factcheck.differences.lexicon import APART, BE, ONCE, OPPOSITES, RELATIVE_TIMES, STOPWORDS, word_set
from factcheck.differences.names import same_name
from factcheck.differences.quantities import comparable, relate
from factcheck.differences.reading import Reading
from factcheck.differences.records import Kind, Relation, Value
from factcheck.differences.tokens import stems

__all__ = ["affinity", "beside", "is_of_another", "is_same_thing", "says_same"]

#: Share of the claim's words that a sentence must hold to speak of the same thing.
_COVERED = 0.8
#: Share that makes an equal value one of the same thing where nothing counted says so.
_SAME = 0.5
#: The same where the same thing is counted; and for what is said of many things alike, as shares and places in a row are.
_LEAST, _MOSTLY = 0.34, 0.7
#: The same where something says otherwise: other things counted, another verb at a date.
_SURELY = 0.8
#: Sentences back to which a pronoun points.
_BACK = 2
_ONCE = stems(ONCE)
#: Before a name these say that something else is spoken of.
_NO_SUBJECT = word_set("of late by for with from to")
#: Before a bare bound these make an age of it: "people over seventy", "were over seventy", "aged under 30".
_AGE_BOUNDS = word_set("over above under below")
_AGING = BE | word_set(
    "aged turned person people man men woman women child children patients players everyone those anyone"
)


def beside(reading: Reading, value: Value, count: int) -> frozenset[str]:
    """Stems of the nearest words with meaning before and behind a value, ``count`` each, within its clause."""
    tokens, clause = reading.tokens, reading.clauses[value.at[0]]
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


def affinity(claim: Reading, value: Value, anchors: frozenset[str], reading: Reading, other: Value) -> float:
    """How much of the claim stands around a value of the evidence: 0 for nothing, about 1.5 for all of it in its clause."""
    clause = reading.clause_words[reading.clauses[other.at[0]]]
    words = claim.words
    score = len(words & clause) + 0.5 * len((words & reading.words) - clause) + len(anchors & clause)
    return score / (len(words) + len(anchors) or 1) + (0.5 if set(value.of) & set(other.of) else 0.0)


def says_same(
    claim: Reading, value: Value, anchors: frozenset[str], reading: Reading, other: Value, relation: Relation
) -> bool:
    """Whether an equal or compatible value is of the same thing: what is counted agrees, or enough of the words around it do."""
    share = len(claim.words & reading.words) / (len(claim.words) or 1)
    dated = value.kind is Kind.DATE
    if _is_age(claim, value) and other.of:
        return False
    if relation is Relation.EQUAL and _is_dated_weekday(reading, other) and _names_all(claim, reading):
        return True
    wanted = _SAME
    if relation is Relation.COMPATIBLE:
        if claim.negated or _set_apart(claim, value) != _set_apart(reading, other):
            return False
        wanted = _SAME if dated else _MOSTLY
    elif value.kind in (Kind.ORDINAL, Kind.PERCENTAGE):
        wanted = _MOSTLY
    if not dated and not _same_names(claim, value, reading, other):
        return False
    if not dated and relation is Relation.COMPATIBLE and not _same_numbers(claim, value, reading, other):
        return False
    if value.kind is Kind.ORDINAL and _opposed(value.of, other.of):
        return False
    if value.kind is Kind.NUMBER and not _may_count_same(value, reading, other):
        return False
    if value.of and other.of:
        if not _counts_same(claim, value, other):
            return False
        wanted = _LEAST if wanted == _SAME else wanted
    elif dated and not anchors & reading.words:
        wanted = _SURELY
    return share >= wanted or not claim.words


def _is_age(reading: Reading, value: Value) -> bool:
    """Whether a bound without unit or counted noun is the age of people ("most were over seventy"), which no count of things meets."""
    if value.kind is not Kind.NUMBER or value.of or isfinite(value.high - value.low):
        return False
    first = value.at[0]
    return first > 0 and reading.tokens[first].low in _AGE_BOUNDS and reading.tokens[first - 1].low in _AGING


def _is_dated_weekday(reading: Reading, value: Value) -> bool:
    """Whether a weekday is that of a whole date ("Wednesday, 11 February 2015")."""
    if value.unit != "weekday":
        return False
    return any(
        other.parts is not None and None not in other.parts and 0 <= other.at[0] - value.at[1] <= 1
        for other in reading.values
    )


def _names_all(claim: Reading, reading: Reading) -> bool:
    """Whether a claim has names and a sentence holds each of them."""
    return bool(claim.names) and all(
        _names(name, {token.stem for token in claim.tokens[slice(*name.at)]}, reading) for name in claim.names
    )


def _may_count_same(value: Value, reading: Reading, other: Value) -> bool:
    """Whether what the claim counts stands in the clause of a number that counts nothing itself ("Children: 2")."""
    return not value.of or bool(other.of) or not reading.clause_words[reading.clauses[other.at[0]]].isdisjoint(value.of)


def _opposed(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether a row is counted from its other end: the third largest, the third smallest."""
    if any(not OPPOSITES.get(word, frozenset()).isdisjoint(other) for word in one):
        return True
    mine, theirs = ({word for word in words if word.endswith("est")} for words in (one, other))
    return bool(mine and theirs) and not mine & theirs


def is_of_another(claim: Reading, reading: Reading, other: Value) -> bool:
    """Whether an equal value is plainly said of something else: in a clause of its own that shares nothing with the claim."""
    clause = reading.clauses[other.at[0]]
    words = reading.clause_words[clause]
    first = reading.clauses.index(clause)
    return bool(words) and not words & claim.words and reading.tokens[first].low in ("and", "but", "while", "whereas")


def is_same_thing(
    claim: Reading, value: Value, anchors: frozenset[str], evidence: Gathered, s: int, other: Value
) -> bool:
    """Whether another value is said of the very thing that the claim speaks of."""
    reading = evidence.readings[s]
    if len(claim.words) < 2 or not anchors or reading.question or claim.negated or reading.negated:
        return False
    if "respectively" in reading.lows or not _counts_same(claim, value, other) or (_is_age(claim, value) and other.of):
        return False
    clause = reading.clause_words[reading.clauses[other.at[0]]]
    if not anchors & clause or not anchors <= reading.words:
        return False
    if not _covers(claim, evidence, s) or _set_apart(claim, value) != _set_apart(reading, other):
        return False
    if any(mine is not value and comparable(mine, other) and _meet(mine, other) for mine in claim.values):
        return False
    if value.kind is Kind.ORDINAL and not (claim.words <= reading.words and _same_row(claim, value, reading, other)):
        return False
    if value.kind is Kind.NUMBER and _is_listed(reading, other):
        return False
    if value.kind is Kind.DATE and not (
        anchors & _ONCE & beside(reading, other, 2) and _is_event(claim, reading, other)
    ):
        return False
    if not (_same_numbers(claim, value, reading, other) and _same_names(claim, value, reading, other)):
        return False
    return not _scoped(claim, value, evidence, reading, other)


def _is_event(claim: Reading, reading: Reading, date: Value) -> bool:
    """Whether a date tells when something happened to what the claim names: not "in a 1982 motor home", nor "a niece of A died"."""
    after = reading.tokens[date.at[1]] if date.at[1] < len(reading.tokens) else None
    if after is not None and after.is_word and after.low not in STOPWORDS:
        return False
    for name in claim.names[:1]:
        found = [n.at[0] for n in reading.names if same_name(name.text, n.text) is not False]
        if found and all(i and reading.tokens[i - 1].low in _NO_SUBJECT for i in found):
            return False
    return True


def _counts_same(claim: Reading, value: Value, other: Value) -> bool:
    """Whether two numbers count the same, as far as both say: "12 original members" are not the members."""
    if not value.of or not other.of:
        return True
    shared = [i for i, word in enumerate(other.of) if word in value.of]
    return bool(shared) and claim.words.issuperset(other.of[: shared[0]])


def _same_numbers(claim: Reading, value: Value, reading: Reading, other: Value) -> bool:
    """Whether the numbers in the clause of the claim's value are met in that of the other."""
    mine, theirs = claim.clauses[value.at[0]], reading.clauses[other.at[0]]
    beside_other = [v for v in reading.values if reading.clauses[v.at[0]] == theirs and v is not other]
    for one in claim.values:
        if one is value or one.kind is Kind.DATE or claim.clauses[one.at[0]] != mine:
            continue
        if not any(comparable(one, v) and _meet(one, v) for v in beside_other):
            return False
    return True


def _same_names(claim: Reading, value: Value, reading: Reading, other: Value) -> bool:
    """Whether the names behind the claim's value, in its clause, stand in the clause of the other."""
    mine, words = claim.clauses[value.at[0]], reading.clause_words[reading.clauses[other.at[0]]]
    behind = [n for n in claim.names if n.at[0] >= value.at[1] and claim.clauses[n.at[0]] == mine]
    return not any(words.isdisjoint(token.stem for token in claim.tokens[slice(*name.at)]) for name in behind)


def _is_listed(reading: Reading, value: Value) -> bool:
    """Whether a number that counts nothing stands in a list of other things ("Labels: 300, Atlantic")."""
    after = reading.tokens[value.at[1] : value.at[1] + 2]
    return not value.of and len(after) == 2 and after[0].text == "," and after[1].is_cap


def _same_row(claim: Reading, value: Value, reading: Reading, other: Value) -> bool:
    """Whether two ordinals number the same row: the words behind one end with a word that is behind the other."""
    if _numbers_a_name(claim, value) or _numbers_a_name(reading, other):
        return False
    short, long = sorted((value.of, other.of), key=len)
    return bool(short) and short[-1] in long


def _numbers_a_name(reading: Reading, value: Value) -> bool:
    """Whether an ordinal is part of a name ("the 88th Tank Battalion") or of no row ("the first film to win")."""
    following = reading.tokens[value.at[1] : value.at[1] + 6]
    return bool(following) and (following[0].is_cap or any(token.low == "to" for token in following))


def _meet(one: Value, other: Value) -> bool:
    return relate(one, other) in (Relation.EQUAL, Relation.COMPATIBLE)


def _covers(claim: Reading, evidence: Gathered, s: int) -> bool:
    """Whether a sentence holds the claim's names, or a pronoun for them, and nearly all of its other words."""
    reading = evidence.readings[s]
    named: set[str] = set()
    for name in claim.names:
        parts = {token.stem for token in claim.tokens[slice(*name.at)]}
        named |= parts
        if not _names(name, parts, reading) and not (reading.pronoun and _named_before(name, parts, evidence, s)):
            return False
    words = claim.words - named
    return len(words - reading.words) <= (1 - _COVERED) * len(claim.words)


def _names(name: Value, parts: set[str], reading: Reading) -> bool:
    if any(same_name(name.text, other.text) is not False for other in reading.names):
        return True
    return len(parts) == 1 and parts <= reading.words


def _named_before(name: Value, parts: set[str], evidence: Gathered, s: int) -> bool:
    """Whether the first sentence or one of those right before names what a pronoun may stand for."""
    return any(_names(name, parts, evidence.readings[k]) for k in {0, *range(max(0, s - _BACK), s)} if k < s)


def _set_apart(reading: Reading, value: Value) -> frozenset[str]:
    """Which of "other", "additional", "original" and the like stand at a value."""
    around = (*reading.tokens[max(0, value.at[0] - 2) : value.at[0]], *reading.tokens[value.at[1] : value.at[1] + 2])
    return APART.intersection(token.low for token in around)


def _scoped(claim: Reading, value: Value, evidence: Gathered, reading: Reading, other: Value) -> bool:
    """Whether claim and evidence speak of different times or numbers in a row, as far as either says."""
    if (claim.lows & RELATIVE_TIMES) != (reading.lows & RELATIVE_TIMES):
        return True
    for mine in claim.values:
        if (
            mine is not value
            and _is_scope(mine)
            and not any(_meet(mine, v) for _, v in evidence.values.get(mine.kind, ()))
        ):
            return True
    clause = reading.clauses[other.at[0]]
    for theirs in reading.values:
        if theirs is other or not _is_scope(theirs) or (value.kind is Kind.DATE and theirs.kind is Kind.DATE):
            continue
        if theirs.kind is Kind.ORDINAL and reading.clauses[theirs.at[0]] != clause:
            continue
        if not any(mine.kind is theirs.kind and _meet(mine, theirs) for mine in claim.values):
            return True
    return False


def _is_scope(value: Value) -> bool:
    """Whether a value tells which of several things is meant: a year, or a place in a row."""
    if value.kind is Kind.DATE:
        return value.unit == "years" or (value.parts is not None and value.parts[0] is not None)
    return value.kind is Kind.ORDINAL
