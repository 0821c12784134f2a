"""Locally-grouped self-attention (LSA), the attention of Twins-SVT inside windows.

Chu et al., "Twins: Revisiting the Design of Spatial Attention in Vision Transformers", NeurIPS 2021 (arXiv
2104.13840), section 3.2. Shapes: B images, H x W tokens, N = H*W, D width, k1 x k2 window, h heads of d = D/h.

A map is read window after window, without padding. An H x W map and windows of k1 x k2 tokens leave at most four kinds of
window: whole ones, narrower ones at the right border, lower ones at the bottom border and one small one in the corner. Each
kind is a rectangle of the map which its own window size divides exactly (:func:`window_regions`), so attention runs rectangle
by rectangle and no padded token ever exists. The result is that of padding the map and masking the padding, without the work.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from factcheck.errors import InputError
from factcheck.twins.exporting import open_sizes, window_places
from factcheck.twins.kernels import cache_floats, recording

__all__ = ["LocallyGroupedSelfAttention", "from_windows", "lsa_flops", "to_windows", "window_regions"]

# Fused CUDA kernels put the leading dimension into a grid coordinate that ends here.
MAX_LEADING = 65_535
# Without gradients, maps with more queries, keys and values than this (floats) are worked on in parts on the CPU.
CHUNK_FLOATS = max(2**20, 8 * cache_floats())


def _window_pair(window: int | tuple[int, int]) -> tuple[int, int]:
    try:
        pair = tuple(map(operator.index, window)) if isinstance(window, Sequence) else (operator.index(window),) * 2
    except TypeError:
        pair = ()
    if len(pair) != 2 or min(pair) < 1 or isinstance(window, bool):
        raise InputError(f"window must be a positive int or a pair (k1, k2) of them, found {window!r}")
    return pair


def check_heads(dim: int, num_heads: int) -> int:
    """The width of a head, D / h; raises :class:`InputError` unless h divides D."""
    if not isinstance(num_heads, int) or not isinstance(dim, int) or num_heads < 1 or dim < 1 or dim % num_heads:
        raise InputError(f"dim must be a multiple of num_heads, found dim={dim} and num_heads={num_heads}")
    return dim // num_heads


def attend(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """softmax(q k^T / sqrt(d)) v with a fused kernel, in chunks where the leading dimension passes its limit.

    Args:
        q: (M, h, L, d). k, v: (M, h, S, d). Any strides with a contiguous last dimension.
        dropout: probability with which a weight is dropped.

    Returns:
        (M, h, L, d).
    """
    # The limit is CUDA's. Elsewhere chunks do no harm, but a compiled graph must stay free of a bound on its batch.
    if (torch.compiler.is_compiling() and not q.is_cuda) or q.shape[0] <= MAX_LEADING:
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    chunks = zip(q.split(MAX_LEADING), k.split(MAX_LEADING), v.split(MAX_LEADING), strict=True)
    return torch.cat([F.scaled_dot_product_attention(*chunk, dropout_p=dropout) for chunk in chunks])


class LocallyGroupedSelfAttention(nn.Module):
    """Multi-head self-attention inside each k1 x k2 window of an H x W map.

    Any H and W are accepted. Where a window reaches over the border, the tokens beyond it do not exist for the
    attention: they are never attended to and change no valid output (the reference code fails for such sizes; timm
    pads with zeros that take part through the bias of the key and value projections).

    Complexity: O(k1 k2 H W D) for the attention itself, linear in H*W, against O(H^2 W^2 D) for global attention
    (arXiv 2104.13840, section 3.2: O(H^2 W^2 D / (m n)) for m x n windows, with k1 = H/m and k2 = W/n);
    :func:`lsa_flops` counts it exactly, projections included.

    Args:
        dim: width D of a token.
        num_heads: heads h, a divisor of ``dim``.
        window: k, or (k1, k2): rows and columns of a window, in tokens.
        attn_drop: dropout of attention weights, in training only.
        proj_drop: dropout after the output projection, in training only.

    Raises:
        InputError: ``num_heads`` does not divide ``dim``, or ``window`` is no positive int or pair.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        window: int | tuple[int, int] = 7,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ):
        super().__init__()
        self.head_dim = check_heads(dim, num_heads)
        self.dim, self.num_heads, self.window = dim, num_heads, _window_pair(window)
        self.scale = self.head_dim**-0.5
        self.qkv = nn.Linear(dim, dim * 3)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Attend inside windows.

        Args:
            x: (B, N, D), row by row.
            size: (H, W) with H * W = N.

        Returns:
            (B, N, D).

        Raises:
            InputError: x is not (B, H*W, D).
        """
        if open_sizes(*size):
            return self.proj_drop(self.proj(self._mix_open(x, size)))
        self._check(x, size)
        b, n, d = x.shape
        tokens = to_windows(x.view(b, *size, d), self.window)
        return from_windows(self.attend_windows(tokens, b, size), b, size, self.window).view(b, n, d)

    def attend_windows(self, x: Tensor, batch: int, size: tuple[int, int]) -> Tensor:
        """The same on tokens already in window order, (B*N, D) -> (B*N, D); see :func:`to_windows`."""
        return self.proj_drop(self._through_windows(x, batch, size, self.proj))

    def mix(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """As :meth:`forward`, without the output projection."""
        b, n, d = x.shape
        tokens = to_windows(x.view(b, *size, d), self.window)
        return from_windows(self._through_windows(tokens, b, size), b, size, self.window).view(b, n, d)

    def _through_windows(
        self, x: Tensor, batch: int, size: tuple[int, int], then: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Tokens in window order (B*N, D) to what attention makes of them, and on through ``then``."""
        regions = window_regions(*size, self.window)
        then = then or (lambda out: out)
        large = x.shape[0] * 3 * self.dim > CHUNK_FLOATS if not recording() and x.device.type == "cpu" else False
        if large:  # windows by the hundred, so that memory and time a token do not grow with the map
            out, start = [], 0
            for region in regions:
                step = max(1, CHUNK_FLOATS // (3 * self.dim * region.tokens))
                for first in range(0, batch * region.windows, step):
                    m = min(step, batch * region.windows - first)
                    qkv = self.qkv(x[start : start + m * region.tokens])
                    out.append(then(self._attend(qkv, m, region.tokens)))
                    start += m * region.tokens
            return torch.cat(out)
        qkv = self.qkv(x)
        if len(regions) == 1:
            return then(self._attend(qkv, batch * regions[0].windows, regions[0].tokens))
        out, start = [], 0
        for region in regions:
            m, n = batch * region.windows, region.tokens
            out.append(self._attend(qkv[start : start + m * n], m, n))
            start += m * n
        return then(torch.cat(out))

    def _attend(self, qkv: Tensor, m: int, n: int) -> Tensor:
        """Queries, keys and values (m*n, 3D) of m windows with n tokens -> (m*n, D)."""
        # q, k, v: (m, h, n, d), all views of the projection's output
        q, k, v = qkv.view(m, n, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        out = attend(q, k, v, self.attn_drop.p if self.training else 0.0)
        return out.transpose(1, 2).reshape(m * n, self.dim)

    def _mix_open(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """As :meth:`mix`, where a graph leaves the size open: whole windows, those at the border masked."""
        where = window_places(size, self.window, x.device)
        b, (windows, n) = x.shape[0], where.inside.shape
        qkv = self.qkv(x).index_select(1, where.tokens).view(b, windows, n, 3, self.num_heads, self.head_dim)
        # windows and heads in one dimension, apart from the batch: each stays within the limit of attend() by itself
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5).reshape(3, b, windows * self.num_heads, n, self.head_dim).unbind(0)
        mask = where.inside.repeat_interleave(self.num_heads, 0)[None, :, None]
        out = F.scaled_dot_product_attention(q, k, v, mask, self.attn_drop.p if self.training else 0.0)
        out = out.view(b, windows, self.num_heads, n, self.head_dim).transpose(2, 3)
        return out.reshape(b, windows * n, self.dim).index_select(1, where.places)

    def forward_with_weights(self, x: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The explicit slow path: pad, mask the padding, and return the attention weights as well.

        Args:
            x: (B, N, D). size: (H, W).

        Returns:
            The output (B, N, D), equal to :meth:`forward`, and the weights (B, windows, h, k1*k2, k1*k2), windows
            row by row. Columns of padded keys are 0; rows of padded queries are those of real ones and mean nothing.

        Raises:
            InputError: x is not (B, H*W, D).
        """
        self._check(x, size)
        b, n, d = x.shape
        (h, w), (k1, k2) = size, self.window
        pad_h, pad_w = -h % k1, -w % k2
        rows, columns = (h + pad_h) // k1, (w + pad_w) // k2

        def windows(t: Tensor) -> Tensor:  # (B, H, W, C) -> (B, rows*columns, k1*k2, C)
            t = F.pad(t, (0, 0, 0, pad_w, 0, pad_h))
            return (
                t.view(t.shape[0], rows, k1, columns, k2, -1)
                .transpose(2, 3)
                .reshape(t.shape[0], rows * columns, k1 * k2, -1)
            )

        qkv = self.qkv(windows(x.view(b, h, w, d))).unflatten(-1, (3, self.num_heads, self.head_dim))
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)  # (B, windows, h, k1*k2, d)
        padded = windows(x.new_ones(1, h, w, 1)).transpose(-2, -1).unsqueeze(2) == 0  # (1, windows, 1, 1, k1*k2)
        weights = (q * self.scale @ k.transpose(-2, -1)).masked_fill(padded, float("-inf")).softmax(dim=-1)
        weights = self.attn_drop(weights)
        out = (weights @ v).transpose(2, 3).reshape(b, rows, columns, k1, k2, d).transpose(2, 3)
        out = out.reshape(b, rows * k1, columns * k2, d)[:, :h, :w].reshape(b, n, d)
        return self.proj_drop(self.proj(out)), weights

    def _check(self, x: Tensor, size: tuple[int, int]) -> None:
        h, w = size
        if x.ndim != 3 or x.shape[1] != h * w or x.shape[2] != self.dim:
            raise InputError(f"x must be (B, H*W, {self.dim}) with (H, W) = {tuple(size)}, found {tuple(x.shape)}")

    def extra_repr(self) -> str:
        """The settings that the submodules do not show."""
        return f"dim={self.dim}, num_heads={self.num_heads}, window={self.window}"


def lsa_flops(size: tuple[int, int], dim: int, window: int | tuple[int, int], batch: int = 1) -> int:
    """Floating-point operations of one LSA forward pass (a multiply and an add count as two).

    The four projections take 8 H W D^2 and attention takes 4 D * (sum over windows of the squared number of tokens),
    which is 4 k1 k2 H W D where windows divide the map. Softmax, scaling and biases are not counted, as in
    :class:`torch.utils.flop_counter.FlopCounterMode`.

    Args:
        size: (H, W) in tokens. dim: D. window: k or (k1, k2). batch: B.
    """
    h, w = size
    if min(h, w, dim, batch) < 1:
        raise InputError(f"size, dim and batch must be positive, found {tuple(size)}, {dim} and {batch}")
    attention = sum(r.windows * r.tokens**2 for r in window_regions(h, w, _window_pair(window)))
    return batch * (8 * h * w * dim**2 + 4 * dim * attention)


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
