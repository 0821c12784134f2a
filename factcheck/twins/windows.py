"""The order in which locally-grouped attention reads a feature map: window after window, without padding.

An H x W map and windows of k1 x k2 tokens leave at most four kinds of window: whole ones, narrower ones at the right
border, lower ones at the bottom border and one small one in the corner. Each kind is a rectangle of the map which its
own window size divides exactly, so attention can run rectangle by rectangle and no padded token ever exists. The
result is that of padding the map and masking the padding, without the work.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules import module as everywhere

__all__ = ["Region", "from_windows", "hooked", "recording", "to_windows", "window_regions"]


class Region(NamedTuple):
    """A rectangle of the map that windows of one size cover exactly; all figures are in tokens."""

    top: int
    left: int
    height: int
    width: int
    window_height: int
    window_width: int

    @property
    def windows(self) -> int:
        """How many windows the rectangle holds."""
        return (self.height // self.window_height) * (self.width // self.window_width)

    @property
    def tokens(self) -> int:
        """Tokens in one window."""
        return self.window_height * self.window_width


def window_regions(height: int, width: int, window: tuple[int, int]) -> tuple[Region, ...]:
    """The one to four rectangles of an H x W map, whole windows first; sizes of zero are left out."""
    k1, k2 = window
    if height % k1 == 0 and width % k2 == 0:
        return (Region(0, 0, height, width, k1, k2),)
    inner_h, inner_w = height - height % k1, width - width % k2
    rows = [(0, inner_h, k1), (inner_h, height - inner_h, height - inner_h)]
    columns = [(0, inner_w, k2), (inner_w, width - inner_w, width - inner_w)]
    return tuple(Region(top, left, h, w, kh, kw) for top, h, kh in rows for left, w, kw in columns if h > 0 and w > 0)


def recording() -> bool:
    """Whether gradients or a graph are being recorded, so that results must not be written into buffers."""
    return (
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
        part._forward_hooks or part._forward_pre_hooks or "forward" in part.__dict__
        for module in modules
        for part in module.modules()
    )


def _rectangle(x: Tensor, r: Region) -> Tensor:
    """(B, H, W, D) -> view (B, rows, columns, k1, k2, D) of the region's windows."""
    if x.shape[1:3] != (r.height, r.width):
        x = x[:, r.top : r.top + r.height, r.left : r.left + r.width]
    kh, kw = r.window_height, r.window_width
    return x.view(x.shape[0], r.height // kh, kh, r.width // kw, kw, x.shape[3]).transpose(2, 3)


def to_windows(x: Tensor, window: tuple[int, int]) -> Tensor:
    """Tokens of a map in window order.

    Args:
        x: (B, H, W, D), contiguous.
        window: (k1, k2) in tokens.

    Returns:
        (B*H*W, D), contiguous: region after region (see :func:`window_regions`), in a region image after image,
        window after window, in a window row by row.
    """
    b, h, w, d = x.shape
    regions = window_regions(h, w, window)
    if len(regions) == 1:
        return _rectangle(x, regions[0]).reshape(-1, d)
    if recording():
        return torch.cat([_rectangle(x, r).reshape(-1, d) for r in regions])
    out, start = x.new_empty(b * h * w, d), 0
    for r in regions:
        part = _rectangle(x, r)
        count = b * r.height * r.width
        out[start : start + count].view(part.shape).copy_(part)
        start += count
    return out


def from_windows(x: Tensor, batch: int, size: tuple[int, int], window: tuple[int, int]) -> Tensor:
    """Undo :func:`to_windows`: (B*H*W, D) in window order -> (B, H, W, D), contiguous."""
    (h, w), d = size, x.shape[-1]
    regions = window_regions(h, w, window)
    if len(regions) == 1:
        kh, kw = regions[0].window_height, regions[0].window_width
        return x.view(batch, h // kh, w // kw, kh, kw, d).transpose(2, 3).reshape(batch, h, w, d)
    out = None if recording() else x.new_empty(batch, h, w, d)
    rows: dict[int, list[Tensor]] = {}
    start = 0
    for r in regions:
        count = batch * r.height * r.width
        kh, kw = r.window_height, r.window_width
        part = x[start : start + count].view(batch, r.height // kh, r.width // kw, kh, kw, d)
        start += count
        if out is not None:
            _rectangle(out, r).copy_(part)
        else:
            rows.setdefault(r.top, []).append(part.transpose(2, 3).reshape(batch, r.height, r.width, d))
    if out is not None:
        return out
    joined = [parts[0] if len(parts) == 1 else torch.cat(parts, dim=2) for parts in rows.values()]
    return joined[0] if len(joined) == 1 else torch.cat(joined, dim=1)
