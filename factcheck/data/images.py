"""Decoding photos of unknown origin: every failure is a short reason, no global Pillow setting is touched."""

import contextlib
import io
import threading

import numpy as np
from PIL import (
    BmpImagePlugin,  # noqa: F401  (importing a plug-in registers its format)
    GifImagePlugin,  # noqa: F401
    Image,
    ImageOps,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    PpmImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from factcheck.errors import InputError

with contextlib.suppress(ImportError):  # Pillow built without it
    from PIL import AvifImagePlugin  # noqa: F401

__all__ = ["MAX_PIXELS", "ImageError", "check_image", "decode_image"]

#: More pixels than this are refused before decoding (192 MiB as RGB); Pillow itself warns at 89 million.
MAX_PIXELS = 64 * 2**20
# Raster formats found on the web. Never those that run other programs (EPS) or hold documents (PDF).
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "MPO", "AVIF", "BMP", "TIFF", "PPM")
_ORIENTATION = 0x0112
_WHITE = (255, 255, 255, 255)


class ImageError(InputError):
    """A photo that cannot be decoded.

    Attributes:
        reason: ``empty file``, ``not an image``, ``too many pixels``, ``truncated image``, ``corrupt image`` or
            ``unsupported image mode``.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


def decode_image(data: bytes, *, min_size: int | None = None) -> Image.Image:
    """Decode an encoded photo to RGB, upright, first frame, transparency laid on white.

    Safe to call from several threads at once.

    Args:
        data: the file's bytes (JPEG, PNG, WebP, GIF, AVIF, BMP, TIFF or PPM).
        min_size: pixels that the shorter side needs at least. A JPEG is then decoded at the smallest of 1, 1/2, 1/4,
            1/8 of its size that keeps them, which is several times faster. Pixels differ slightly from full decoding,
            so training and inference must ask for the same.

    Returns:
        An image of mode RGB.

    Raises:
        ImageError: the bytes cannot be decoded; ``reason`` says why in a few stable words.
    """
    image = _open(data)
    try:
        if min_size is not None:
            image.draft(None, (min_size, min_size))
        image.load()
        return _to_rgb(_upright(image))
    except ImageError:
        raise
    except Exception as error:  # decoders raise anything on hostile bytes: OSError, SyntaxError, struct.error, …
        reason = "truncated image" if "truncated" in str(error).lower() else "corrupt image"
        raise ImageError(reason, str(error)) from None


def check_image(data: bytes | None, *, decode: bool = True) -> str | None:
    """Why ``data`` cannot be used as a photo (an :class:`ImageError` reason), or None if it can.

    With ``decode=False`` only the header is read (tens of microseconds), which misses damage further on.
    """
    try:
        if decode:
            decode_image(data or b"", min_size=1)
        else:
            _open(data or b"")
    except ImageError as error:
        return error.reason
    return None


def _open(data: bytes) -> Image.Image:
    if not data:
        raise ImageError("empty file")
    try:
        image = Image.open(io.BytesIO(data), formats=_known_formats())
        width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("too many pixels", str(error)) from None
    except Exception as error:  # see decode_image
        raise ImageError("not an image", str(error)) from None
    if width * height > MAX_PIXELS:
        raise ImageError("too many pixels", f"{width} x {height}, at most {MAX_PIXELS} in all")
    if width == 0 or height == 0:
        raise ImageError("corrupt image", f"{width} x {height} pixels")
    return image


_formats: tuple[str, ...] | None = None
_formats_lock = threading.Lock()


def _known_formats() -> tuple[str, ...]:
    # Asking Pillow for a format it was built without makes it import every plug-in.
    global _formats
    if _formats is None:
        with _formats_lock:
            _formats = tuple(name for name in _FORMATS if name in Image.OPEN)
    return _formats


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata is no reason to refuse the photo
        return image
    if orientation not in range(2, 9):
        return image
    return ImageOps.exif_transpose(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image).convert("RGB")
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise ImageError("unsupported image mode", str(error)) from None


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Grey values of more than eight bits as (H, W) uint8: integers by the 16-bit range, floats as [0, 1] or [0, 255]."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    if image.mode == "F":
        scale = 255.0 if values.max(initial=0) <= 1 else 1.0
    else:
        scale = 255.0 / 65535.0
    return np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)
