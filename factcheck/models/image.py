"""Photo encoders: a Twins backbone for image tokens, and a descriptor by which copies of one photo are neighbours."""

import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from factcheck.errors import InputError
from factcheck.weights import not_finite

__all__ = [
    "DescriptorHead",
    "PhotoEncoder",
    "build_image_encoder",
    "bundled_photo_encoder",
    "create_image_encoder",
    "load_photo_encoder",
    "save_photo_encoder",
    "six_views",
]

#: Version of the folder format, raised when older code could not read newer folders rightly.
FORMAT_VERSION = 1
KIND = "factcheck-photo-encoder"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
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
            pooled.append(((activation.log() * power).logsumexp(1) - math.log(tokens.shape[1])) / power)
            if self.layout is not None and level == len(maps) - 1:
                grid = self.layout(tokens).transpose(1, 2).unflatten(2, stage.shape[-2:])
                pooled.append(F.adaptive_avg_pool2d(grid, _LAYOUT_GRID).flatten(1))
        return F.normalize(self.out(self.norm(torch.cat(pooled, dim=1))), dim=1)


class PhotoEncoder(nn.Module):
    """A Twins backbone with a copy descriptor.

    Args:
        backbone: a model with timm's ``forward_features`` and ``forward_intermediates``.
        head: makes descriptors of all stages' maps; None for the L2-normalised mean of the last map.
        name: the backbone's name, for the fingerprint and the saved configuration.
        input_size: side of the square input, in pixels, that the weights were trained for.
        mean, std: normalisation of the input, per channel, for pixels in [0, 1].
        view_size: if given, the descriptor is the mean over six views of this size: the whole photo, four corner crops
            (two of them mirrored) and the mirrored whole. Crops then cost less likeness, and a mirrored photo has
            exactly the descriptor of the photo. None for one pass over the photo as it is.

    Attributes:
        num_features: C, width of the last map.
        embed_dim: D, length of the descriptor.
    """

    def __init__(
        self,
        backbone: nn.Module,
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
            self._fingerprint = _fingerprint(self)
        return self._fingerprint

    def config(self) -> dict[str, Any]:
        """What :func:`create_image_encoder` needs beside the weights."""
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
        """Normalised photos (B, 3, H, W) to image tokens as a map (B, C, h, w)."""
        if self.view_size is not None:
            x = _resize(x, self.view_size)
        return self.backbone.forward_intermediates(x, norm=True, intermediates_only=True)[-1]

    def embed(self, x: Tensor) -> Tensor:
        """Normalised photos (B, 3, H, W) to copy descriptors (B, D), float32, of length 1."""
        return self.forward_all(x)[1]

    def forward_all(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, C, h, w) and descriptors (B, D) from one pass through the backbone."""
        if self.view_size is None:
            return self._describe(x)
        views = six_views(x, self.view_size)
        tokens, descriptors = self._describe(views.flatten(0, 1))
        # The first view is the whole photo: its map holds the tokens.
        return tokens[: len(x)], F.normalize(descriptors.unflatten(0, views.shape[:2]).mean(0), dim=1)

    def _describe(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.backbone.forward_intermediates(x, norm=True, intermediates_only=True)
        if self.head is None:
            return maps[-1], F.normalize(maps[-1].mean((2, 3)).float(), dim=1)
        return maps[-1], self.head(maps).float()

    def forward(self, x: Tensor) -> Tensor:
        """Same as :meth:`embed`."""
        return self.embed(x)


def six_views(x: Tensor, size: int) -> Tensor:
    """The whole photo, its mirror image, and four corner crops of 80% a side, two of them mirrored.

    Mirroring the photo permutes the views, so that their mean descriptor does not change.

    Args:
        x: (B, 3, H, W).
        size: side of the views in pixels. At H = W = 1.25 size, crops are cut out without resizing.

    Returns:
        (6, B, 3, size, size), the whole photo first.
    """
    high, wide = round(0.8 * x.shape[-2]), round(0.8 * x.shape[-1])
    whole = _resize(x, size)
    top_left, bottom_right = x[..., :high, :wide], x[..., -high:, -wide:]
    top_right, bottom_left = x[..., :high, -wide:], x[..., -high:, :wide]
    corners = [_resize(crop, size) for crop in (top_left, bottom_right, top_right.flip(-1), bottom_left.flip(-1))]
    return torch.stack([whole, whole.flip(-1), *corners])


def create_image_encoder(
    name: str = "twins_svt_tiny",
    weights: str | Path | None = "bundled",
    *,
    input_size: int | None = None,
    embed_dim: int = 256,
    layout_dim: int = 32,
) -> PhotoEncoder:
    """Build a photo encoder.

    Args:
        name: a Twins model of :mod:`factcheck.twins.variants` (``twins_svt_tiny``, ``twins_svt_small``, …).
        weights: ``bundled`` (the weights in this package, ``twins_svt_tiny`` only), ``timm`` (the ImageNet weights of
            timm's model of that name, from timm's hub or cache; descriptors are then mean-pooled features), the path of
            a folder that :func:`save_photo_encoder` wrote, or None for random weights.
        input_size: side in pixels of a new encoder's input; None for 64 (tiny) or 224. Folders carry their own.
        embed_dim: length of a new encoder's descriptor.
        layout_dim: see :class:`DescriptorHead`; for a new encoder.

    Returns:
        The encoder, in evaluation mode.

    Raises:
        InputError: no such model, weights or folder, or weights of another model or format version.
    """
    if weights in ("bundled", None, "timm") or weights == "":
        constructor = _constructor(name)
    if weights == "bundled":
        folder = bundled_photo_encoder()
        encoder = load_photo_encoder(folder)
        if encoder.name != name:
            raise InputError(
                f"There are no bundled weights for {name!r}, only for {encoder.name!r}. "
                "Use weights='timm', the path of a folder, or None for random weights."
            )
        return encoder
    if weights is None:
        size = input_size or (64 if "tiny" in name else 224)
        backbone = constructor(num_classes=0)
        head = DescriptorHead([info["num_chs"] for info in backbone.feature_info], embed_dim, layout_dim)
        return PhotoEncoder(backbone, head, name=name, input_size=size).eval()
    if weights == "timm":
        if "tiny" in name:
            raise InputError(f"timm has no weights for {name!r}. Use weights='bundled', a folder's path, or None.")
        backbone = constructor(weights="timm", num_classes=0)
        return PhotoEncoder(backbone, None, name=name, input_size=input_size or 224).eval()
    encoder = load_photo_encoder(weights)
    if encoder.name != name:
        raise InputError(f"{weights} holds weights of {encoder.name!r}, not of {name!r}. Ask for {encoder.name!r}.")
    return encoder


def bundled_photo_encoder() -> Path:
    """The folder of the photo encoder that ships in this package."""
    return Path(__file__).resolve().parent.parent / "pretrained" / "photo"


def save_photo_encoder(encoder: PhotoEncoder, folder: str | Path, *, card: str | None = None) -> Path:
    """Write ``model.safetensors`` (half precision), ``README.md`` and, last, ``config.json``.

    Args:
        encoder: what to save.
        folder: where; made if missing, its files replaced.
        card: text of the model card; None leaves ``README.md`` as it is.

    Returns:
        The folder.

    Raises:
        InputError: a tensor holds NaN or infinity, or would in half precision; nothing has been written then.
    """
    folder = Path(folder)
    state = {key: tensor.detach().cpu().to(torch.float16).contiguous() for key, tensor in encoder.state_dict().items()}
    if (name := not_finite(state)) is not None:
        what = "holds NaN or infinity; export a checkpoint of a training that did not diverge"
        if not_finite({name: encoder.state_dict()[name]}) is None:
            what = "has values beyond the range of float16, in which photo encoders are saved; train with lower rates or more decay"
        raise InputError(f"the tensor {name!r} of the photo encoder {what}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).unlink(missing_ok=True)  # a folder without it counts as absent, so half a write is never read
    # save_file would leave a file that only its owner can read.
    (folder / WEIGHTS).write_bytes(save(state))
    encoder._fingerprint = _fingerprint(encoder)  # the weights may have changed since it was asked for
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    content = {"format": KIND, "version": FORMAT_VERSION, **encoder.config(), "fingerprint": encoder.fingerprint}
    (folder / CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return folder


def load_photo_encoder(folder: str | Path) -> PhotoEncoder:
    """The encoder in a folder that :func:`save_photo_encoder` wrote, in evaluation mode.

    Raises:
        InputError: the folder is missing or incomplete, of another format version, or its weights do not fit or were changed.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder} is no photo encoder: it must hold {CONFIG} and {WEIGHTS}. Give a folder written by "
            "save_photo_encoder, 'bundled', 'timm', or None for random weights."
        )
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{folder / CONFIG} is not valid JSON ({error}). Export the encoder again.") from error
    if not isinstance(config, dict) or config.get("format") != KIND or config.get("version") != FORMAT_VERSION:
        found = {key: config.get(key) for key in ("format", "version")} if isinstance(config, dict) else config
        raise InputError(
            f"{folder / CONFIG} says {found}; this version reads format {KIND!r}, version {FORMAT_VERSION}. "
            "Update the package, or export the encoder with this version."
        )
    try:
        encoder = build_image_encoder(config)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{folder / CONFIG} is damaged ({type(error).__name__}: {error}). Export the encoder again."
        ) from error
    for name in ("mean", "std"):
        if len(getattr(encoder, name)) != 3:
            raise InputError(f"{folder / CONFIG}: {name} must hold three numbers. Export the encoder again.")
    try:
        state = {key: tensor.float() for key, tensor in load_file(folder / WEIGHTS).items()}
        encoder.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        raise InputError(
            f"{folder / WEIGHTS} does not hold the weights that {CONFIG} describes ({error}). Export it again."
        ) from error
    found = _fingerprint(encoder)  # not the property: the caller may change the weights before asking for it
    if config.get("fingerprint") not in (None, found):
        raise InputError(
            f"{folder}: {CONFIG} is of encoder {config['fingerprint']}, but with the weights beside it that makes {found}; "
            "one of the two files was changed. Export the encoder again."
        )
    return encoder.eval()


