"""Linear layers at inference on the CPU: in 32 bits by the fastest kernel there is, or in 8 bits.

PyTorch multiplies float32 by the BLAS that it was built with, which on some processors leaves the widest vector registers
unused: on an AMD EPYC with AVX-512 its products ran at 100 GFLOP/s a core, those of oneDNN, which PyTorch carries for its
compiler, at 235. That kernel also adds the bias and applies GELU while the product is still in cache.
"""

import torch
from torch import Tensor

__all__ = ["ROWS", "Int8Linear", "Linear", "has_packed_kernel"]

#: Rows of a product are best a multiple of this: a kernel is made for each number of rows, and kept.
ROWS = 16


def has_packed_kernel() -> bool:
    """Whether this build of PyTorch carries oneDNN's linear layer, and nobody has switched it off."""
    return (
        torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    )


class Linear:
    """``x W + b``, or ``gelu(x W + b)`` (exact), in float32.

    Args:
        weight: (outputs, inputs), float32 on the CPU.
        bias: (outputs,).
        gelu: apply GELU to the result.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, gelu: bool = False) -> None:
        self._bias, self._gelu = bias, gelu
        self._packed = has_packed_kernel()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()) if self._packed else weight.t()

    def __call__(self, x: Tensor) -> Tensor:
        """(T, inputs) to (T, outputs)."""
        if self._packed:
            name, algorithm = ("gelu", "none") if self._gelu else ("none", "")
            return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, name, [], algorithm)
        product = torch.addmm(self._bias, x, self._weight)
        return torch.ops.aten.gelu_(product) if self._gelu else product


class Int8Linear:
    """As :class:`Linear` with weights and activations in 8 bits (Dettmers et al. 2022, without its outliers).

    Weights are scaled by output channel, activations by row, so that a row's result does not depend on its neighbours.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, gelu: bool = False) -> None:
        # Without VNNI two products are added in 16 bits, which seven bits of weight cannot overflow.
        top = 127 if torch.cpu._is_vnni_supported() else 63
        scale = weight.abs().amax(1, keepdim=True).clamp_(min=1e-12) / top  # (outputs, 1)
        self._weight = (weight / scale).round_().to(torch.int8).t().contiguous()
        self._scale, self._bias, self._gelu = scale[:, 0].contiguous(), bias, gelu

    def __call__(self, x: Tensor) -> Tensor:
        """(T, inputs) to (T, outputs)."""
        # Two passes: aminmax takes seven times as long for both.
        top = torch.maximum(x.amax(1, keepdim=True), x.amin(1, keepdim=True).neg_())
        scale = top.clamp_(min=1e-12).div_(127)  # (T, 1)
        product = torch._int_mm(x.mul(1 / scale).round_().to(torch.int8), self._weight)  # int32 (T, outputs)
        result = torch.mul(product, scale)
        torch.addcmul(self._bias, result, self._scale, out=result)
        return torch.ops.aten.gelu_(result) if self._gelu else result
