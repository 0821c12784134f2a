"""The image encoder: a Twins backbone for image tokens, and a descriptor by which copies of one image are neighbours."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from factcheck.models.backbones import PREFIX, TimmBackbone
from factcheck.twins.exporting import open_sizes
from factcheck.twins.twins import Twins
from factcheck.twins.variants import create_twins

__all__ = [
    "DescriptorHead",
    "ImageEncoder",
    "build_image_encoder",
    "channels_of",
    "create_backbone",
    "fingerprint_of",
    "six_views",
]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LAYOUT_GRID = 4  # the last map is pooled to 4x4 where its layout enters the descriptor


class DescriptorHead(nn.Module):
    """A descriptor from all stages: low ones know texture and colour, high ones know what is where.

    The map of each stage is normalised, projected, pooled by generalised means (GeM, arXiv 1711.02512) and joined with
    the others and with a coarse layout of the last map; one linear layer gives the descriptor.

    Args:
        channels: width of each stage's map.
        embed_dim: D, length of the descriptor.
        layout_dim: channels of the last map's 4x4 layout; 0 leaves the layout out.
    """

    def __init__(self, channels: Sequence[int], embed_dim: int, layout_dim: int = 32):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(c) for c in channels)
        self.projections = nn.ModuleList(nn.Linear(c, c) for c in channels)
        self.powers = nn.Parameter(torch.full((len(channels),), 3.0))
        self.layout = nn.Linear(channels[-1], layout_dim) if layout_dim else None
        joined = sum(channels) + layout_dim * _LAYOUT_GRID**2
        self.norm = nn.LayerNorm(joined)
        self.out = nn.Linear(joined, embed_dim)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Stage maps, each (B, C_i, H_i, W_i), to descriptors (B, D) of length 1."""
        pooled = []
        for level, (stage, norm, projection) in enumerate(zip(maps, self.norms, self.projections, strict=True)):
            tokens = norm(stage.flatten(2).transpose(1, 2))  # (B, N, C)
            power = self.powers[level].clamp(1.0, 8.0)
            activation = F.softplus(projection(tokens)) + 1e-4
            # exp(mean of logs) form of (mean x^p)^(1/p): steady for any p.
            pooled.append(((activation.log() * power).logsumexp(1) - _log(tokens.shape[1], tokens)) / power)
            if self.layout is not None and level == len(maps) - 1:
                grid = self.layout(tokens).transpose(1, 2).unflatten(2, stage.shape[-2:])
                pooled.append(F.adaptive_avg_pool2d(grid, _LAYOUT_GRID).flatten(1))
        return F.normalize(self.out(self.norm(torch.cat(pooled, dim=1))), dim=1)


