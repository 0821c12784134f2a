"""How images are altered as they travel, as batched tensor operations: crop, mirror, tone, frame, text, collage, JPEG.

Everything works on whole batches and draws from one :class:`torch.Generator`, so that a batch is altered in
milliseconds on a CPU and a run that resumes draws exactly what it would have drawn.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["STRENGTHS", "Strength", "alter_images", "quantise_dct", "resize_images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How often, and how much, a view is altered. Probabilities are per image.

    Attributes:
        min_area: smallest share of the image's area that a crop keeps.
        crop, mirror, rotate, tone, grey, blur, frame, collage, band, patch, jpeg: probability of each alteration.
    """

    min_area: float
    crop: float
    mirror: float
    rotate: float
    tone: float
    grey: float
    blur: float
    frame: float
    collage: float
    band: float
    patch: float
    jpeg: float


#: ``mild``: nearly the image as first published; ``strong``: a copy that has been round the net.
STRENGTHS = {
    "mild": Strength(
        min_area=0.9, crop=0.3, mirror=0.0, rotate=0.0, tone=0.15, grey=0.0,
        blur=0.05, frame=0.0, collage=0.0, band=0.0, patch=0.0, jpeg=0.05,
    ),
    "strong": Strength(
        min_area=0.3, crop=0.85, mirror=0.5, rotate=0.03, tone=0.75, grey=0.2,
        blur=0.2, frame=0.3, collage=0.03, band=0.45, patch=0.05, jpeg=0.3,
    ),
}  # fmt: skip

_BAND_COLOURS = ((0.78, 0.06, 0.06), (0.12, 0.17, 0.50), (0.08, 0.08, 0.08), (1.0, 1.0, 1.0), (0.95, 0.78, 0.10))
_WORDS = [
    "BREAKING",
    "LIVE",
    "FACT?",
    "news",
    "exclusive",
    "daily",
    "post",
    "photo",
    "of",
    "the day",
    "@reporter",
    "today",
]
_LUMA = (0.299, 0.587, 0.114)


def alter_images(images: Tensor, size: int, strength: Strength, generator: torch.Generator) -> Tensor:
    """One altered view of each image; collages and patches show the batch's other images.

    Args:
        images: (B, 3, H, W) uint8, or float in [0, 1].
        size: side of the square views, in pixels; a multiple of 8.
        strength: what happens, and how often (see :data:`STRENGTHS`).
        generator: the source of every random choice, on the images' device.

    Returns:
        (B, 3, size, size) float32 in [0, 1].
    """
    rng = _Random(generator, images.shape[0], images.device)
    # Sampling from at most 1.5x the target size keeps bilinear interpolation from aliasing. Bytes resize fastest.
    source = resize_images(images, min(round(1.5 * size), images.shape[-1]))
    strangers = F.interpolate(source.roll(1, 0), size=(size, size), mode="bilinear", align_corners=False)

    content = _place(rng, strength)  # (B, 2, 3): canvas -> content coordinates
    crop = _crop(rng, strength)  # (B, 2, 3): content -> image coordinates
    canvas = _canvas(size, images.device)  # (S, S, 3): x, y, 1
    within = torch.einsum("bij,hwj->bhwi", content, canvas)  # (B, S, S, 2)
    grid = torch.einsum("bij,bhwj->bhwi", crop, F.pad(within, (0, 1), value=1.0))
    view = F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)
    view = _blur(rng, _tone(rng, view, strength), strength)

    outside = (within.abs().amax(-1) > 1).unsqueeze(1)  # (B, 1, S, S)
    surround = rng.pick(_frame_colours(rng))[:, :, None, None].expand_as(view)
    is_collage = (rng.collage_draw < strength.collage)[:, None, None, None]
    view = torch.where(outside, torch.where(is_collage, strangers, surround), view)
    view = _patch(rng, view, strangers, canvas, strength)
    view = _band(rng, view, within, canvas, strength)
    chosen = rng.chance(strength.jpeg).nonzero()[:, 0]
    if len(chosen):
        quality = rng.uniform(15, 90)[chosen]
        view[chosen] = quantise_dct(view[chosen], quality)
    return view.clamp_(0, 1)


