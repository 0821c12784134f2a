"""What the networks ask of the processor and of PyTorch: cache sizes, whether results are recorded or watched, packed linear layers.

PyTorch's own linear layer copies the bias into the output and then adds the product to it, and an activation is one more pass
over memory. oneDNN's kernel, which PyTorch carries for its compiler, does all of it while the product is still in cache:
:class:`PackedLinear` calls it, for inference only, in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as everywhere

from factcheck.errors import InputError
from retrieval.encoders.linear import has_packed_kernel

__all__ = ["PackedLinear", "cache_floats", "can_pack", "even_part", "hooked", "recording"]

#: Assumed where the processor does not say: a size that every server and desktop processor of the last ten years has.
FALLBACK_BYTES = 2**19


def cache_floats() -> int:
    """Floats in a core's second-level cache."""
    capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    try:
        size = int(capabilities().get("l2_cache_size") or 0)
    except (RuntimeError, TypeError, ValueError):
        size = 0
    return max(size, FALLBACK_BYTES) // 4


def even_part(total: int, most: int) -> int:
    """The part size of at most ``most`` that cuts ``total`` into the fewest parts, all (but the last) alike; at least 1."""
    parts = max(1, -(-total // max(1, most)))
    return max(1, -(-total // parts))


def recording() -> bool:
    """Whether gradients or a graph are being recorded, so that results must not be written into buffers."""
    return bool(
        torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._are_functorch_transforms_active()
    )


def hooked(*modules: nn.Module) -> bool:
    """Whether anybody looks at what these modules or parts of them take and return, by a hook or by a ``forward`` of an instance.

    Then every module must be called once, on the whole batch, and its results must be left alone.
    """
    if everywhere._global_forward_hooks or everywhere._global_forward_pre_hooks:
        return True
    return any(
        bool(part._forward_hooks or part._forward_pre_hooks) or "forward" in part.__dict__
        for module in modules
        for part in module.modules()
    )


def can_pack(linear: object) -> bool:
    """Whether ``linear`` is a plain float32 linear layer on the CPU and this build of PyTorch carries the kernel."""
    return (
        type(linear) is nn.Linear
        and linear.weight.device.type == "cpu"
        and linear.weight.dtype == torch.float32
        and has_packed_kernel()
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
