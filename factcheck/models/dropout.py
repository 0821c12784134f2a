"""Dropout whose random numbers cost little on a CPU."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Dropout", "set_dropout"]


class Dropout(nn.Dropout):
    """:class:`torch.nn.Dropout` in every respect but where a CPU's random bits come from.

    PyTorch draws a CPU's masks from one Mersenne Twister, number by number, which costs a small transformer as much time as its
    matrix products. Here a byte decides an element, from a generator seeded by PyTorch's own: the same seed gives the same
    masks, and a restored random state goes on with them. On other devices it is PyTorch's dropout.

    The probability is rounded to a multiple of 1/256, and what is kept is scaled by the rounded one.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of ``input``, of any shape, in training."""
        threshold = round(self.p * 256)
        if not self.training or threshold == 0:
            return input
        if input.device.type != "cpu" or threshold == 256 or torch.compiler.is_compiling():
            return super().forward(input)
        seed = int(torch.randint(2**62, ()))
        random = np.frombuffer(np.random.Generator(np.random.SFC64(seed)).bytes(input.numel()), np.uint8)
        keep = torch.from_numpy(random >= threshold).view(input.shape)
        return _Masked.apply(input, keep, 256 / (256 - threshold))


class _Masked(torch.autograd.Function):
    """``input * keep * scale``, remembering a byte an element."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, keep: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(keep)
        ctx.scale = scale
        return (input * scale).mul_(keep)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (keep,) = ctx.saved_tensors
        return (gradient * ctx.scale).mul_(keep), None, None


def set_dropout(model: nn.Module, hidden: float, attention: float) -> None:
    """Give every dropout layer of a transformer its probability: on hidden states, and on attention weights.

    Hidden states get :class:`Dropout`. Attention weights (layers inside a module whose class is called ``…SelfAttention``)
    keep PyTorch's, whose probability the attention kernels read.
    """
    for module in list(model.modules()):
        within_attention = type(module).__name__.endswith("SelfAttention")
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                if within_attention:
                    child.p = attention
                else:
                    setattr(module, name, Dropout(hidden))