def quantise_dct(images: Tensor, quality: Tensor) -> Tensor:
    """What JPEG does to an image: 8x8 DCT blocks rounded to the standard tables, chroma at full resolution.

    Args:
        images: (B, 3, H, W) float in [0, 1]; H and W multiples of 8.
        quality: (B,) JPEG quality in [1, 100] (the IJG scale).

    Returns:
        (B, 3, H, W) float in [0, 1].
    """
    batch, _, height, width = images.shape
    basis, forward, backward, tables = _jpeg_constants(images.device)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).clamp(min=0.02)
    step = (tables * scale[:, None, None, None]).clamp(min=1)[:, :, None, None]  # (B, 3, 1, 1, 8, 8)
    ycc = torch.einsum("ij,bjhw->bihw", forward, images) * 255
    ycc[:, 0] -= 128  # JPEG's level shift; chroma is centred already
    blocks = ycc.reshape(batch, 3, height // 8, 8, width // 8, 8).transpose(3, 4)
    coefficients = basis @ blocks @ basis.T
    blocks = basis.T @ (torch.round(coefficients / step) * step) @ basis
    ycc = blocks.transpose(3, 4).reshape(batch, 3, height, width)
    ycc[:, 0] += 128
    ycc = ycc / 255
    return torch.einsum("ij,bjhw->bihw", backward, ycc).clamp_(0, 1)


class _Random:
    """Per-image draws from one generator."""

    def __init__(self, generator: torch.Generator, batch: int, device: torch.device):
        self.generator, self.batch, self.device = generator, batch, device
        self.frame_draw, self.collage_draw = self.uniform(), self.uniform()

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.batch, *shape, generator=self.generator, device=self.device)

    def chance(self, probability: float) -> Tensor:
        return self.uniform() < probability

    def pick(self, options: Tensor) -> Tensor:
        """One row of ``options`` (N, ...) for each image."""
        return options[torch.randint(len(options), (self.batch,), generator=self.generator, device=self.device)]


def resize_images(images: Tensor, size: int) -> Tensor:
    """Images (B, 3, H, W), uint8 or float in [0, 1], to (B, 3, size, size) float32 in [0, 1]."""
    # Only CPUs have a kernel that resizes bytes.
    return _to_float(_resize(images if images.device.type == "cpu" else _to_float(images), size))


def _resize(images: Tensor, size: int) -> Tensor:
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _to_float(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def _canvas(size: int, device: torch.device) -> Tensor:
    axis = (torch.arange(size, device=device) * 2 + 1) / size - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], dim=-1)


def _affine(scale_x: Tensor, scale_y: Tensor, shift_x: Tensor, shift_y: Tensor, angle: Tensor | None = None) -> Tensor:
    if angle is None:
        angle = torch.zeros_like(scale_x)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack(
        [torch.stack([scale_x * cos, -scale_x * sin, shift_x], 1), torch.stack([scale_y * sin, scale_y * cos, shift_y], 1)],
        dim=1,
    )  # fmt: skip


def _crop(rng: _Random, strength: Strength) -> Tensor:
    """Content coordinates in [-1, 1] to the cropped, mirrored, turned part of the image: (B, 2, 3)."""
    cropped, one = rng.chance(strength.crop), torch.ones(rng.batch, device=rng.device)
    area = torch.where(cropped, rng.uniform(strength.min_area, 1.0), one)
    aspect = torch.where(cropped, rng.uniform(-0.3, 0.3).exp(), one)
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    shift_x, shift_y = rng.uniform(-1, 1) * (1 - width), rng.uniform(-1, 1) * (1 - height)
    flip = torch.where(rng.chance(strength.mirror), -1.0, 1.0)
    angle = torch.where(rng.chance(strength.rotate), rng.uniform(-0.2, 0.2), torch.zeros(rng.batch, device=rng.device))
    return _affine(flip * width, height, shift_x, shift_y, angle)


