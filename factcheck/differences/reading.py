"""A sentence, read once: tokens, values, names, relations, and what each word stands with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from factcheck.differences.dates import find_dates
from factcheck.differences.lexicon import ASKING, BREAKS, NEGATIONS, PRONOUNS, STOPWORDS
from factcheck.differences.names import find_names
from factcheck.differences.numbers import find_amounts
from factcheck.differences.records import Value
from factcheck.differences.roles import Role, find_roles
from factcheck.differences.tokens import Token, in_markup, tokenize
from retrieval import split_sentences

__all__ = ["MAX_VALUES", "Reading", "read"]

#: Values, names and relations that are kept of a sentence: none that a person wrote has more.
MAX_VALUES = 64
#: Longest text that is kept for the next time, and how many are.
_CACHED_CHARS, _CACHED = 2000, 1 << 12


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a sentence.

    Attributes:
        text: the sentence.
        offset: where it begins in the text that it is of.
        tokens: its tokens.
        values: numbers, quantities, dates, … in order; names are in ``names``.
        names: its names.
        roles: its relations.
        words: stems of its words with meaning, outside values.
        lows: all its words and marks in lower case.
        clauses: the number of the clause of each token; what stands in brackets is one of its own.
        clause_words: ``words`` clause by clause.
        negated: the tokens that negate.
        pronoun: whether it speaks of something by a pronoun.
        question: whether it asks.
    """

    text: str
    offset: int
    tokens: Sequence[Token]
    values: tuple[Value, ...]
    names: tuple[Value, ...]
    roles: tuple[Role, ...]
    words: frozenset[str]
    lows: frozenset[str]
    clauses: Sequence[int]
    clause_words: Sequence[frozenset[str]]
    negated: tuple[int, ...]
    pronoun: bool
    question: bool


def read(text: str) -> tuple[Reading, ...]:
    """The readings of the sentences of a text; of one that was read lately, the same objects.

    What stands behind a bar (OCR in a model's input) is a sentence of its own.
    """
    return _read(text) if len(text) <= _CACHED_CHARS else _read.__wrapped__(text)


@lru_cache(maxsize=_CACHED)
def _read(text: str) -> tuple[Reading, ...]:
    readings, offset = [], 0
    for part in text.split("|"):
        readings += [_read_sentence(s.text, offset + s.start) for s in split_sentences(part)]
        offset += len(part) + 1
    return tuple(readings)


def _read_sentence(text: str, offset: int) -> Reading:
    tokens = tokenize(text) or [Token("…", 0)]
    markup = in_markup(tokens, text)
    dates, taken = find_dates(tokens, text)
    dates = [value for value in dates if not markup[value.at[0]]]
    taken = [one or other for one, other in zip(taken, markup, strict=True)]
    amounts = find_amounts(tokens, taken, text)
    for value in amounts:
        for i in range(*value.at):
            taken[i] = True
    values = tuple(sorted(dates + amounts, key=lambda v: v.start)[:MAX_VALUES])
    names = tuple(find_names(tokens, taken, text)[:MAX_VALUES])
    clauses, words = _clauses(tokens, taken)
    negated = tuple(i for i, token in enumerate(tokens) if token.low in NEGATIONS or token.low.endswith("n't"))
    lows = frozenset(token.low for token in tokens)
    return Reading(
        text, offset, tokens, values, names, tuple(find_roles(tokens)[:MAX_VALUES]), frozenset().union(*words), lows, clauses,
        words, negated, not lows.isdisjoint(PRONOUNS), "?" in lows or tokens[0].low in ASKING,
    )  # fmt: skip


def _clauses(tokens: Sequence[Token], taken: Sequence[bool]) -> tuple[list[int], list[frozenset[str]]]:
    """The clause of each token and the stems of each clause; a clause that has said nothing yet does not end."""
    clauses: list[int] = []
    words: list[set[str]] = [set()]
    filled = [False]
    outer: list[int] = []
    current = 0
    for i, token in enumerate(tokens):
        if taken[i]:
            filled[current] = True
        elif token.low in BREAKS:
            if token.text in "([":
                outer.append(current)
            if token.text in ")]" and outer:
                current = outer.pop()
            elif filled[current] or token.text in "([":
                current = len(words)
                words.append(set())
                filled.append(False)
        elif (token.is_word and token.low not in STOPWORDS) or token.is_digits:
            words[current].add(token.stem)
            filled[current] = True
        clauses.append(current)
    return clauses, [frozenset(w) for w in words]
