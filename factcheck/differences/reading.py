"""A sentence, read once: tokens, values, names, relations, and what each word stands with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from factcheck.differences.dates import find_dates
from factcheck.differences.lexicon import BREAKS, NEGATIONS, PRONOUNS, STOPWORDS
from factcheck.differences.names import find_names
from factcheck.differences.numbers import find_amounts
from factcheck.differences.records import Value
from factcheck.differences.roles import Role, find_roles
from factcheck.differences.tokens import Token, tokenize

__all__ = ["MAX_CHARS", "MAX_VALUES", "Reading", "read"]

#: Characters of a sentence that are read, and values that are kept of it: no sentence that a person wrote has more.
MAX_CHARS, MAX_VALUES = 4000, 64
_CACHED = 1 << 13


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a sentence.

    Attributes:
        text: the sentence.
        tokens: its tokens.
        values: numbers, quantities, dates, … in order; names are in ``names``.
        names: its names.
        roles: its relations.
        words: stems of its words with meaning, outside values.
        clauses: the number of the clause of each token.
        clause_words: these stems clause by clause.
        negated: the tokens that negate.
        pronoun: whether it speaks of something by a pronoun.
    """

    text: str
    tokens: Sequence[Token]
    values: tuple[Value, ...]
    names: tuple[Value, ...]
    roles: tuple[Role, ...]
    words: frozenset[str]
    clauses: Sequence[int]
    clause_words: Sequence[frozenset[str]]
    negated: tuple[int, ...]
    pronoun: bool


def read(sentence: str) -> Reading:
    """The reading of a sentence; of one that was read lately, the same object."""
    return _read(sentence) if len(sentence) <= 1000 else _read.__wrapped__(sentence[:MAX_CHARS])


@lru_cache(maxsize=_CACHED)
def _read(text: str) -> Reading:
    tokens = tokenize(text)
    dates, taken = find_dates(tokens, text)
    amounts = find_amounts(tokens, taken, text)
    for value in amounts:
        for i in range(*value.at):
            taken[i] = True
    values = tuple(sorted(dates + amounts, key=lambda v: v.start)[:MAX_VALUES])
    names = tuple(find_names(tokens, taken, text)[:MAX_VALUES])
    clauses, current = [], 0
    words: list[set[str]] = [set()]
    negated = []
    pronoun = False
    for i, token in enumerate(tokens):
        if token.low in BREAKS and not taken[i] and words[current]:
            current += 1
            words.append(set())
        clauses.append(current)
        if token.is_word:
            if token.low in NEGATIONS or token.low.endswith("n't"):
                negated.append(i)
            elif not taken[i] and token.low not in STOPWORDS:
                words[current].add(token.stem)
            pronoun = pronoun or token.low in PRONOUNS
    return Reading(
        text, tokens, values, names, tuple(find_roles(tokens)[:MAX_VALUES]), frozenset().union(*words), clauses,
        [frozenset(w) for w in words], tuple(negated), pronoun,
    )  # fmt: skip
