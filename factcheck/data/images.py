"""Images of unknown origin, read and decoded: every failure is a short reason, no global Pillow setting is touched."""

import contextlib
import io
import os
import re
import stat
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import (
    BmpImagePlugin,  # noqa: F401  (importing a plug-in registers its format)
    GifImagePlugin,  # noqa: F401
    Image,
    ImageOps,
    Jpeg2KImagePlugin,  # noqa: F401
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    PpmImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from factcheck.data.canonical import image_array
from factcheck.data.normalize import normalize_claims
from factcheck.errors import InputError
from retrieval.arguments import checked_folder, checked_int

with contextlib.suppress(ImportError):  # Pillow built without it
    from PIL import AvifImagePlugin  # noqa: F401

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "ImageError",
    "check_image",
    "decode_image",
    "image_file",
    "is_url",
    "load_images",
    "read_image",
]

#: Larger files are not read.
MAX_BYTES = 64 * 2**20
#: More pixels than this are refused before decoding (192 MiB as RGB); Pillow itself warns at 89 million.
MAX_PIXELS = 64 * 2**20
# Raster formats found on the web. Never those that run other programs (EPS) or hold documents (PDF).
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "MPO", "AVIF", "HEIF", "JPEG2000", "BMP", "TIFF", "PPM")
# What follows the box "ftyp" in a file of HEIC, the format of many phones' cameras.
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://|//|data:", re.ASCII)
_ORIENTATION = 0x0112
_WHITE = (255, 255, 255, 255)