def _place(rng: _Random, strength: Strength) -> Tensor:
    """Canvas coordinates to content coordinates, |x| <= 1 inside the image: frames and collages shrink it."""
    margin = rng.uniform(0.02, 0.28)
    uneven = rng.uniform(0.6, 1.0)
    framed = rng.frame_draw < strength.frame
    collaged = rng.collage_draw < strength.collage
    one, zero = torch.ones(rng.batch, device=rng.device), torch.zeros(rng.batch, device=rng.device)
    side_x = torch.where(collaged, rng.uniform(0.55, 1.0), torch.where(framed, 1 - margin, one))
    side_y = torch.where(collaged, rng.uniform(0.55, 1.0), torch.where(framed, 1 - margin * uneven, one))
    centre_x = torch.where(collaged, rng.uniform(-1, 1) * (1 - side_x), zero)
    centre_y = torch.where(collaged, rng.uniform(-1, 1) * (1 - side_y), zero)
    return _affine(1 / side_x, 1 / side_y, -centre_x / side_x, -centre_y / side_y)


def _frame_colours(rng: _Random) -> Tensor:
    noise = torch.rand(2, 3, generator=rng.generator, device=rng.device)
    plain = torch.tensor([[1.0, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]], device=rng.device)
    return torch.cat([plain, noise])


def _tone(rng: _Random, view: Tensor, strength: Strength) -> Tensor:
    """Brightness, contrast, saturation, gamma, white balance, greyscale: one affine colour map and a power."""
    on = rng.chance(strength.tone)
    amount = on.float()
    gain = (rng.uniform(-0.35, 0.35) * amount).exp()
    contrast = (rng.uniform(-0.4, 0.45) * amount).exp()
    balance = (rng.uniform(-0.12, 0.12, 3) * amount[:, None]).exp()
    saturation = torch.where(on, rng.uniform(0.3, 1.7), torch.ones(rng.batch, device=rng.device))
    saturation = torch.where(rng.chance(strength.grey), torch.zeros(rng.batch, device=rng.device), saturation)
    luma = torch.tensor(_LUMA, device=rng.device)
    eye = torch.eye(3, device=rng.device)
    matrix = saturation[:, None, None] * eye + (1 - saturation)[:, None, None] * luma.expand(3, 3)
    matrix = matrix * (gain * contrast)[:, None, None]
    # Greyscale copies keep no white balance; the balance acts on the input channels before the mixing.
    matrix = matrix * balance[:, None, :]
    mean = view.mean((1, 2, 3))
    offset = (1 - contrast) * mean * gain
    view = torch.einsum("bij,bjhw->bihw", matrix, view) + offset[:, None, None, None]
    bent = (rng.chance(0.3) & on).nonzero()[:, 0]
    if len(bent):
        power = rng.uniform(-0.5, 0.5)[bent].exp()
        view[bent] = view[bent].clamp(1e-4, 1) ** power[:, None, None, None]
    return view.clamp_(0, 1)


def _blur(rng: _Random, view: Tensor, strength: Strength) -> Tensor:
    """Rescaling and soft focus: a share of the images goes through a smaller size and back."""
    size = view.shape[-1]
    chosen = rng.chance(strength.blur).nonzero()[:, 0]
    for part, share in zip(chosen.tensor_split(3), (0.4, 0.55, 0.75), strict=True):
        if len(part):
            small = _resize(view[part], round(size * share))
            view[part] = F.interpolate(small, size=(size, size), mode="bilinear", align_corners=False)
    return view


def _patch(rng: _Random, view: Tensor, strangers: Tensor, canvas: Tensor, strength: Strength) -> Tensor:
    """A sticker or an inset: a rectangle of another image or of one colour, up to about a sixth of the area."""
    on = rng.chance(strength.patch)
    half = rng.uniform(0.1, 0.42, 2)
    centre = rng.uniform(-1, 1, 2)
    plain, colour = rng.chance(0.4), rng.uniform(0, 1, 3)
    chosen = on.nonzero()[:, 0]
    if not len(chosen):
        return view
    inside = ((canvas[..., :2] - centre[chosen, None, None]).abs() < half[chosen, None, None]).all(-1)[:, None]
    cover = torch.where(plain[chosen, None, None, None], colour[chosen, :, None, None], strangers[chosen])
    view[chosen] = torch.where(inside, cover, view[chosen])
    return view


