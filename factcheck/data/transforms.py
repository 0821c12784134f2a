"""From a photo to the image encoder's input, by one function in training and inference."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from factcheck.errors import InputError
from retrieval.arguments import checked_int

__all__ = ["ImageTransform"]


class ImageTransform:
    """Resize the whole photo to a square, scale to [0, 1] and normalise: PIL image → float32 tensor (3, size, size).

    The photo is squashed, not cropped: two photos are compared, and what was cropped away could tell them apart.
    Resizing is antialiased bicubic, and deterministic; random augmentation is a matter of training and applied before.

    Args:
        size: side of the square in pixels.
        mean, std: per-channel statistics on the [0, 1] scale, as the encoder was trained with.

    Raises:
        InputError: a size below 1, or statistics that are not three finite numbers with ``std`` above 0.
    """

    def __init__(self, size: int, mean: Sequence[float], std: Sequence[float]):
        self.size = checked_int("size", size, 1)
        for name, values in (("mean", mean), ("std", std)):
            if len(values) != 3 or not np.isfinite(values).all():
                raise InputError(f"{name} is {values!r}; expected three finite numbers, one a channel")
        if min(std) <= 0:
            raise InputError(f"std is {std!r}; expected numbers above 0")
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)
        # (x / 255 - mean) / std as one multiplication and one addition a pixel.
        self._scale = torch.tensor([1 / (255 * s) for s in self.std], dtype=torch.float32).view(3, 1, 1)
        shift = [-m / s for m, s in zip(self.mean, self.std, strict=True)]
        self._shift = torch.tensor(shift, dtype=torch.float32).view(3, 1, 1)

    def __call__(self, image: Image.Image) -> Tensor:
        """Transform one RGB image (any size) to a float32 tensor (3, size, size)."""
        if image.mode != "RGB":
            raise InputError(f"the image has mode {image.mode!r}; expected 'RGB', as decode_image returns")
        if image.size != (self.size, self.size):
            # reducing_gap first shrinks by an integer factor where that leaves three times the pixels needed.
            image = image.resize((self.size, self.size), Image.Resampling.BICUBIC, reducing_gap=3.0)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)  # (H, W, 3) uint8 → (3, H, W)
        return torch.addcmul(self._shift, pixels.float(), self._scale).contiguous()

    def __repr__(self) -> str:
        return f"ImageTransform(size={self.size}, mean={self.mean}, std={self.std})"