class ImageError(InputError):
    """An image that cannot be decoded.

    Attributes:
        reason: ``empty file``, ``not an image``, ``too many pixels``, ``truncated image``, ``corrupt image``,
            ``unsupported image mode`` or ``HEIC image (needs the package pillow-heif)``.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


def load_images(table: pa.Table, image_root: str | Path | None, *, threads: int = 8) -> pa.Table:
    """A canonical claims table with the images that it names read from disk; the same rows in the same order.

    An image that cannot be had makes its row ``degraded``, its image null, and adds a reason such as
    ``claim_image: missing file``. After the column name the reasons are: ``missing file``, ``is a directory``, ``unreadable file``,
    ``outside the image root``, ``no image root``, ``image not fetched: URL``, ``file too large``, and those of
    :class:`factcheck.data.ImageError`. Nothing touches the network. Images given as bytes pass through,
    checked the same way. Only headers are examined here; damage further on shows when
    :func:`factcheck.data.decode_image` reads the pixels. Rows with the status ``error`` are left as they are.

    Args:
        table: a claims table; one that is not of :func:`factcheck.records.claims_schema` goes through
            :func:`factcheck.data.normalize_claims` first.
        image_root: folder that paths are relative to. Paths that lead out of it are refused; symbolic links that its
            owner placed inside are followed. None if the table holds bytes only.
        threads: files read at a time.

    Raises:
        InputError: ``image_root`` is not a folder, or ``table`` no :class:`pyarrow.Table` with a claim column.
    """
    if not isinstance(table, pa.Table):
        raise InputError(
            f"load_images takes a pyarrow.Table, found {type(table).__name__}; make one with pyarrow.Table.from_pandas(frame)"
        )
    table = normalize_claims(table)
    root = None if image_root is None else os.path.abspath(checked_folder("image_root", image_root))
    threads = checked_int("threads", threads, 1)
    status = table.column("status").to_pylist()
    reasons = table.column("reasons").to_pylist()
    with ThreadPoolExecutor(threads) as pool:
        for column in ("claim_image", "document_image"):
            table = _load_column(table, column, root, pool.map, status, reasons)
    for name, values in (("status", status), ("reasons", reasons)):
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array(values, field.type))
    return table


def _load_column(
    table: pa.Table, column: str, root: str | None, run: Callable, status: list[str], reasons: list[list[str]]
) -> pa.Table:
    cells = table.column(column).to_pylist()
    wanted = [row for row, cell in enumerate(cells) if cell is not None and status[row] != "error"]
    data: list[bytes | None] = [None if cell is None else cell["bytes"] for cell in cells]
    paths: list[str | None] = [None if cell is None else cell["path"] for cell in cells]
    results = run(lambda row: read_image(cells[row]["bytes"], cells[row]["path"], root), wanted)
    for row, (content, reason) in zip(wanted, results, strict=True):
        data[row] = content
        if reason is not None:
            paths[row] = None
            status[row] = "degraded"
            reasons[row].append(f"{column}: {reason}")
    return table.set_column(table.column_names.index(column), table.schema.field(column), image_array(data, paths))


def read_image(content: bytes | None, path: str | None, root: str | None) -> tuple[bytes | None, str | None]:
    """The image's bytes, or None and the reason (see :func:`load_images`).

    Args:
        content: the bytes, where they are known already.
        path: the file, relative to ``root``.
        root: an absolute path without ``..`` in it (see :func:`os.path.abspath`), or None.
    """
    if content is None:
        content, reason = _read_file(path or "", root)
        if reason is not None:
            return None, reason
    reason = check_image(content, decode=False)
    return (content, None) if reason is None else (None, reason)


def is_url(path: str) -> bool:
    """Whether what names an image is a URL, which nothing here fetches."""
    return _URL.match(path) is not None


def image_file(path: str, root: str) -> str | None:
    """The file that a path names below the absolute folder ``root``; None if it leads out of it."""
    # By the letters of the path alone, so that ".." cannot lead through a link and out.
    full = os.path.normpath(os.path.join(root, path.replace("\\", "/") if os.name == "nt" else path))
    return full if os.path.commonpath([root, full]) == root else None


def _read_file(path: str, root: str | None) -> tuple[bytes | None, str | None]:
    if is_url(path):
        return None, "image not fetched: URL"
    if root is None:
        return None, "no image root"
    full = image_file(path, root)
    if full is None:
        return None, "outside the image root"
    result = _read_at(full)
    if (
        result[1] == "missing file"
    ):  # "é" may be one character in the table and two in the name of the file, or the other way round
        for form in ("NFC", "NFD"):
            if (other := unicodedata.normalize(form, full)) != full and (found := _read_at(other))[0] is not None:
                return found
    return result


def _read_at(full: str) -> tuple[bytes | None, str | None]:
    try:
        mode = os.stat(full).st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for whoever writes to it
            return None, "is a directory" if stat.S_ISDIR(mode) else "unreadable file"
        with open(full, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                return None, "file too large"
            return file.read(MAX_BYTES), None
    except (FileNotFoundError, NotADirectoryError):
        return None, "missing file"
    except (OSError, ValueError):  # no permission, a name too long, a null character in it
        return None, "unreadable file"


def decode_image(data: bytes, *, min_size: int | None = None) -> Image.Image:
    """Decode an encoded image to RGB, upright, first frame, transparency laid on white.

    Safe to call from several threads at once.

    Args:
        data: the file's bytes (JPEG, MPO, PNG, WebP, GIF, AVIF, JPEG 2000, BMP, TIFF, PPM; HEIC with the extra ``heic``). A JPEG that
            lacks only its end marker is whole.
        min_size: pixels that the shorter side needs at least. A JPEG is then decoded at the smallest of 1, 1/2, 1/4,
            1/8 of its size that keeps them, which is several times faster. Pixels differ slightly from full decoding,
            so training and inference must ask for the same.

    Returns:
        An image of mode RGB.

    Raises:
        ImageError: the bytes cannot be decoded; ``reason`` says why in a few stable words.
    """
    try:
        return _decode(data, min_size)
    except ImageError as error:
        cut = error.reason == "truncated image" and data.startswith(_JPEG_START)
        whole = _without_end_marker(data, min_size) if cut else None
        if whole is None:
            raise
        return whole


def _decode(data: bytes, min_size: int | None) -> Image.Image:
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


def _without_end_marker(data: bytes, min_size: int | None) -> Image.Image | None:
    """A JPEG of which nothing is missing but its end marker; None if pixels are.

    Where pixels are missing, the decoder takes what is put in their place for them, and two fillings give two images.
    """
    images = []
    data = data[:-1] if data.endswith(_JPEG_END[:1]) else data  # half of the marker
    for filling in (b"", b"\x00" * 64, b"\x55" * 64):
        try:
            images.append(_decode(data + filling + _JPEG_END, min_size))
        except ImageError:
            return None
    first, *others = images
    return first if all(other.tobytes() == first.tobytes() for other in others) else None


def check_image(data: bytes | None, *, decode: bool = True) -> str | None:
    """Why ``data`` cannot be used as an image (an :class:`ImageError` reason), or None if it can.

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
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC and b"avif" not in data[12:64] and not _reads_heic():
        raise ImageError("HEIC image (needs the package pillow-heif)")
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


def _reads_heic() -> bool:
    """Whether HEIC can be decoded here; the package is asked for when the first such file comes."""
    global _formats
    with _formats_lock:
        if "HEIF" in Image.OPEN:
            return True
        try:
            import pillow_heif
        except ImportError:
            return False
        pillow_heif.register_heif_opener(thumbnails=False)
        _formats = None
        return "HEIF" in Image.OPEN


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata is no reason to refuse the image
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
