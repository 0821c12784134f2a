"""The other parts of Twins: sub-sampled global attention (GSA), positional encoding (PEG), patch embedding, block.

Sources: Twins (arXiv 2104.13840), PEG (Chu et al., arXiv 2102.10882), sub-sampling (PVT, arXiv 2102.12122).
Parameter names are timm's. Shapes: B images, H x W tokens, N = H*W, D width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timm.layers import DropPath
from torch import Tensor, nn

from factcheck.twins.exporting import fill_cells, open_sizes
from factcheck.twins.kernels import PackedLinear, cache_floats, even_part, hooked, recording
from factcheck.twins.lsa import LocallyGroupedSelfAttention, attend, check_heads

__all__ = ["Block", "GlobalSubsampledAttention", "Mlp", "PatchEmbed", "PositionalEncodingGenerator"]

Size = tuple[int, int]

# Without gradients the MLP runs over as many tokens at a time as keep its hidden layer (floats) near a core: four times its own
# cache, which measured best (with less the matrix products are too small to run at full speed).
MLP_HIDDEN = 4 * cache_floats()
MLP_MIN_ROWS = 384
# From this many channels on a patch is long enough to be copied quickly, and a matrix product beats a convolution.
MERGE_CHANNELS = 16


def project_cells(x: Tensor, conv: nn.Module, r: int) -> tuple[Tensor, Size]:
    """A convolution whose stride is its kernel size r, as one matrix product over r x r cells.

    Faster than the convolution kernels on CPUs, and nothing is cut: cells at the right and bottom border that are not
    full are filled with zeros.

    Args:
        x: (B, H, W, C).
        conv: C to D channels. A plain convolution's parameters are used without calling it; one with hooks (pruning, say) or
            something in its place (an adapter) is called.
        r: side of a cell.

    Returns:
        (B, ceil(H/r) * ceil(W/r), D), row by row, and that grid's size.
    """
    if open_sizes(*x.shape[1:3]):
        x, (rows, columns) = fill_cells(x, r)
    else:
        pad_h, pad_w = -x.shape[1] % r, -x.shape[2] % r
        if pad_h or pad_w:
            x = F.pad(x, (0, 0, 0, pad_w, 0, pad_h))
        rows, columns = x.shape[1] // r, x.shape[2] // r
    if type(conv) is not nn.Conv2d or hooked(conv):
        return conv(x.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2), (rows, columns)
    b, c = x.shape[0], x.shape[3]
    cells = x.view(b, rows, r, columns, r, c).transpose(2, 3).reshape(b, rows * columns, r * r * c)
    # (D, C, r, r) -> (D, r*r*C); free if the weight is stored channels-last
    weight = conv.weight.permute(0, 2, 3, 1).reshape(conv.out_channels, r * r * c)
    return F.linear(cells, weight, conv.bias), (rows, columns)


class GlobalSubsampledAttention(nn.Module):
    """GSA: every token attends to a summary of the map, one summary token for each r x r cell.

    Cost: O(H^2 W^2 D / r^2). Cells at the border that are not full are summarised from the tokens they have, so
    that no token is cut (timm and the reference drop the remainder).

    Args:
        dim: D. num_heads: a divisor of D. sr_ratio: r, 1 for plain global attention.
        attn_drop, proj_drop: dropout, in training only.
    """

    def __init__(self, dim: int, num_heads: int = 8, sr_ratio: int = 1, attn_drop: float = 0.0, proj_drop: float = 0.0):
        super().__init__()
        self.head_dim = check_heads(dim, num_heads)
        self.dim, self.num_heads, self.sr_ratio = dim, num_heads, sr_ratio
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, dim * 2)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)
        self.sr = nn.Conv2d(dim, dim, sr_ratio, sr_ratio) if sr_ratio > 1 else None
        self.norm = nn.LayerNorm(dim) if sr_ratio > 1 else None

    def forward(self, x: Tensor, size: Size) -> Tensor:
        """(B, N, D) -> (B, N, D), for a map of ``size`` (H, W)."""
        return self.proj_drop(self.proj(self.mix(x, size)))

    def mix(self, x: Tensor, size: Size) -> Tensor:
        """As :meth:`forward`, without the output projection."""
        b, n, d = x.shape
        q = self.q(x).view(b, n, self.num_heads, self.head_dim).transpose(1, 2)
        if self.sr is not None and self.norm is not None:
            x = self.norm(project_cells(x.view(b, *size, d), self.sr, self.sr_ratio)[0])
        k, v = self.kv(x).view(b, x.shape[1], 2, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        out = attend(q, k, v, self.attn_drop.p if self.training else 0.0)
        return out.transpose(1, 2).reshape(b, n, d)


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them; position-wise, so any order of tokens will do."""

    def __init__(self, dim: int, hidden: int, drop: float = 0.0):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        return self.drop(self.fc2(self.drop(self.activate(x))))

    def activate(self, x: Tensor) -> Tensor:
        """The hidden layer, (..., D) -> (..., hidden)."""
        x = self.fc1(x)
        if isinstance(self.fc1, PackedLinear):  # applies GELU itself
            return x
        return F.gelu(x) if recording() or hooked(self.fc1) else torch.ops.aten.gelu_(x)


