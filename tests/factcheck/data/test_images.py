import io
import random
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from factcheck.data import ImageError, check_image, decode_image
from factcheck.data.images import MAX_PIXELS
from factcheck.data.transforms import ImageTransform
from factcheck.errors import InputError

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width=64, height=48, seed=0):
    """Smooth random colours: compresses like a photo, and no two places look the same."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def pixel(data, at=(0, 0), **options):
    image = decode_image(data, **options)
    assert image.mode == "RGB"
    return image.getpixel(at)


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "AVIF", "JPEG2000", "GIF", "BMP", "TIFF", "PPM"])
def test_formats(kind):
    image = decode_image(encoded(photo(), kind))
    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert np.abs(np.asarray(image, float) - np.asarray(photo(), float)).mean() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation):
    # The photo as the camera stores it: the inverse of the turn that the tag asks for.
    stored = {
        1: lambda i: i,
        2: lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda i: i.transpose(Image.Transpose.ROTATE_180),
        4: lambda i: i.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda i: i.transpose(Image.Transpose.TRANSPOSE),
        6: lambda i: i.transpose(Image.Transpose.ROTATE_90),
        7: lambda i: i.transpose(Image.Transpose.TRANSVERSE),
        8: lambda i: i.transpose(Image.Transpose.ROTATE_270),
    }[orientation](photo())
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_image(encoded(stored, "PNG", exif=exif))
    assert np.array_equal(np.asarray(image), np.asarray(photo()))


def test_broken_exif_is_ignored():
    data = encoded(photo(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xffgarbage")
    assert decode_image(data).size == (64, 48)


def test_transparency_is_laid_on_white():
    assert pixel(encoded(Image.new("RGBA", (4, 4), (*RED, 0)))) == WHITE
    assert pixel(encoded(Image.new("RGBA", (4, 4), (*RED, 255)))) == RED
    assert pixel(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)))) == (127, 127, 127)
    assert pixel(encoded(Image.new("LA", (4, 4), (0, 0)))) == WHITE
    assert pixel(encoded(Image.new("RGB", (4, 4), RED), transparency=RED)) == WHITE  # a PNG's transparent colour


def test_palettes():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([*GREEN, *RED])
    assert pixel(encoded(palette)) == RED
    assert pixel(encoded(palette, transparency=1)) == WHITE
    assert pixel(encoded(palette, "GIF")) == RED


def test_grey_and_bilevel():
    assert pixel(encoded(Image.new("L", (4, 4), 77))) == (77, 77, 77)
    assert pixel(encoded(Image.new("1", (4, 4), 1))) == WHITE
    assert pixel(encoded(Image.new("L", (32, 32), 77), "JPEG"), min_size=4) == (77, 77, 77)


def test_cmyk():
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red, green, blue = pixel(encoded(cmyk, "JPEG"))
    assert red > 240
    assert max(green, blue) < 15
    assert pixel(encoded(cmyk, "TIFF")) == RED


def test_sixteen_bits_keep_their_range():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        grey = np.asarray(decode_image(encoded(Image.fromarray(ramp), kind)))[..., 0].ravel()
        assert np.array_equal(grey, np.arange(256)), kind


def test_float_tiff():
    unit = Image.fromarray(np.full((4, 4), 0.5, np.float32))
    assert pixel(encoded(unit, "TIFF")) == (128, 128, 128)
    assert pixel(encoded(Image.fromarray(np.full((4, 4), 200, np.float32)), "TIFF")) == (200, 200, 200)
    assert pixel(encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF")) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    data = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
    )
    assert pixel(data) == RED


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_truncated_files_give_a_reason(kind):
    data = encoded(photo(256, 256), kind)
    for part in (0.9, 0.5, 0.1):
        assert check_image(data[: int(len(data) * part)]) in {"truncated image", "corrupt image", "not an image"}


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30, "subsampling": 0}])
@pytest.mark.parametrize("min_size", [None, 8])
def test_a_jpeg_that_lacks_only_its_end_marker_is_whole(options, min_size):
    data = encoded(photo(), "JPEG", **options)
    assert data.endswith(b"\xff\xd9")
    whole = decode_image(data, min_size=min_size)
    for cut in (1, 2):
        assert decode_image(data[:-cut], min_size=min_size).tobytes() == whole.tobytes()
    # The last bits of a progressive JPEG refine every pixel a little: of these a few may be missing unnoticed.
    for cut in (200,) if "progressive" in options else (5, 30, 200):
        assert check_image(data[:-cut]) == "truncated image", cut


def test_heic_is_read_with_its_package_and_named_without(monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    sink = io.BytesIO()
    pillow_heif.from_pillow(photo()).save(sink)
    assert decode_image(sink.getvalue()).size == (64, 48)
    monkeypatch.delitem(Image.OPEN, "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert check_image(sink.getvalue()) == "HEIC image (needs the package pillow-heif)"


def test_truncated_jpeg_is_called_so():
    data = encoded(photo(256, 256), "JPEG")
    assert check_image(data[: len(data) // 2]) == "truncated image"
    assert check_image(data[: len(data) // 2], decode=False) is None  # the header is whole


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"<html><body>Not found</body></html>", "not an image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"%PDF-1.7", "not an image"),
        (b"\x00" * 1000, "not an image"),
        (b"\xff\xd8\xff", "not an image"),
    ],
)
def test_what_is_not_a_photo(data, reason):
    assert check_image(data) == check_image(data, decode=False) == reason
    with pytest.raises(ImageError, match=reason) as caught:
        decode_image(data)
    assert caught.value.reason == reason
    assert isinstance(caught.value, InputError)


def png_of(width, height):
    """A PNG whose header promises ``width`` x ``height`` pixels and that holds none."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(8193, 8192), (10_000, 10_000), (60_000, 60_000)])