def _band(rng: _Random, view: Tensor, within: Tensor, canvas: Tensor, strength: Strength) -> Tensor:
    """A caption: text on a coloured band along the top or the bottom, of the image or of its frame."""
    on = rng.chance(strength.band)
    height = rng.uniform(0.16, 0.5)
    top, on_image, bare, anywhere = rng.chance(0.45), rng.chance(0.6), rng.chance(0.15), rng.chance(0.12)
    opacity = torch.where(
        bare, torch.zeros(rng.batch, device=rng.device), torch.where(rng.chance(0.7), 1.0, rng.uniform(0.5, 1.0))
    )
    colour = rng.pick(torch.tensor(_BAND_COLOURS, device=rng.device))
    noise = rng.uniform(-0.1, 0.1, 3)
    stretch, slide = rng.uniform(0.6, 1.4), rng.uniform(-0.4, 0.4)
    strips = rng.pick(_text_strips().to(rng.device))  # (B, 1, h, w) coverage of the letters
    place = rng.uniform(-0.8, 0.5)
    chosen = on.nonzero()[:, 0]
    if not len(chosen):
        return view
    c = chosen
    coordinates = torch.where(on_image[c, None, None, None], within[c], canvas[..., :2])
    x, y = coordinates.unbind(-1)
    start = torch.where(anywhere, place, torch.where(top, torch.full_like(height, -1.0), 1 - height))[c, None, None]
    across = (y - start) / height[c, None, None] * 2 - 1  # -1 at the band's upper edge, 1 at its lower
    inside = ((across.abs() <= 1) & (x.abs() <= 1)).unsqueeze(1)
    letters = F.grid_sample(
        strips[c],
        torch.stack([x * stretch[c, None, None] + slide[c, None, None], across], -1),
        mode="bilinear", padding_mode="zeros", align_corners=False,
    )  # fmt: skip
    ground = (colour + noise).clamp(0, 1)[c, :, None, None]
    ink = (ground.mean(1, keepdim=True) < 0.6).float()  # white letters on dark bands, black on light ones
    banded = torch.where(inside, torch.lerp(view[c], ground.expand_as(view[c]), opacity[c, None, None, None]), view[c])
    view[c] = torch.where(inside, torch.lerp(banded, ink.expand_as(banded), letters), banded)
    return view


@lru_cache(maxsize=1)
def _text_strips(count: int = 96, height: int = 32, width: int = 192) -> Tensor:
    """(count, 1, height, width) coverage in [0, 1] of lines of text in Pillow's own font."""
    import random

    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    draw_words = random.Random(7)
    strips = []
    for _ in range(count):
        strip = Image.new("L", (width, height))
        text = " ".join(draw_words.choices(_WORDS, k=draw_words.randint(1, 5)))
        font = ImageFont.load_default(size=draw_words.randint(14, 26))
        ImageDraw.Draw(strip).text((draw_words.randint(2, 30), draw_words.randint(0, 6)), text, fill=255, font=font)
        strips.append(np.asarray(strip, dtype=np.float32) / 255)
    return torch.from_numpy(np.stack(strips)).unsqueeze(1)


@lru_cache(maxsize=4)
def _jpeg_constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The orthonormal DCT-II basis, RGB to YCbCr (offsets left out) and back, and the tables of Annex K."""
    n = torch.arange(8, dtype=torch.float64)
    basis = torch.cos((2 * n[None] + 1) * n[:, None] * torch.pi / 16) * 0.5
    basis[0] /= 2**0.5
    forward = torch.tensor(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=torch.float64
    )
    luma = torch.tensor(
        [
            [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
            [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
            [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
            [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
        ]
    )  # fmt: skip
    chroma = torch.full((8, 8), 99)
    chroma[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])
    tables = torch.stack([luma, chroma, chroma])
    backward = torch.linalg.inv(forward)
    return (
        basis.to(device, torch.float32),
        forward.to(device, torch.float32),
        backward.to(device, torch.float32),
        tables.to(device, torch.float32),
    )