class Block(nn.Module):
    """A transformer block: attention (LSA with a window, GSA without) and MLP, each after a norm, with a residual.

    Args:
        dim: D. num_heads: a divisor of D. mlp_ratio: hidden width over D.
        window: the window of LSA, or None for GSA. sr_ratio: sub-sampling of GSA.
        drop, attn_drop: dropout. drop_path: probability with which a residual branch is skipped in training.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        window: int | tuple[int, int] | None = None,
        sr_ratio: int = 1,
        drop: float = 0.0,
        attn_drop: float = 0.0,
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn: GlobalSubsampledAttention | LocallyGroupedSelfAttention
        if window is None:
            self.attn = GlobalSubsampledAttention(dim, num_heads, sr_ratio, attn_drop, drop)
        else:
            self.attn = LocallyGroupedSelfAttention(dim, num_heads, window, attn_drop, drop)
        self.drop_path1 = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), drop)
        self.drop_path2 = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor, size: Size) -> Tensor:
        """(B, N, D) -> (B, N, D), for a map of ``size`` (H, W)."""
        if self.training or recording() or not self._may_take_apart():
            x = x + self.drop_path1(self.attn(self.norm1(x), size))
            return x + self.drop_path2(self.mlp(self.norm2(x)))
        x = x.contiguous()
        mixed = self.attn.mix(self.norm1(x), size)
        out = torch.empty_like(x)
        rows = max(MLP_MIN_ROWS, MLP_HIDDEN // self.mlp.fc1.out_features) if x.device.type == "cpu" else x.numel()
        rows = even_part(x.shape[0] * x.shape[1], rows)
        parts = (t.view(-1, t.shape[-1]).split(rows) for t in (x, mixed, out))
        for before, attended, part in zip(*parts, strict=True):
            if isinstance(self.mlp.fc2, PackedLinear):
                tokens = self.attn.proj.add_to(before, attended)
                part.copy_(self.mlp.fc2.add_to(tokens, self.mlp.activate(self.norm2(tokens))))
            else:
                _project_onto(before, attended, self.attn.proj, part)
                _project_onto(part, self.mlp.activate(self.norm2(part)), self.mlp.fc2, part)
        return out

    def _may_take_apart(self) -> bool:
        """Whether all parts are this module's own, without hooks or dropout, so that calls may be joined."""
        linear = type(self.mlp.fc2)
        drops = (self.attn.proj_drop, self.drop_path1, self.mlp.drop, self.drop_path2)
        return (
            linear in (nn.Linear, PackedLinear)
            and type(self.attn.proj) is linear
            and type(self.mlp) is Mlp
            and type(self.attn) in (LocallyGroupedSelfAttention, GlobalSubsampledAttention)
            and all(type(drop) in (nn.Dropout, DropPath, nn.Identity) and not drop.training for drop in drops)
            and not hooked(self)
        )


def _project_onto(residual: Tensor, x: Tensor, linear: nn.Linear, out: Tensor) -> None:
    """Write residual + linear(x) into ``out`` (which may be ``residual``), all (M, D): no gradients."""
    same = residual.dtype == x.dtype == linear.weight.dtype and not torch.is_autocast_enabled(x.device.type)
    if same and linear.bias is not None:  # the matrix product adds to what is there, which saves a pass over memory
        torch.add(residual, linear.bias, out=out).addmm_(x, linear.weight.t())
    else:
        torch.add(residual, linear(x), out=out)


class PositionalEncodingGenerator(nn.Module):
    """PEG: a depthwise 3 x 3 convolution added to the tokens, which tells them where they are at any map size."""

    def __init__(self, dim: int):
        super().__init__()
        self.proj = nn.Sequential(nn.Conv2d(dim, dim, 3, 1, 1, groups=dim))

    def forward(self, x: Tensor, size: Size) -> Tensor:
        """(B, N, D) -> (B, N, D), for a map of ``size`` (H, W)."""
        b, n, d = x.shape
        grid = x.view(b, *size, d).permute(0, 3, 1, 2)  # channels-last: no copy
        y = self.proj(grid).permute(0, 2, 3, 1).reshape(b, n, d)
        return y.add_(x) if y.dtype == x.dtype and not recording() and not hooked(self) else x + y


class PatchEmbed(nn.Module):
    """Cut a map into p x p patches and project each to a token; the last row and column are filled with zeros."""

    def __init__(self, in_chans: int, dim: int, patch_size: int):
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(in_chans, dim, patch_size, patch_size)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Size]:
        """(B, C, H, W) -> (B, N, D) and the new size (ceil(H/p), ceil(W/p))."""
        if x.shape[1] >= MERGE_CHANNELS or open_sizes(*x.shape[2:]):
            x, size = project_cells(x.permute(0, 2, 3, 1).contiguous(), self.proj, self.patch_size)
            return self.norm(x), size
        pad_h, pad_w = -x.shape[2] % self.patch_size, -x.shape[3] % self.patch_size
        if pad_h or pad_w:
            x = F.pad(x, (0, pad_w, 0, pad_h))
        x = self.proj(x.contiguous(memory_format=torch.channels_last))
        return self.norm(x.flatten(2).transpose(1, 2)), (x.shape[2], x.shape[3])