def test_decompression_bombs_are_refused_by_their_header(size):
    assert size[0] * size[1] > MAX_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        assert check_image(png_of(*size)) == check_image(png_of(*size), decode=False) == "too many pixels"
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        assert check_image(png_of(*size)) == "too many pixels"


def test_no_global_setting_is_touched():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    check_image(png_of(60_000, 60_000))
    decode_image(encoded(photo(), "JPEG"), min_size=8)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_damaged_bytes_never_raise_anything_else(kind):
    rng = random.Random(kind)
    data = encoded(photo(), kind)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 12)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reason = check_image(bytes(damaged))
        assert reason in {None, "not an image", "too many pixels", "truncated image", "corrupt image"}


def test_draft_keeps_the_pixels_asked_for():
    data = encoded(photo(1600, 1200), "JPEG", quality=95)
    image = decode_image(data, min_size=128)
    assert 128 <= min(image.size) < 512
    full = decode_image(data).resize(image.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(image, float) - np.asarray(full, float)).mean() < 3
    assert decode_image(data, min_size=1000).size == (1600, 1200)


def test_draft_and_orientation_together():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = decode_image(encoded(photo(1600, 1200), "JPEG", exif=exif), min_size=128)
    assert image.height > image.width


def test_threads_decode_the_same_pixels():
    files = [encoded(photo(200, 150, seed), kind) for seed in range(6) for kind in ("JPEG", "PNG", "GIF", "WEBP")]
    expected = [decode_image(data, min_size=64).tobytes() for data in files]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert [i.tobytes() for i in pool.map(lambda data: decode_image(data, min_size=64), files)] == expected


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_transform_normalises():
    image = photo(32, 32)
    tensor = ImageTransform(32, MEAN, STD)(image)
    assert tensor.shape == (3, 32, 32)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    expected = (np.asarray(image, np.float64) / 255 - MEAN) / STD
    np.testing.assert_allclose(tensor.numpy(), expected.transpose(2, 0, 1), atol=2e-6)


@pytest.mark.parametrize("size", [(640, 480), (33, 200), (1, 1), (5, 3000)])
def test_transform_resizes_the_whole_photo_smoothly(size):
    image = photo(*size)
    tensor = ImageTransform(32, (0, 0, 0), (1, 1, 1))(image)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    reference = torch.nn.functional.interpolate(pixels, (32, 32), mode="bicubic", antialias=True)[0].clamp(0, 255)
    assert (tensor * 255 - reference).abs().mean() < 1.5


def test_transform_is_deterministic():
    transform = ImageTransform(24, MEAN, STD)
    assert torch.equal(transform(photo(100, 80)), transform(photo(100, 80)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, MEAN, STD), "`size` is 0, expected a whole number"),
        ((8, (0.5,), STD), r"mean is \(0.5,\); expected three"),
        ((8, MEAN, (1, 1, float("nan"))), "std is .*; expected three finite"),
        ((8, MEAN, (1, 0, 1)), "std is .*; expected numbers above 0"),
    ],
)
def test_transform_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        ImageTransform(*arguments)


def test_transform_wants_rgb():
    with pytest.raises(InputError, match="mode 'L'; expected 'RGB'"):
        ImageTransform(8, MEAN, STD)(Image.new("L", (8, 8)))
