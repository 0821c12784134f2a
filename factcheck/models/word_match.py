"""Which words of one text segment the other holds: what a small text transformer would have to find out by itself.

Whether a claim's name, number or word occurs in the evidence decides many verdicts. Exact-match features of this kind are known
from natural language inference (DIIN, Gong et al., arXiv 1709.04348).
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import BatchEncoding

__all__ = ["WordMatch", "match_words"]


class WordMatch:
    """What is known of a token."""

    NONE = 0  # special token or padding
    ABSENT = 1  # the other segment does not hold its word
    START = 2  # the other segment holds a word that starts with the same piece ("run", "run ##s")
    WORD = 3  # the other segment holds its word
    COUNT = 4


def match_words(encoded: "BatchEncoding") -> Tensor:
    """The :class:`WordMatch` of every token of B pairs of segments, (B, T) int64.

    Words are told apart as the tokenizer does, so case and accents count as much as they do for the model.

    Args:
        encoded: padded pairs from a fast tokenizer.
    """
    input_ids = encoded["input_ids"]
    result = torch.full((len(input_ids), len(input_ids[0])), WordMatch.NONE, dtype=torch.long)
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
                value = WordMatch.WORD
            else:
                value = WordMatch.START if tokens[0] in starts[other] else WordMatch.ABSENT
            result[row, words[key]] = value
    return result
