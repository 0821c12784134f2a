"""Where a Twins encoder looks: LSA and GSA attention as maps over the image, for notebooks.

**Not a faithful explanation.** Attention weights say which tokens a layer mixed, not which parts of an image decided
anything: other weights can give the same output (Jain & Wallace, arXiv 1902.10186). What an image does to a verdict is measured
by leaving it out, see ``photo_attribution`` of :class:`factcheck.Verifier`.

Shapes: B images, H x W pixels, h x w tokens of a stage, N = h*w, D width.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from factcheck.errors import InputError
from factcheck.twins.blocks import Block, GlobalSubsampledAttention, Size, project_cells
from factcheck.twins.lsa import LocallyGroupedSelfAttention
from factcheck.twins.twins import MIN_SIZE, Twins

__all__ = ["AttentionMap", "attention_maps"]


@dataclass(frozen=True)
class AttentionMap:
    """How much attention the tokens of one block receive, in the mean over heads and over all tokens that look.

    Attributes:
        stage, block: which block, from 0.
        kind: ``lsa`` (inside windows) or ``gsa`` (over a sub-sampled summary of the map).
        grid: (B, h, w), LSA: a figure a token; GSA: a figure a summary cell. 1 is what even attention would give, and the
            mean over each window (LSA) or the whole map (GSA) is 1.
        image: (B, H, W), the same at the size of the images; bounds of tokens stay visible.
        cell: height and width of one figure of ``grid`` in pixels of the images; the last ones may reach beyond them.
        window: the same of LSA's windows, of which each looks only at itself; None for GSA, which looks everywhere.
    """

    stage: int
    block: int
    kind: str
    grid: Tensor
    image: Tensor
    cell: tuple[float, float]
    window: tuple[float, float] | None


@torch.no_grad()
def attention_maps(encoder: Twins | nn.Module, images: Tensor) -> list[AttentionMap]:
    """The attention of every block, computed by the explicit slow path. Not a faithful explanation: see this module.

    Args:
        encoder: a Twins model (its mode is left alone; no dropout is applied), or an image encoder, of which the pass
            over the whole image is shown.
        images: (B, 3, H, W) pixels, normalised as the weights expect.

    Returns:
        One map a block, in order.

    Raises:
        InputError: the encoder is not a Twins model, or the images do not fit it.
    """
    backbone = encoder if isinstance(encoder, Twins) else getattr(encoder, "backbone", None)
    if not isinstance(backbone, Twins):
        raise InputError(
            f"attention maps need a Twins model or an image encoder with one, found {type(encoder).__name__}"
        )
    if not isinstance(images, Tensor) or not images.is_floating_point():
        found = f"{images.dtype} values" if isinstance(images, Tensor) else type(images).__name__
        raise InputError(
            f"images must be a tensor of normalised pixels, floating point, found {found}; the encoder's transform makes one of an image"
        )
    if images.ndim != 4:
        raise InputError(f"images must be (B, 3, H, W), found {tuple(images.shape)}; add the first dimension")
    view, x = getattr(encoder, "view_size", None), images
    if view is not None and images.shape[-2:] != (view, view):
        x = F.interpolate(images, size=(view, view), mode="bilinear", antialias=True, align_corners=False)
    if x.shape[1] != backbone.in_chans or min(x.shape[2:]) < MIN_SIZE:
        raise InputError(
            f"images must have {backbone.in_chans} channels and sides of at least {MIN_SIZE} pixels, found {tuple(x.shape)}"
        )
    modes = [(module, module.training) for module in backbone.modules()]
    try:
        _, weights = explicit_pass(backbone.eval(), x)
    finally:
        for module, training in modes:  # parts of a backbone may be frozen
            module.training = training
    maps = []
    for (stage, block), (attention, size, kept) in weights.items():
        reduction = backbone.feature_info[stage]["reduction"]
        if isinstance(attention, LocallyGroupedSelfAttention):
            kind, grid, cell = "lsa", _received_in_windows(kept, size, attention.window), reduction
        else:
            ratio = attention.sr_ratio
            shape = (-(-size[0] // ratio), -(-size[1] // ratio))
            kind, cell = "gsa", reduction * ratio
            grid = kept.mean((1, 2)).unflatten(1, shape) * kept.shape[-1]
        image = grid.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, : x.shape[2], : x.shape[3]]
        if image.shape[1:] != images.shape[2:]:
            image = F.interpolate(image[:, None], size=images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        scaled = cell * images.shape[2] / x.shape[2], cell * images.shape[3] / x.shape[3]
        window = None
        if isinstance(attention, LocallyGroupedSelfAttention):
            window = attention.window[0] * scaled[0], attention.window[1] * scaled[1]
        maps.append(AttentionMap(stage, block, kind, grid, image, scaled, window))
    return maps


def explicit_pass(backbone: Twins, x: Tensor) -> tuple[Tensor, dict[tuple[int, int], tuple]]:
    """The final tokens (B, N, D), as ``forward_features`` gives them, and by (stage, block) attention, map size and weights.

    Weights are (B, windows, heads, k1*k2, k1*k2) for LSA and (B, heads, N, summary cells) for GSA.
    """
    weights: dict[tuple[int, int], tuple] = {}
    size: Size = (0, 0)
    for stage, blocks in enumerate(cast(Iterable[Iterable[Block]], backbone.blocks)):
        if stage:
            x = x.view(x.shape[0], *size, x.shape[2]).permute(0, 3, 1, 2)  # (B, N, D) -> (B, D, h, w)
        x, size = backbone.patch_embeds[stage](x)
        for i, block in enumerate(blocks):
            if isinstance(block.attn, GlobalSubsampledAttention):
                mixed, kept = _global_attention(block.attn, block.norm1(x), size)
            else:
                mixed, kept = block.attn.forward_with_weights(block.norm1(x), size)
            x = x + mixed
            x = x + block.mlp(block.norm2(x))
            if i == 0:
                x = backbone.pos_block[stage](x, size)
            weights[stage, i] = (block.attn, size, kept)
    return backbone.norm(x), weights


def _global_attention(attention: GlobalSubsampledAttention, x: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """GSA with its weights: (B, N, D) -> (B, N, D) and (B, heads, N, summary cells)."""
    b, n, d = x.shape
    q = attention.q(x).view(b, n, attention.num_heads, attention.head_dim).transpose(1, 2)
    if attention.sr is not None and attention.norm is not None:
        x = attention.norm(project_cells(x.view(b, *size, d), attention.sr, attention.sr_ratio)[0])
    k, v = attention.kv(x).view(b, x.shape[1], 2, attention.num_heads, attention.head_dim).permute(2, 0, 3, 1, 4)
    weights = (q * attention.head_dim**-0.5 @ k.transpose(-2, -1)).softmax(-1)
    return attention.proj((weights @ v).transpose(1, 2).reshape(b, n, d)), weights


def _received_in_windows(weights: Tensor, size: Size, window: tuple[int, int]) -> Tensor:
    """LSA weights to attention received by each token, (B, h, w), 1 in the mean over each window's real tokens."""
    (h, w), (k1, k2) = size, window
    rows, columns = -(-h // k1), -(-w // k2)
    real = F.pad(weights.new_ones(h, w), (0, columns * k2 - w, 0, rows * k1 - h))
    real = (
        real.view(rows, k1, columns, k2).transpose(1, 2).reshape(rows * columns, k1 * k2)
    )  # padded queries mean nothing
    received = (weights.mean(2) * real[:, :, None]).sum(2)  # (B, windows, keys), its sum is the number of real queries
    grid = received.view(-1, rows, columns, k1, k2).transpose(2, 3).reshape(-1, rows * k1, columns * k2)
    return grid[:, :h, :w]
