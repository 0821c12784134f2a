"""BERT at inference on a CPU without a wasted operation: no padding, no mask, batches that stay in the cache.

Texts lie end to end in one matrix of T tokens (T, D), so that every linear layer is one product over real tokens; attention
runs over runs of texts of equal length. With ``int8`` the linear layers multiply in 8 bits.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retrieval.encoders.batching import PACKED_TOKENS, batches_by_length
from retrieval.encoders.linear import ROWS, Int8Linear, Linear

__all__ = ["PackedBert", "is_packable"]


def is_packable(model: Any) -> bool:
    """Whether :class:`PackedBert` computes what this Hugging Face model does: BERT with absolute positions and exact GELU."""
    config = model.config
    return (
        config.model_type == "bert"
        and type(model).__name__ == "BertModel"
        and (model.device.type, model.dtype) == ("cpu", torch.float32)
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
        and config.hidden_act == "gelu"
        and not getattr(config, "is_decoder", False)
    )


class PackedBert:
    """A :class:`transformers.BertModel` for inference on the CPU.

    Args:
        model: the model, in float32; see :func:`is_packable`. Its weights are shared, but for those of query, key and value,
            which are joined, and those in 8 bits.
        int8: multiply in 8 bits.
    """

    def __init__(self, model: Any, *, int8: bool = False) -> None:
        config, embeddings = model.config, model.embeddings
        self.width, self.heads = config.hidden_size, config.num_attention_heads
        linear = Int8Linear if int8 else Linear
        with torch.no_grad():
            self._words = embeddings.word_embeddings.weight
            # Every text is one segment, so its type's vector is part of every position's.
            self._positions = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
            self._norm = embeddings.LayerNorm
            self._layers = []
            for layer in model.encoder.layer:
                own = layer.attention.self
                parts = (own.query, own.key, own.value)
                self._layers.append(
                    (
                        linear(torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts])),
                        linear(layer.attention.output.dense.weight, layer.attention.output.dense.bias),
                        layer.attention.output.LayerNorm,
                        linear(layer.intermediate.dense.weight, layer.intermediate.dense.bias, gelu=True),
                        linear(layer.output.dense.weight, layer.output.dense.bias),
                        layer.output.LayerNorm,
                    )
                )

    def encode(self, ids: Sequence[list[int]], pooling: str, *, batch_size: int = 64) -> np.ndarray:
        """Vectors of n texts, float32 (n, D) of length 1.

        Args:
            ids: token ids of each text with special tokens, at least one.
            pooling: ``mean`` or ``cls``.
            batch_size: most texts in one pass; a pass ends at :data:`retrieval.encoders.batching.PACKED_TOKENS` tokens in any case.
        """
        vectors = np.empty((len(ids), self.width), np.float32)
        # float32 whatever the program around it has as its default or autocasts to: vectors are compared with stored ones.
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            for rows, part in batches_by_length(ids, batch_size, PACKED_TOKENS):
                vectors[rows] = F.normalize(self._pass(part, pooling), dim=1).numpy()
        return vectors

    def _pass(self, ids: list[list[int]], pooling: str) -> Tensor:
        """Pooled states (n, D) of texts sorted by length."""
        runs = [(length, len(list(group))) for length, group in groupby(map(len, ids))]
        tokens = torch.from_numpy(np.concatenate([np.asarray(row, np.int64) for row in ids]))
        positions = torch.from_numpy(np.concatenate([np.arange(len(row)) for row in ids]))
        hidden = self._states(self._words[tokens].add_(self._positions[positions]), runs)
        parts = []
        for start, (length, count) in _starts(runs):
            texts = hidden[start : start + length * count].view(count, length, self.width)
            parts.append(texts[:, 0] if pooling == "cls" else texts.mean(1))
        return torch.cat(parts)

    def states(self, embedded: Tensor, lengths: Sequence[int]) -> Tensor:
        """Last hidden states (T, D) of texts that lie end to end.

        Args:
            embedded: (T, D) sum of each token's embeddings, before their layer norm.
            lengths: tokens of each text; texts of equal length beside each other share their attention.
        """
        return self._states(embedded, [(length, len(list(group))) for length, group in groupby(lengths)])

    def _states(self, embedded: Tensor, runs: list[tuple[int, int]]) -> Tensor:
        """Hidden states (T, D) after the last layer, from embeddings (T, D) before their layer norm."""
        tokens = len(embedded)
        hidden = _normalize(
            F.pad(embedded, (0, 0, 0, -tokens % ROWS)), self._norm
        )  # (T', D): nobody attends to the rest
        context = torch.zeros_like(hidden)
        for project, merge, first, expand, contract, second in self._layers:
            self._attend(project(hidden), runs, context)
            hidden = _normalize(merge(context).add_(hidden), first)
            hidden = _normalize(contract(expand(hidden)).add_(hidden), second)
        return hidden[:tokens]

    def _attend(self, projected: Tensor, runs: list[tuple[int, int]], context: Tensor) -> None:
        """Attention of the projected (T, 3·D) within each text, into ``context`` (T, D)."""
        for start, (length, count) in _starts(runs):
            part = slice(start, start + length * count)
            # (T, 3·D) → (3, texts, heads, tokens, D / heads)
            q, k, v = projected[part].view(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v)
            context[part].view(count, length, self.heads, -1).copy_(mixed.transpose(1, 2))


def _normalize(x: Tensor, norm: Any) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _starts(runs: list[tuple[int, int]]) -> Iterator[tuple[int, tuple[int, int]]]:
    """Each run (length, texts) with its first token's place."""
    start = 0
    for length, count in runs:
        yield start, (length, count)
        start += length * count
