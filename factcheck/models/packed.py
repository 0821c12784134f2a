"""A verdict model at inference on the CPU: text without padding, in 32 or 8 bits, and of the fusion's last layer only what is read."""

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retrieval.encoders.batching import PACKED_TOKENS, rows_by_length
from retrieval.encoders.linear import Linear
from retrieval.encoders.packed import PackedBert, is_packable

if TYPE_CHECKING:
    from factcheck.models.fusion import FusionTransformer
    from factcheck.models.verdict import VerdictModel

__all__ = ["PackedFusion", "PackedText", "packed_fusion", "packed_text"]


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
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            for rows in rows_by_length(lengths.tolist(), len(lengths), PACKED_TOKENS):
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


class PackedFusion:
    """What a :class:`~factcheck.models.fusion.FusionTransformer` computes; its last layer for the verdict token alone.

    Args:
        fusion: in evaluation mode, in float32 on the CPU; must not be trained on, as weights are copied.
    """

    def __init__(self, fusion: "FusionTransformer") -> None:
        self._fusion = fusion
        self._layers = [_FusionLayer(layer) for layer in fusion.layers.layers]

    def __call__(self, text: Tensor, text_mask: Tensor, *images: Any) -> Tensor:
        """The verdict vector (B, D); see ``FusionTransformer.forward`` for the arguments."""
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            x, padding = self._fusion.tokens(text, text_mask, *images)  # (B, N, D), (B, N)
            seen = ~padding[:, None, None]  # (B, 1, 1, N)
            for layer in self._layers[:-1]:
                x = layer(x, x, seen)
            return self._fusion.norm(self._layers[-1](x[:, :1], x, seen)[:, 0])


class _FusionLayer:
    """A pre-norm encoder layer for some of its tokens."""

    def __init__(self, layer: Any) -> None:
        attention: nn.MultiheadAttention = layer.self_attn
        dim = attention.embed_dim
        self._heads, self._norms = attention.num_heads, (layer.norm1, layer.norm2)
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        with torch.no_grad():
            self._query = Linear(weight[:dim], bias[:dim])
            self._key_value = Linear(weight[dim:], bias[dim:])
            self._merge = Linear(attention.out_proj.weight, attention.out_proj.bias)
            self._expand = Linear(layer.linear1.weight, layer.linear1.bias, gelu=True)
            self._contract = Linear(layer.linear2.weight, layer.linear2.bias)

    def __call__(self, x: Tensor, tokens: Tensor, seen: Tensor) -> Tensor:
        """The states of ``x`` (B, M, D), the first M of ``tokens`` (B, N, D), which attend to those ``seen`` (B, 1, 1, N)."""
        batch, count, dim = x.shape
        normed = self._norms[0](tokens)
        q = self._query(normed[:, :count].reshape(-1, dim)).view(batch, count, self._heads, -1).transpose(1, 2)
        both = self._key_value(normed.view(-1, dim)).view(batch, tokens.shape[1], 2, self._heads, -1)
        k, v = both.permute(2, 0, 3, 1, 4)  # (B, heads, N, D / heads) each
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = x + self._merge(mixed.transpose(1, 2).reshape(-1, dim)).view_as(x)
        return x + self._contract(self._expand(self._norms[1](x).reshape(-1, dim))).view_as(x)


def packed_fusion(model: "VerdictModel") -> PackedFusion | None:
    """A :class:`PackedFusion` of the model, or None where its weights are not in 32 bits on the CPU."""
    weight = model.fusion.verdict
    return PackedFusion(model.fusion) if (weight.device.type, weight.dtype) == ("cpu", torch.float32) else None
