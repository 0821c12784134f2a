"""Twins-SVT and Twins-PCPVT (arXiv 2104.13840): a pyramid of blocks that alternate LSA and GSA.

Parameters carry timm's names, so that state dicts load in both directions. Shapes: B images, C channels, H x W
pixels or tokens, D width of the last stage.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from timm.layers import calculate_drop_path_rates, trunc_normal_
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from factcheck.errors import InputError
from factcheck.twins.blocks import Block, PatchEmbed, PositionalEncodingGenerator, Size
from factcheck.twins.kernels import cache_floats, even_part, hooked, recording
from retrieval.arguments import checked_choice

__all__ = ["MIN_SIZE", "Twins"]

MIN_SIZE = 32
"""Smallest side of an input image, in pixels: the last stage has one token for 32 of them."""

# Without gradients a stage takes as many images at a time as keep a map (floats) in a processor's cache.
STAGE_FLOATS = max(2**19, 2 * cache_floats())

Window = int | tuple[int, int] | None


class Twins(nn.Module):
    """Twins vision transformer, with timm's contract for models.

    Args:
        in_chans: channels C of the input.
        num_classes: outputs of the classifier, 0 for none.
        global_pool: ``"avg"`` (mean of the tokens) or ``""`` (tokens as they are).
        patch_size: side of the first stage's patches in pixels; later stages halve the map.
        embed_dims, num_heads, mlp_ratios, depths, sr_ratios: one figure a stage.
        windows: LSA window of each stage (int or pair), used in its even blocks; None for GSA throughout (PCPVT).
        drop_rate: dropout before the classifier. pos_drop_rate: after patch embedding. proj_drop_rate: after
            projections. attn_drop_rate: of attention weights. drop_path_rate: stochastic depth, rising linearly to
            this.
        img_size: accepted for timm's sake (any size works, at least 32 pixels a side).
        device, dtype: of the parameters, as for PyTorch's own layers (``device="meta"``: without memory, to load weights into).

    Raises:
        InputError: settings of different lengths or out of range, heads that do not divide a width, unknown pooling.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        patch_size: int = 4,
        embed_dims: Sequence[int] = (64, 128, 256, 512),
        num_heads: Sequence[int] = (2, 4, 8, 16),
        mlp_ratios: Sequence[float] = (4, 4, 4, 4),
        depths: Sequence[int] = (2, 2, 10, 4),
        sr_ratios: Sequence[int] = (8, 4, 2, 1),
        windows: Sequence[Window] | None = (7, 7, 7, 7),
        drop_rate: float = 0.0,
        pos_drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        img_size: int | tuple[int, int] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        stages = len(depths)
        windows = (None,) * stages if windows is None else tuple(windows)
        lengths = {len(s) for s in (embed_dims, num_heads, mlp_ratios, depths, sr_ratios, windows)}
        if lengths != {stages} or stages == 0:
            raise InputError(
                "embed_dims, num_heads, mlp_ratios, depths, sr_ratios and windows need one figure a stage, found "
                f"lengths {[len(s) for s in (embed_dims, num_heads, mlp_ratios, depths, sr_ratios, windows)]}"
            )
        if min(*embed_dims, *depths, *sr_ratios, *mlp_ratios, patch_size, in_chans) <= 0 or num_classes < 0:
            raise InputError(
                "embed_dims, depths, sr_ratios, mlp_ratios, patch_size and in_chans must be positive and num_classes not negative"
            )
        if not all(
            0 <= rate < 1 for rate in (drop_rate, pos_drop_rate, proj_drop_rate, attn_drop_rate, drop_path_rate)
        ):
            raise InputError("drop rates must lie in [0, 1)")
        self.in_chans, self.num_classes, self.global_pool = in_chans, num_classes, _check_pool(global_pool)
        self.depths, self.embed_dims = tuple(depths), tuple(embed_dims)
        self.patch_sizes = (patch_size, *(2,) * (stages - 1))
        self.num_features = self.head_hidden_size = embed_dims[-1]
        self.grad_checkpointing = False

        # A device is a context in which parameters are made there.
        with contextlib.nullcontext() if device is None else torch.device(device):
            self.patch_embeds, self.pos_drops, self.blocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
            self.pos_block = nn.ModuleList(PositionalEncodingGenerator(dim) for dim in embed_dims)
            self.feature_info: list[dict] = []
            rates = iter(cast(list[float], calculate_drop_path_rates(drop_path_rate, sum(depths))))
            width, reduction = in_chans, 1
            for k, dim in enumerate(embed_dims):
                reduction *= self.patch_sizes[k]
                self.patch_embeds.append(PatchEmbed(width, dim, self.patch_sizes[k]))
                self.pos_drops.append(nn.Dropout(pos_drop_rate))
                self.blocks.append(
                    nn.ModuleList(
                        Block(
                            dim,
                            num_heads[k],
                            mlp_ratios[k],
                            windows[k] if i % 2 == 0 else None,
                            sr_ratios[k],
                            proj_drop_rate,
                            attn_drop_rate,
                            next(rates),
                        )
                        for i in range(depths[k])
                    )
                )
                self.feature_info.append({"module": f"blocks.{k}", "num_chs": dim, "reduction": reduction})
                width = dim
            self.norm: nn.Module = nn.LayerNorm(self.num_features, eps=1e-6)
            self.head_drop = nn.Dropout(drop_rate)
            self.head = nn.Linear(self.num_features, num_classes) if num_classes > 0 else nn.Identity()
            self.apply(_init_weights)
        if dtype is not None:
            self.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) pixels, normalised as the weights expect -> (B, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> normalised tokens of the last stage, (B, ceil(H/32) * ceil(W/32), D), row by row.

        Raises:
            InputError: x is not (B, C, H, W) or has a side under 32 pixels.
        """
        _check_input(x, self.in_chans)
        for k in range(len(self.blocks)):
            x, size = self._stage(k, x)
            if k < len(self.blocks) - 1:
                x = _to_grid(x, size)
        return self.norm(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Tokens (B, N, D) -> pooled features (B, D) if ``pre_logits``, else class scores (B, num_classes)."""
        if self.global_pool == "avg":
            x = x.mean(dim=1)
        x = self.head_drop(x)
        return x if pre_logits else self.head(x)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Maps of several stages in one pass.

        Args:
            x: (B, C, H, W).
            indices: the last n stages if an int, all if None, else their numbers (negative ones from the end).
            norm: apply the final norm to the last stage's map.
            stop_early: leave out the stages after the last wanted one.
            output_fmt: ``"NCHW"`` or ``"NHWC"``.
            intermediates_only: return only the list.

        Returns:
            The final tokens (as :meth:`forward_features`; with ``stop_early`` the last computed stage's tokens) and
            a list of maps (B, D_k, H_k, W_k).

        Raises:
            InputError: unknown format, an index out of range, or a bad input.
        """
        checked_choice("output_fmt", output_fmt, ("NCHW", "NHWC"))
        _check_input(x, self.in_chans)
        last = len(self.blocks) - 1
        wanted = self._take(indices)
        maps: list[Tensor] = []
        size = (0, 0)
        for k in range(max(wanted) + 1 if stop_early else last + 1):
            x, size = self._stage(k, x if k == 0 else _to_grid(x, size))
            if k == last:
                raw, x = x, self.norm(x)
            if k in wanted:
                tokens = raw if k == last and not norm else x
                grid = _to_grid(tokens, size)
                maps.append(grid.contiguous() if output_fmt == "NCHW" else grid.permute(0, 2, 3, 1))
        return maps if intermediates_only else (x, maps)

    def stage_maps(self, x: Tensor) -> list[Tensor]:
        """The maps (B, D_k, H_k, W_k) of all stages, the last one normalised; x: (B, C, H, W)."""
        maps = self.forward_intermediates(x, norm=True, intermediates_only=True)
        assert isinstance(maps, list)
        return maps

    def prune_intermediate_layers(
        self, indices: int | Sequence[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the stages after the last of ``indices`` (as in :meth:`forward_intermediates`) for good."""
        wanted = self._take(indices)
        keep = max(wanted) + 1
        shortened = keep < len(self.blocks)
        for name in ("patch_embeds", "pos_drops", "blocks", "pos_block"):
            setattr(self, name, getattr(self, name)[:keep])
        if prune_norm or shortened:
            self.norm = nn.Identity()
        if shortened:
            self.num_features = self.head_hidden_size = self.feature_info[keep - 1]["num_chs"]
        if prune_head or shortened:
            self.reset_classifier(0, "")
        return wanted

    def get_classifier(self) -> nn.Module:
        """The last layer: a linear one, or an identity without classes."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a freshly initialised one for ``num_classes`` (0: none)."""
        if global_pool is not None:
            self.global_pool = _check_pool(global_pool)
        self.num_classes = num_classes
        if num_classes > 0:
            like = next(self.parameters())
            self.head = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype)
            _init_weights(self.head)
        else:
            self.head = nn.Identity()
        self.head.train(self.training)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """In training, keep only the input of each block and compute the rest again in the backward pass."""
        self.grad_checkpointing = enable

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that weight decay should leave alone: those of the PEGs."""
        return {f"pos_block.{name}" for name, _ in self.pos_block.named_parameters()}

    def group_matcher(self, coarse: bool = False) -> dict:
        """Patterns for timm's layer-wise learning-rate decay."""
        norm = (r"^norm", (99999,))
        if coarse:
            blocks = [(r"^(?:blocks|patch_embeds|pos_block)\.(\d+)", None), norm]
        else:
            blocks = [(r"^blocks\.(\d+)\.(\d+)", None), (r"^(?:patch_embeds|pos_block)\.(\d+)", (0,)), norm]
        return {"stem": r"^patch_embeds.0", "blocks": blocks}

    def _stage(self, k: int, x: Tensor) -> tuple[Tensor, Size]:
        """Stage k: (B, C, H, W) -> tokens (B, N, D_k) and their grid."""
        if recording() or x.device.type != "cpu" or (at_once := self._images_at_once(k, x)) >= x.shape[0]:
            return self._stage_images(k, x)
        if hooked(self.patch_embeds[k], self.pos_drops[k], self.blocks[k], self.pos_block[k]):
            return self._stage_images(k, x)
        parts = [self._stage_images(k, part) for part in x.split(even_part(x.shape[0], at_once))]
        return torch.cat([tokens for tokens, _ in parts]), parts[0][1]

    def _images_at_once(self, k: int, x: Tensor) -> int:
        """How many images' maps of stage k stay in a processor's cache between one layer and the next."""
        patch = self.patch_sizes[k]
        floats = math.ceil(x.shape[2] / patch) * math.ceil(x.shape[3] / patch) * self.embed_dims[k]
        return max(1, STAGE_FLOATS // floats)

    def _stage_images(self, k: int, x: Tensor) -> tuple[Tensor, Size]:
        x, size = self.patch_embeds[k](x)
        x = self.pos_drops[k](x)
        recompute = self.grad_checkpointing and self.training and torch.is_grad_enabled()
        for i, block in enumerate(cast(Iterable[Block], self.blocks[k])):
            x = checkpoint(block, x, size, use_reentrant=False) if recompute else block(x, size)
            if i == 0:
                x = self.pos_block[k](x, size)
        return x, size

    def _take(self, indices: int | Sequence[int] | None) -> list[int]:
        stages = len(self.blocks)
        if isinstance(indices, int) and not 1 <= indices <= stages:
            raise InputError(f"indices must ask for 1 to {stages} of the last stages, found {indices}")
        numbers = range(stages - indices, stages) if isinstance(indices, int) else indices
        numbers = range(stages) if numbers is None else [i + stages if i < 0 else i for i in numbers]
        if not numbers or min(numbers) < 0 or max(numbers) >= stages:
            raise InputError(f"indices must name some of the {stages} stages, found {indices!r}")
        return list(numbers)


def _to_grid(x: Tensor, size: Size) -> Tensor:
    """Tokens (B, N, D) -> map (B, D, H, W), a channels-last view."""
    return x.view(x.shape[0], *size, x.shape[2]).permute(0, 3, 1, 2)


def _check_pool(global_pool: str) -> str:
    if global_pool not in ("", "avg"):
        raise InputError(f"global_pool must be 'avg' or '' (none), found {global_pool!r}")
    return global_pool


def _check_input(x: Tensor, in_chans: int) -> None:
    if x.ndim != 4 or x.shape[1] != in_chans or x.shape[2] < MIN_SIZE or x.shape[3] < MIN_SIZE:
        raise InputError(
            f"images must be (B, {in_chans}, H, W) with sides of at least {MIN_SIZE} pixels, found {tuple(x.shape)}"
        )


def _init_weights(module: nn.Module) -> None:
    """The published initialisation."""
    if isinstance(module, nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, 0, math.sqrt(2.0 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
