"""Attention of a text transformer that a CPU trains in bfloat16: worked out in 32 bits."""

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

__all__ = ["WIDE_ATTENTION", "use_wide_attention"]

#: The name under which transformers knows :func:`wide_attention`.
WIDE_ATTENTION = "factcheck_wide_sdpa"


def wide_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Scaled dot-product attention, in float32 where it would be bfloat16 on a CPU.

    PyTorch's CPU kernel has a slow backward pass in bfloat16: for 64 rows of 135 tokens with 12 heads of 32, forward and backward
    take 2.3 times as long as in float32, conversions included, which is a third of a training step.

    Args:
        module: the attention layer.
        query, key, value: (B, heads, N, D / heads).
        attention_mask: what is added to the scores (float) or which of them count (bool), (B, 1, N, N); or None.
        **options: see ``sdpa_attention_forward`` of transformers.

    Returns:
        The mixed values (B, N, heads, D / heads) in the type of ``query``, and None in place of the weights.
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    if attention_mask is not None and attention_mask.is_floating_point():
        attention_mask = attention_mask.float()
    # Autocast would take them back to bfloat16.
    with torch.autocast("cpu", enabled=False):
        mixed, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), attention_mask, **options)
    return mixed.to(query.dtype), None


def use_wide_attention(text: Any) -> None:
    """Have a text transformer of transformers attend by :func:`wide_attention`, if it used PyTorch's own attention."""
    if getattr(text.config, "_attn_implementation", None) != "sdpa":
        return
    AttentionInterface.register(WIDE_ATTENTION, wide_attention)
    AttentionMaskInterface.register(WIDE_ATTENTION, sdpa_mask)
    text.set_attn_implementation(WIDE_ATTENTION)
