"""Photos of the sample: the originals, the two drawings made for it, and the alterations of the claims' copies."""

from __future__ import annotations

import io
import itertools
import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

LONG_SIDE = 256
#: Files of scikit-image's wheel that are CC0 or in the public domain; see the data card for each one's source.
ORIGINALS = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "horse": "horse.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}
#: Text that can be read off the drawings (they are never mirrored, so that their copies carry it too).
DRAWN_TEXT = {
    "tram_map": "VELMORA TRAMS\nHarbour\nMarket Square\nUniversity\nLine 4",
    "rain_chart": "RAIN IN EASTMERE\nmillimetres\nJan Feb Mar Apr May",
}


def load_original(name: str) -> Image.Image:
    """The photo or drawing called ``name``, RGB, long side ``LONG_SIDE``."""
    if name in DRAWN_TEXT:
        image = {"tram_map": _draw_tram_map, "rain_chart": _draw_rain_chart}[name]()
    else:
        import skimage

        with Image.open(Path(skimage.__file__).parent / "data" / ORIGINALS[name]) as file:
            image = file.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return image


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """``image`` as JPEG, without metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def alter(image: Image.Image, rng: random.Random, *, overlay: str | None, keep_text: bool) -> Image.Image:
    """A copy of ``image`` as it travels: always cropped, then two further alterations, with ``overlay`` written on it.

    With ``keep_text`` the text in the image stays legible, so that the row's OCR column is true of the copy.
    """
    image = _crop(image, rng.uniform(0.94, 0.98) if keep_text else rng.uniform(0.78, 0.94), rng)
    further = [_recompress, _tone, _frame] + [_mirror, _rescale] * (not keep_text)
    for alteration in rng.sample(further, 2):
        image = alteration(image, rng)
    if overlay:
        image = _write(image, overlay, rng, beside=keep_text)
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return image


def _crop(image: Image.Image, keep: float, rng: random.Random) -> Image.Image:
    width, height = image.size
    w, h = round(width * keep), round(height * min(1.0, keep * rng.uniform(0.98, 1.06)))
    left, top = rng.randint(0, width - w), rng.randint(0, height - h)
    return image.crop((left, top, left + w, top + h))


def _mirror(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageOps.mirror(image)


def _recompress(image: Image.Image, rng: random.Random) -> Image.Image:
    with Image.open(io.BytesIO(encode_jpeg(image, rng.randint(18, 45)))) as coarse:
        return coarse.convert("RGB")


def _tone(image: Image.Image, rng: random.Random) -> Image.Image:
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.8, 1.25))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.8, 1.25))
    image = ImageEnhance.Color(image).enhance(rng.choice([0.3, 0.6, 1.3, 1.6]))
    if rng.random() < 0.4:  # warm or cold cast
        red, green, blue = image.split()
        warm = rng.uniform(0.86, 1.14)
        image = Image.merge(
            "RGB", (red.point(lambda v: min(255, v * warm)), green, blue.point(lambda v: min(255, v * (2 - warm))))
        )
    return image


def _frame(image: Image.Image, rng: random.Random) -> Image.Image:
    colour = rng.choice(["white", "black", "#1d3557", "#8d1c1c"])
    return ImageOps.expand(image, border=rng.randint(6, 14), fill=colour)


def _rescale(image: Image.Image, rng: random.Random) -> Image.Image:
    size = [round(side * rng.uniform(0.55, 0.7)) for side in image.size]
    image = image.resize(size, Image.Resampling.BILINEAR)
    return image.filter(ImageFilter.GaussianBlur(0.5)) if rng.random() < 0.5 else image


def _write(image: Image.Image, text: str, rng: random.Random, *, beside: bool) -> Image.Image:
    width, height = image.size
    size = max(12, height // 10)
    bar = size + 8
    at_top = rng.random() < 0.5
    if beside:
        image = ImageOps.expand(image, border=(0, bar * at_top, 0, bar * (not at_top)))
    image = image.copy()
    draw = ImageDraw.Draw(image)
    width, height = image.size
    while draw.textlength(text, ImageFont.load_default(size)) > width - 16 and size > 9:
        size -= 1
    font = ImageFont.load_default(size)
    top = 0 if at_top else height - bar
    dark = rng.random() < 0.6
    draw.rectangle((0, top, width, top + bar), fill="black" if dark else "#ffd60a")
    draw.text((width / 2, top + bar / 2), text, font=font, fill="white" if dark else "black", anchor="mm")
    return image


def _draw_tram_map() -> Image.Image:
    image = Image.new("RGB", (1024, 768), "#f7f4ea")
    draw = ImageDraw.Draw(image)
    draw.polygon([(0, 600), (260, 640), (520, 600), (800, 690), (1024, 640), (1024, 768), (0, 768)], fill="#bfd9e8")
    draw.text((80, 60), "VELMORA TRAMS", font=ImageFont.load_default(64), fill="#222222")
    lines = {
        "#c1121f": [(60, 240), (400, 240), (520, 360), (960, 360)],
        "#1b7f3b": [(150, 480), (400, 240), (400, 520)],
        "#1d4ed8": [(960, 200), (700, 200), (520, 360), (520, 620)],
        "#e58a00": [(130, 610), (300, 610), (520, 360), (680, 500), (960, 500)],
    }
    for colour, points in lines.items():
        draw.line(points, fill=colour, width=22, joint="curve")
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            for step in (0.0, 0.5, 1.0):
                x, y = x0 + (x1 - x0) * step, y0 + (y1 - y0) * step
                draw.ellipse((x - 14, y - 14, x + 14, y + 14), fill="white", outline="#222222", width=5)
    labels = {(90, 640): "Harbour", (628, 285): "Market Square", (690, 525): "University", (640, 415): "Line 4"}
    for place, text in labels.items():
        draw.text(place, text, font=ImageFont.load_default(46), fill="#222222")
    return image


def _draw_rain_chart() -> Image.Image:
    image = Image.new("RGB", (1024, 740), "white")
    draw = ImageDraw.Draw(image)
    draw.text((80, 50), "RAIN IN EASTMERE", font=ImageFont.load_default(62), fill="#14213d")
    draw.text((80, 125), "millimetres", font=ImageFont.load_default(42), fill="#555555")
    base, left = 610, 140
    for level in range(0, 81, 20):
        y = base - level * 5
        draw.line((left, y, 950, y), fill="#cccccc", width=3)
        draw.text((left - 20, y), str(level), font=ImageFont.load_default(38), fill="#555555", anchor="rm")
    for place, (month, rain) in enumerate([("Jan", 49), ("Feb", 44), ("Mar", 71), ("Apr", 11), ("May", 66)]):
        x = left + 40 + place * 160
        draw.rectangle((x, base - rain * 5, x + 100, base), fill="#e07a1f" if month == "Apr" else "#2a6f97")
        draw.text((x + 50, base + 10), month, font=ImageFont.load_default(46), fill="#14213d", anchor="ma")
    return image