def build_image_encoder(config: Mapping[str, Any]) -> PhotoEncoder:
    """An encoder with random weights from what :meth:`PhotoEncoder.config` returned (weights are loaded afterwards)."""
    backbone = _constructor(config["name"])(num_classes=0)
    head = None
    if config["head"] is not None:
        head = DescriptorHead([info["num_chs"] for info in backbone.feature_info], **config["head"])
    settings = {key: config[key] for key in ("name", "input_size", "mean", "std", "view_size") if key in config}
    return PhotoEncoder(backbone, head, **settings)


def _fingerprint(encoder: PhotoEncoder) -> str:
    digest = hashlib.sha256(json.dumps(encoder.config(), sort_keys=True).encode())
    for key, tensor in sorted(encoder.state_dict().items()):
        digest.update(key.encode())
        # Half precision, as folders store it: saving and loading keeps the fingerprint.
        digest.update(tensor.detach().cpu().to(torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _constructor(name: str) -> Any:
    from factcheck.twins import variants

    known = sorted(variants.VARIANTS)
    if name not in known:
        raise InputError(f"There is no photo encoder named {name!r}. Known: {', '.join(known)}.")
    return functools.partial(variants.create_twins, name)


def _resize(x: Tensor, size: int) -> Tensor:
    if x.shape[-2:] == (size, size):
        return x
    return F.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
