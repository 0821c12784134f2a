"""What the text transformer is told of each token beside the word itself: how it stands to the other text segment.

Whether a claim's name, number or word occurs in the evidence decides many verdicts, and a small text transformer would have to
find it out by itself. Exact-match features of this kind are known from natural language inference (DIIN, Gong et al.,
arXiv 1709.04348); the typed ones (:mod:`factcheck.differences`) also say that "1.5 million" is "1,500,000" and not "1.5 billion".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from factcheck.differences import START_OF, TokenRelation, code_tokens, token_relations

if TYPE_CHECKING:
    from transformers import BatchEncoding

__all__ = ["TokenRelations", "extend_relations", "match_words", "relate_tokens", "relation_count"]

#: Which relations a model reads: those of words alone (the first four codes), or also those of typed values.
TokenRelations = Literal["words", "typed"]


def relation_count(kind: TokenRelations) -> int:
    """How many codes there are."""
    return len(TokenRelation) if kind == "typed" else TokenRelation.WORD + 1


def extend_relations(weight: Tensor, count: int) -> Tensor:
    """An embedding of the first codes, (n, D), for ``count`` of them: a new one begins as the code that is nearest to it."""
    known = len(weight)
    return torch.cat([weight, *(weight[int(START_OF[TokenRelation(c)])][None] for c in range(known, count))])[:count]


def relate_tokens(encoded: "BatchEncoding", pairs: Sequence[tuple[str, str]]) -> Tensor:
    """The :class:`~factcheck.differences.TokenRelation` of every token of B pairs of segments, (B, T) int64.

    Args:
        encoded: padded pairs from a fast tokenizer, with ``offset_mapping``.
        pairs: the texts that were tokenized.
    """
    result = match_words(encoded)
    for row, (pair, offsets) in enumerate(zip(pairs, encoded["offset_mapping"], strict=True)):
        spans = token_relations(*pair)
        if not any(spans):
            continue
        segments = encoded.sequence_ids(row)
        for side in (0, 1):
            positions = [i for i, segment in enumerate(segments) if segment == side]
            codes = code_tokens(spans[side], [offsets[i] for i in positions])
            for position, code in zip(positions, codes, strict=True):
                if code:
                    result[row, position] = code
    return result


def match_words(encoded: "BatchEncoding") -> Tensor:
    """The first four :class:`~factcheck.differences.TokenRelation` codes of every token of B pairs of segments, (B, T) int64.

    Words are told apart as the tokenizer does, so case and accents count as much as they do for the model.

    Args:
        encoded: padded pairs from a fast tokenizer.
    """
    input_ids = encoded["input_ids"]
    result = torch.full((len(input_ids), len(input_ids[0])), TokenRelation.NONE, dtype=torch.long)
    for row, ids in enumerate(map(list, input_ids)):
        # Tokens of each word: word numbers start anew in each segment.
        words: dict[tuple[int, int], list[int]] = {}
        for position, (segment, word) in enumerate(zip(encoded.sequence_ids(row), encoded.word_ids(row), strict=True)):
            if segment is not None and word is not None:
                words.setdefault((segment, word), []).append(position)
        pieces = {key: tuple(int(ids[p]) for p in positions) for key, positions in words.items()}
        whole: tuple[set, set] = (set(), set())
        starts: tuple[set, set] = (set(), set())
        for (segment, _), tokens in pieces.items():
            whole[segment].add(tokens)
            starts[segment].add(tokens[0])
        for key, tokens in pieces.items():
            other = 1 - key[0]
            if tokens in whole[other]:
                value = TokenRelation.WORD
            else:
                value = TokenRelation.START if tokens[0] in starts[other] else TokenRelation.ABSENT
            result[row, words[key]] = value
    return result