class ImageEncoder(nn.Module):
    """A backbone, Twins or one of timm's, with a copy descriptor.

    Args:
        backbone: the network.
        head: makes descriptors of all stages' maps; None for the L2-normalised mean of the last map.
        name: the backbone's name, for the fingerprint and the saved configuration.
        input_size: side of the square input, in pixels, that the weights were trained for.
        mean, std: normalisation of the input, per channel, for pixels in [0, 1].
        view_size: if given, the descriptor is the mean over six views of this size: the whole image, four corner crops
            (two of them mirrored) and the mirrored whole. Crops then cost less likeness, and a mirrored image has
            exactly the descriptor of the image. None for one pass over the image as it is.

    Attributes:
        num_features: C, width of the last map.
        embed_dim: D, length of the descriptor.
    """

    def __init__(
        self,
        backbone: Twins | TimmBackbone,
        head: DescriptorHead | None,
        *,
        name: str,
        input_size: int,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        view_size: int | None = None,
    ):
        super().__init__()
        self.backbone, self.head = backbone, head
        self.view_size = view_size
        self.name, self.input_size = name, input_size
        self.mean, self.std = tuple(mean), tuple(std)
        self.num_features: int = backbone.num_features
        self.embed_dim: int = self.num_features if head is None else head.out.out_features
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change whenever configuration or weights do (computed once, when first asked)."""
        if self._fingerprint is None:
            self.refresh_fingerprint()
        assert self._fingerprint is not None
        return self._fingerprint

    def refresh_fingerprint(self) -> str:
        """Compute the fingerprint anew, after weights were changed."""
        self._fingerprint = fingerprint_of(self)
        return self._fingerprint

    def config(self) -> dict[str, Any]:
        """What :func:`build_image_encoder` needs beside the weights."""
        layout = 0 if self.head is None or self.head.layout is None else self.head.layout.out_features
        return {
            "name": self.name,
            "input_size": self.input_size,
            "view_size": self.view_size,
            "mean": list(self.mean),
            "std": list(self.std),
            "head": None if self.head is None else {"embed_dim": self.embed_dim, "layout_dim": layout},
        }

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to image tokens as a map (B, C, h, w)."""
        if self.view_size is not None:
            x = _resize(x, self.view_size)
        return self.backbone.stage_maps(x)[-1]

    def embed(self, x: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to copy descriptors (B, D), float32, of length 1."""
        return self.forward_all(x)[1]

    def forward_all(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, C, h, w) and descriptors (B, D) from one pass through the backbone."""
        if self.view_size is None:
            return self._describe(x)
        views = six_views(x, self.view_size)
        tokens, descriptors = self._describe(views.flatten(0, 1))
        # The first view is the whole image: its map holds the tokens.
        return tokens[: x.shape[0]], F.normalize(descriptors.unflatten(0, views.shape[:2]).mean(0), dim=1)

    def _describe(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.backbone.stage_maps(x)
        if self.head is None:
            return maps[-1], F.normalize(maps[-1].mean((2, 3)).float(), dim=1)
        return maps[-1], self.head(maps).float()

    def forward(self, x: Tensor) -> Tensor:
        """Same as :meth:`embed`."""
        return self.embed(x)


def six_views(x: Tensor, size: int) -> Tensor:
    """The whole image, its mirror image, and four corner crops of 80% a side, two of them mirrored.

    Mirroring the image permutes the views, so that their mean descriptor does not change.

    Args:
        x: (B, 3, H, W).
        size: side of the views in pixels. At H = W = 1.25 size, crops are cut out without resizing.

    Returns:
        (6, B, 3, size, size), the whole image first.
    """
    whole, (height, width) = _resize(x, size), x.shape[-2:]
    high, wide = (4 * height + 2) // 5, (4 * width + 2) // 5  # 80%, rounded
    if open_sizes(height, width):
        i, j = (torch.arange(side, device=x.device) for side in (high, wide))
        top, bottom = x.index_select(-2, i), x.index_select(-2, i + (height - high))
        top_left, top_right = top.index_select(-1, j), top.index_select(-1, j + (width - wide))
        bottom_left, bottom_right = bottom.index_select(-1, j), bottom.index_select(-1, j + (width - wide))
    else:
        top_left, bottom_right = x[..., :high, :wide], x[..., -high:, -wide:]
        top_right, bottom_left = x[..., :high, -wide:], x[..., -high:, :wide]
    corners = [_resize(crop, size) for crop in (top_left, bottom_right, top_right.flip(-1), bottom_left.flip(-1))]
    return torch.stack([whole, whole.flip(-1), *corners])


def create_backbone(name: str, input_size: int | None = None) -> Twins | TimmBackbone:
    """A backbone with random weights: one of ours, or (``timm:NAME``) one of timm's.

    Raises:
        InputError: there is no network of that name.
    """
    if name.startswith(PREFIX):
        return TimmBackbone(name.removeprefix(PREFIX), input_size)
    return create_twins(name, num_classes=0)


def channels_of(backbone: Twins | TimmBackbone) -> list[int]:
    """The channels of the maps of its stages."""
    if isinstance(backbone, TimmBackbone):
        return backbone.channels
    return [info["num_chs"] for info in backbone.feature_info]


def build_image_encoder(config: Mapping[str, Any]) -> ImageEncoder:
    """An encoder with random weights from what :meth:`ImageEncoder.config` returned (weights are loaded afterwards)."""
    backbone = create_backbone(config["name"], config.get("input_size"))
    head = None
    if config["head"] is not None:
        head = DescriptorHead(channels_of(backbone), **config["head"])
    settings = {key: config[key] for key in ("name", "input_size", "mean", "std", "view_size") if key in config}
    return ImageEncoder(backbone, head, **settings)


def fingerprint_of(encoder: ImageEncoder) -> str:
    """16 hexadecimal digits of an encoder's configuration and of its weights in half precision, as folders store them."""
    digest = hashlib.sha256(json.dumps(encoder.config(), sort_keys=True).encode())
    for key, tensor in sorted(encoder.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().to(torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _log(count: int, like: Tensor) -> float | Tensor:
    """The natural logarithm of a number of tokens, which a graph for every size computes anew."""
    return (
        torch.full((), count, dtype=torch.float32, device=like.device).log() if open_sizes(count) else math.log(count)
    )


def _resize(x: Tensor, size: int) -> Tensor:
    if not open_sizes(*x.shape[-2:]) and x.shape[-2:] == (size, size):
        return x
    return F.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
