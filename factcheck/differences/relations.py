"""What a text model is told of each token of a claim and its evidence, beside the words themselves."""

import re
from collections.abc import Sequence
from enum import IntEnum

from factcheck.differences.align import Link
from factcheck.differences.compare import MAX_TEXT, links
from factcheck.differences.gathered import gather
from factcheck.differences.reading import read
from factcheck.differences.records import Kind, Relation

__all__ = ["RELATION_COUNT", "START_OF", "Span", "TokenRelation", "code_tokens", "token_relations"]


class TokenRelation(IntEnum):
    """The codes. The first four are said of words by the tokenizer's pieces; models trained with them alone know what they mean.

    A later code goes over an earlier one's token: ``START_OF`` names the code whose meaning is nearest, whose embedding a model
    that learnt the first four takes for the new one.
    """

    NONE = 0  # special token or padding
    ABSENT = 1  # the other side does not hold its word
    START = 2  # the other side holds a word that starts with the same piece
    WORD = 3  # the other side holds its word
    VALUE_EQUAL = 4  # a value that the other side says too, in whatever writing
    VALUE_COMPATIBLE = 5  # a value that the other side's allows, or that allows it
    VALUE_CONFLICTING = 6  # the other side says another value of the same thing
    VALUE_OTHER = 7  # the other side says another value of the kind, not surely of the same thing
    VALUE_ABSENT = 8  # the other side says no value of the kind
    NAME_COMPATIBLE = 9  # a name whose surname, acronym or people the other side says
    ROLE_SAME = 10  # a relation with two sides that the other side says too, in whatever order of words
    ROLE_SWAPPED = 11  # … that the other side says with the sides swapped
    OPPOSITE = 12  # the other side says the opposite word of the same thing
    NEGATED = 13  # said on one side and denied on the other
    HEDGED = 14  # said on one side and planned, alleged or nearly so on the other


#: How many codes there are, and the row of an embedding that each new one starts from.
RELATION_COUNT = len(TokenRelation)
START_OF: dict[TokenRelation, TokenRelation] = {
    TokenRelation.VALUE_EQUAL: TokenRelation.WORD,
    TokenRelation.VALUE_COMPATIBLE: TokenRelation.WORD,
    TokenRelation.VALUE_CONFLICTING: TokenRelation.ABSENT,
    TokenRelation.VALUE_OTHER: TokenRelation.ABSENT,
    TokenRelation.VALUE_ABSENT: TokenRelation.ABSENT,
    TokenRelation.NAME_COMPATIBLE: TokenRelation.START,
    TokenRelation.ROLE_SAME: TokenRelation.WORD,
    TokenRelation.ROLE_SWAPPED: TokenRelation.WORD,
    TokenRelation.OPPOSITE: TokenRelation.ABSENT,
    TokenRelation.NEGATED: TokenRelation.WORD,
    TokenRelation.HEDGED: TokenRelation.WORD,
}

#: First and one past the last character, and the code.
Span = tuple[int, int, TokenRelation]

_VALUE = {
    Relation.EQUAL: TokenRelation.VALUE_EQUAL,
    Relation.COMPATIBLE: TokenRelation.VALUE_COMPATIBLE,
    Relation.CONFLICTING: TokenRelation.VALUE_CONFLICTING,
}
_TURNS = {
    Kind.DIRECTION: TokenRelation.OPPOSITE,
    Kind.NEGATION: TokenRelation.NEGATED,
    Kind.HEDGE: TokenRelation.HEDGED,
}


def token_relations(claim: str, evidence: str) -> tuple[list[Span], list[Span]]:
    """Spans of the claim and of the evidence that carry one of the codes from ``VALUE_EQUAL`` on.

    Characters outside every span keep the word codes (0 to 3), which depend on the tokenizer; see
    :func:`factcheck.models.token_relations.match_words`. Spans are in order and do not overlap. Pure, and never raises;
    of longer texts the first 20,000 characters are looked at.

    Args:
        claim, evidence: the two texts as the tokenizer gets them: sentences joined by spaces, OCR behind ``|``.
    """
    readings = read(evidence[:MAX_TEXT])
    gathered = gather(readings)
    mine: list[Span] = []
    theirs: list[Span] = [
        (reading.offset + value.start, reading.offset + value.end, TokenRelation.VALUE_ABSENT)
        for reading in readings
        for value in reading.values
    ]
    for reading in read(claim[:MAX_TEXT]):
        for link in links(reading, gathered):
            code = _code(link)
            if code is None:
                continue
            mine.append((reading.offset + link.start, reading.offset + link.end, code))
            if link.other is not None and link.sentence is not None:
                offset = readings[link.sentence].offset
                theirs.append((offset + link.other[0], offset + link.other[1], code))
    return _flat(mine, len(claim)), _flat(theirs, len(evidence))


def code_tokens(spans: Sequence[Span], offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The code of each token of one side: that of the span it overlaps, 0 where it keeps its word code.

    Args:
        spans: as :func:`token_relations` gives them.
        offsets: first and one past the last character of each token, as fast tokenizers give them; empty for special tokens.
    """
    codes = [0] * len(offsets)
    first = 0
    for i, (start, end) in enumerate(offsets):
        if start >= end:
            continue
        while first < len(spans) and spans[first][1] <= start:
            first += 1
        if first < len(spans) and spans[first][0] < end:
            codes[i] = int(spans[first][2])
    return codes


def _code(link: Link) -> TokenRelation | None:
    if link.kind is Kind.NAME:
        return TokenRelation.NAME_COMPATIBLE if link.relation is Relation.COMPATIBLE else None
    if link.kind is Kind.ROLE:
        return TokenRelation.ROLE_SAME if link.relation is Relation.EQUAL else TokenRelation.ROLE_SWAPPED
    if link.kind in _TURNS:
        return _TURNS[link.kind]
    if link.relation is Relation.ABSENT:
        return TokenRelation.VALUE_ABSENT if link.other is None else TokenRelation.VALUE_OTHER
    return _VALUE[link.relation]


_RUN = re.compile(rb"([^\0])\1*+")

#: Of codes for the same characters the one that decides most wins.
_RANK = {
    code: rank
    for rank, code in enumerate(
        (
            TokenRelation.VALUE_ABSENT, TokenRelation.VALUE_OTHER, TokenRelation.ROLE_SAME, TokenRelation.NAME_COMPATIBLE,
            TokenRelation.VALUE_COMPATIBLE, TokenRelation.VALUE_EQUAL, TokenRelation.ROLE_SWAPPED, TokenRelation.HEDGED,
            TokenRelation.NEGATED, TokenRelation.OPPOSITE, TokenRelation.VALUE_CONFLICTING,
        )
    )
}  # fmt: skip


def _flat(spans: Sequence[Span], length: int) -> list[Span]:
    """Spans without overlaps: what stands in two is of the one that decides more."""
    if not spans:
        return []
    painted = bytearray(length)
    for start, end, code in sorted(spans, key=lambda span: _RANK[span[2]]):
        painted[start:end] = bytes((code,)) * (end - start)
    return [(m.start(), m.end(), TokenRelation(m.group()[0])) for m in _RUN.finditer(painted)]
