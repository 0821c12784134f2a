"""The text transformer of a verdict model at inference on the CPU: pairs of segments without padding, in 32 or 8 bits."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from retrieval.encoders.batching import TOKENS_AT_ONCE
from retrieval.encoders.packed import PackedBert, is_packable

if TYPE_CHECKING:
    from factcheck.models.verdict import VerdictModel

__all__ = ["PackedText", "packed_text"]


class PackedText:
    """What :meth:`VerdictModel.encode_text <factcheck.models.verdict.VerdictModel.encode_text>` computes, for BERT.

    Args:
        model: the verdict model; its weights are shared but for those that are joined or in 8 bits, so it must not be trained on.
        int8: multiply in 8 bits, by token and output channel: a row still does not depend on its neighbours.
    """

    def __init__(self, model: "VerdictModel", *, int8: bool = False) -> None:
        self._bert = PackedBert(model.text, int8=int8)
        embeddings: Any = model.text.embeddings
        self._words: Tensor = embeddings.word_embeddings.weight
        self._positions: Tensor = embeddings.position_embeddings.weight
        self._types: Tensor = embeddings.token_type_embeddings.weight
        self._relations: Tensor | None = None if model.match_embed is None else model.match_embed.weight

    def __call__(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        token_relations: Tensor | None = None,
    ) -> Tensor:
        """(B, T, D) hidden states, zero where the mask is; see ``VerdictModel.encode_text`` for the arguments."""
        lengths = attention_mask.sum(1)
        states = self._words.new_zeros(*input_ids.shape, self._bert.width)  # (B, T, D)
        order = torch.argsort(lengths, stable=True)
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            for rows in _passes(order.tolist(), lengths.tolist()):
                mask = attention_mask[rows].bool()  # (b, T)
                hidden = self._words[input_ids[rows][mask]]  # (t, D)
                hidden += self._positions[mask.nonzero()[:, 1]]
                hidden += self._types[0] if token_type_ids is None else self._types[token_type_ids[rows][mask]]
                if self._relations is not None and token_relations is not None:
                    hidden += self._relations[token_relations[rows][mask]]
                part = states.new_zeros(*mask.shape, self._bert.width)
                part[mask] = self._bert.states(hidden, lengths[rows].tolist())
                states[rows] = part
        return states


def packed_text(model: "VerdictModel", *, int8: bool = False) -> PackedText | None:
    """A :class:`PackedText` of the model, or None where its text transformer is no BERT in 32 bits on the CPU."""
    return PackedText(model, int8=int8) if is_packable(model.text) else None


def _passes(order: list[int], lengths: list[int]) -> Iterator[list[int]]:
    """Rows in passes of few enough tokens to stay in the cache; a longer row goes alone."""
    held: list[int] = []
    tokens = 0
    for row in order:
        if held and tokens + lengths[row] > TOKENS_AT_ONCE:
            yield held
            held, tokens = [], 0
        held.append(row)
        tokens += lengths[row]
    if held:
        yield held
