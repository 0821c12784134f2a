"""Texts to token ids, and token ids to batches of like length that stay in a processor's cache."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["PACKED_TOKENS", "TOKENS_AT_ONCE", "batches_by_length", "pad", "rows_by_length", "tokenize"]

#: Tokens in one forward pass on a CPU: the widest activations of a small encoder (1,536 floats a token) then stay within a
#: few megabytes. Passes of 64 texts took twice as long a text.
TOKENS_AT_ONCE = 512
#: The same without padding, in :class:`retrieval.encoders.packed.PackedBert`; 7% quicker there than 512, in 8 bits 4%.
PACKED_TOKENS = 1024


def tokenize(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Token ids of each text with the special tokens, truncated."""
    if not texts:
        return []
    # Lone surrogates (from broken scrapes) cannot be encoded in UTF-8, which the tokenizer needs.
    clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    return tokenizer(clean, truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]


def batches_by_length(
    ids: Sequence[list[int]], batch_size: int, tokens: int | None = TOKENS_AT_ONCE
) -> Iterator[tuple[np.ndarray, list[list[int]]]]:
    """Yield (row numbers, token ids) of each batch of :func:`rows_by_length`; ``ids`` are the token ids of each text."""
    for rows in rows_by_length([len(row) for row in ids], batch_size, tokens):
        yield rows, [ids[i] for i in rows]


def rows_by_length(
    lengths: Sequence[int], batch_size: int, tokens: int | None = TOKENS_AT_ONCE
) -> Iterator[np.ndarray]:
    """Yield the row numbers of batches of like length, longest first so that memory peaks at once.

    Args:
        lengths: tokens of each text.
        batch_size: most texts in a batch.
        tokens: most tokens in a batch with its padding (a longer text goes alone); None for no bound, as on a GPU.
    """
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    start = 0
    while start < len(order):
        fits = batch_size if tokens is None else min(batch_size, tokens // max(1, int(lengths[order[start]])))
        rows = order[start : start + max(1, fits)]
        yield rows
        start += len(rows)


def pad(ids: list[list[int]], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and mask, both int64 (B, N), padded on the right to the longest row."""
    longest = max(map(len, ids))
    tokens = np.full((len(ids), longest), pad_id, np.int64)
    mask = np.zeros((len(ids), longest), np.int64)
    for i, row in enumerate(ids):
        tokens[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return tokens, mask
