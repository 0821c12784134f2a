"""Linear layers whose weights are laid out once for the CPU's matrix kernels: inference only, float32.

PyTorch's own linear layer copies the bias into the output and then adds the product to it, and an activation is one more pass
over memory. oneDNN's kernel, which PyTorch carries for its compiler, does all of it while the product is still in cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from factcheck.errors import InputError

__all__ = ["PackedLinear", "can_pack"]


def can_pack(linear: object) -> bool:
    """Whether ``linear`` is a plain float32 linear layer on the CPU and this build of PyTorch carries the kernel."""
    return (
        type(linear) is nn.Linear
        and linear.weight.device.type == "cpu"
        and linear.weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    )


class PackedLinear(nn.Module):
    """``linear(x)``, or ``gelu(linear(x))`` (exact), without gradients. It can be run only: not moved, copied or saved.

    Args:
        linear: a layer that :func:`can_pack` accepts; its weights are copied.
        gelu: apply GELU to the result.
    """

    def __init__(self, linear: nn.Linear, gelu: bool = False):
        super().__init__()
        self.in_features, self.out_features, self.gelu = linear.in_features, linear.out_features, gelu
        weight = linear.weight.detach().contiguous()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(
            weight
        )  # opaque: no buffer, which would be moved or saved
        self.bias = None if linear.bias is None else linear.bias.detach().clone()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) float32 on the CPU -> (..., out)."""
        name, algorithm = ("gelu", "none") if self.gelu else ("none", "")
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, name, [], algorithm)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise InputError(
            "an optimised model's weights are packed for this processor: it cannot be moved, cast, copied or saved; "
            "do that with the model it was made from, and optimise again"
        )

    # Moves and casts, copies, pickles, and what would be saved without its weights.
    _apply = __deepcopy__ = __reduce_ex__ = _save_to_state_dict = _load_from_state_dict = _refuse

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual + linear(x)``, added while the product is in cache; residual (..., out) -> a new (..., out)."""
        return torch.ops.mkldnn._linear_pointwise.binary(x, residual, self.packed, self.bias, "add")
