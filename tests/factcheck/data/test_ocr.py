"""Text in images: read once, kept, and never over a text that is given."""

import io

import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFont

from factcheck.data import load_images, normalize_claims
from factcheck.errors import InputError
from factcheck.records import claims_schema
from retrieval.content_cache import ContentCache

pytest.importorskip("rapidocr", reason="the extra ocr is not installed")

from factcheck.data.ocr import ImageTextReader, fill_ocr


def picture(text: str, scale: int = 1) -> bytes:
    image = Image.new("RGB", (320 * scale, 120 * scale), (40, 80, 120))
    if text:
        font = ImageFont.load_default(28 * scale)
        ImageDraw.Draw(image).text((12 * scale, 40 * scale), text, fill="white", font=font)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def reader():
    return ImageTextReader()


def claims(rows):
    names = claims_schema().names
    return load_images(
        normalize_claims(pa.Table.from_pylist([{k: r.get(k) for k in names if k in r} for r in rows])), None
    )


@pytest.mark.slow
def test_text_is_read_and_plain_photos_have_none(reader):
    texts = reader.read([picture("BREAKING NEWS"), picture(""), None, b"no image", picture("BREAKING NEWS", 7)])
    assert texts[0] == "BREAKING NEWS"
    assert texts[1] == ""
    assert texts[2:4] == [None, None]
    assert texts[4] == "BREAKING NEWS"


@pytest.mark.slow
def test_only_empty_cells_are_filled(reader):
    photo = {"bytes": picture("FLOOD WARNING"), "path": None}
    table = claims(
        [
            {"id": "a", "claim": "One.", "claim_image": photo, "document_image": photo, "document_ocr": "as given"},
            {"id": "b", "claim": "Two.", "claim_image": None, "document_image": None, "document_ocr": None},
        ]
    )
    filled, sources = fill_ocr(table, reader)
    assert filled.column("claim_ocr").to_pylist() == ["FLOOD WARNING", None]
    assert filled.column("document_ocr").to_pylist() == ["as given", None]
    assert sources == {"claim_ocr": ["read", None], "document_ocr": ["given", None]}
    assert filled.schema.equals(table.schema)


@pytest.mark.slow
def test_an_image_is_read_once_across_runs(tmp_path, monkeypatch):
    with ContentCache(tmp_path / "ocr.sqlite") as cache:
        ImageTextReader(cache).read([picture("ONCE")] * 3)
        again = ImageTextReader(cache)
        monkeypatch.setattr(again, "_networks", None)  # reading anew would call it
        assert again.read([picture("ONCE")]) == ["ONCE"]


def test_mistakes():
    with pytest.raises(InputError, match="`threads` is 0, expected a whole number of at least 1"):
        ImageTextReader(threads=0)
