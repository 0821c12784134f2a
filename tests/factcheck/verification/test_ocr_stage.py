"""Text in photos, read on the way through verification: what it changes, where it is said, and what it must never cost."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageFont

pytest.importorskip("rapidocr", reason="the extra ocr is not installed")

from factcheck import Claim, InputError, Verifier
from factcheck.cli import main
from factcheck.data.ocr import ImageTextReader
from factcheck.verification.stream import verify_file
from factcheck.verification.verdict_table import read_verdicts
from retrieval.content_cache import ContentCache

pytestmark = pytest.mark.slow


def overlaid(photo, seed: int, text: str) -> bytes:
    """A photo with a line of text over it."""
    image = Image.open(io.BytesIO(photo(seed, (420, 260)))).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 190, 420, 240), fill="black")
    draw.text((14, 196), text, fill="white", font=ImageFont.load_default(30))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photo):
    """Claims and photos: two with text over them, one without, one cut off."""
    root = tmp_path_factory.mktemp("ocr")
    files = {
        "dogs.png": overlaid(photo, 1, "TWO DOGS RUN"),
        "law.png": overlaid(photo, 2, "THE LAW STARTS"),
        "plain.jpg": photo(3),
        "cut.png": overlaid(photo, 4, "THE WATER IS BLUE")[:900],
    }
    for name, data in files.items():
        (root / name).write_bytes(data)
    rows = [
        {"id": "both", "claim_image": "dogs.png", "document_image": "law.png"},
        {"id": "given", "claim_image": "dogs.png", "document_image": "law.png", "document_ocr": "as given"},
        {"id": "plain", "claim_image": "plain.jpg", "document_image": "dogs.png"},
        {"id": "cut", "claim_image": "cut.png", "document_image": "law.png"},
        {"id": "missing", "claim_image": "away.png"},
        {"id": "none"},
    ]
    names = ("id", "claim", "document", "claim_image", "document_image", "claim_ocr", "document_ocr")
    full = [{"claim": "Two dogs run.", "document": "The dogs run on the field. A law starts.", **row} for row in rows]
    table = pa.table({name: pa.array([row.get(name) for row in full], pa.string()) for name in names})
    pq.write_table(table, root / "claims.parquet")
    return root


class Counting(ImageTextReader):
    """Counts the photos that go through the networks; breaks on those it is told to."""

    def __init__(self, *arguments, breaks_on: int | None = None):
        super().__init__(*arguments)
        self.photos, self.breaks_on = 0, breaks_on

    def _networks(self):
        self.photos += 1
        if self.photos == self.breaks_on:
            raise RuntimeError("out of memory")
        return super()._networks()


def by_id(path):
    return {row["id"]: row for row in read_verdicts(path).to_pylist()}


def test_what_is_read_is_judged_and_told(tiny_model, folder, tmp_path):
    reader = Counting()
    summary = verify_file(Verifier.load(tiny_model, ocr=reader), folder / "claims.parquet", tmp_path / "f.parquet")
    verify_file(Verifier.load(tiny_model), folder / "claims.parquet", tmp_path / "o.parquet")
    filled, off = by_id(tmp_path / "f.parquet"), by_id(tmp_path / "o.parquet")
    dogs, law = {"source": "read", "text": "TWO DOGS RUN"}, {"source": "read", "text": "THE LAW STARTS"}
    given = {"source": "given", "text": None}
    assert {name: row["ocr"] for name, row in filled.items()} == {
        "both": {"claim": dogs, "document": law},
        "given": {"claim": dogs, "document": given},
        "plain": {"claim": None, "document": dogs},
        "cut": {"claim": None, "document": law},
        "missing": None,
        "none": None,
    }
    assert {name: row["ocr"] for name, row in off.items() if row["ocr"]} == {
        "given": {"claim": None, "document": given}
    }
    assert filled["both"]["stance_probabilities"] != off["both"]["stance_probabilities"]
    assert filled["none"]["stance_probabilities"] == off["none"]["stance_probabilities"]
    assert reader.photos == 3  # each once, the one that cannot be decoded not at all
    assert summary.stages["ocr"] > 0
    assert filled["both"]["content_hash"] != off["both"]["content_hash"]


def test_it_is_as_if_the_text_had_been_given(tiny_model, folder):
    row = {
        "claim": "Two dogs run.",
        "document": "The dogs run on the field.",
        "claim_image": (folder / "dogs.png").read_bytes(),
    }
    read = Verifier.load(tiny_model, ocr="fill").verify(Claim(**row))
    given = Verifier.load(tiny_model).verify(Claim(**row, claim_ocr="TWO DOGS RUN"))
    assert read.stance_probabilities == pytest.approx(given.stance_probabilities)
    assert (read.ocr["claim"]["source"], given.ocr["claim"]["source"]) == ("read", "given")


def test_a_photo_that_the_networks_fail_on_costs_its_text_only(tiny_model, folder, tmp_path):
    verifier = Verifier.load(tiny_model, ocr=Counting(None, 1, breaks_on=1))
    verify_file(verifier, folder / "claims.parquet", tmp_path / "v.parquet")
    rows = by_id(tmp_path / "v.parquet")
    assert rows["both"]["status"] == "degraded"
    assert rows["both"]["reason"] == "claim_ocr: text could not be read (RuntimeError: out of memory)"
    assert rows["both"]["label"] is not None
    assert rows["both"]["ocr"]["document"]["text"] == "THE LAW STARTS"


def test_a_cache_and_a_second_run_read_nothing_anew(tiny_model, folder, tmp_path):
    def run(name):
        with ContentCache(tmp_path / "cache.sqlite") as cache:
            reader = Counting(cache)
            verify_file(Verifier.load(tiny_model, ocr=reader), folder / "claims.parquet", tmp_path / name, chunk_size=2)
        return reader.photos, read_verdicts(tmp_path / name).to_pylist()

    (first, wanted), (second, found) = run("a.parquet"), run("b.parquet")
    assert (first, second) == (3, 0)
    assert found == wanted


def test_a_run_goes_on_only_with_the_same_reading(tiny_model, folder, tmp_path):
    from factcheck.verification.stream import RunInterrupted

    claims, out = folder / "claims.parquet", tmp_path / "v.parquet"
    with pytest.raises(RunInterrupted):
        verify_file(Verifier.load(tiny_model, ocr="fill"), claims, out, chunk_size=2, should_stop=lambda: True)
    with pytest.raises(InputError, match=r"2 finished rows of a run with `ocr` \"rapidocr .*\", this run has \"off\""):
        verify_file(Verifier.load(tiny_model), claims, out)
    assert verify_file(Verifier.load(tiny_model, ocr="fill"), claims, out).resumed == 2


def test_the_flag(tiny_model, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path / "cache"))
    arguments = ["verify", str(folder / "claims.parquet"), "--model", str(tiny_model), "--ocr", "fill", "--out"]
    assert main([*arguments, str(tmp_path / "v.csv")]) == 0
    assert by_id(tmp_path / "v.csv")["both"]["ocr"]["claim"] == {"source": "read", "text": "TWO DOGS RUN"}
    assert (tmp_path / "cache" / "ocr" / "texts.sqlite").is_file()
    capsys.readouterr()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([*arguments, str(tmp_path / "w.csv")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "needs the package rapidocr, which is not installed" in said[0]
    with pytest.raises(InputError, match="`ocr` is 'on', expected one of off, fill"):
        Verifier.load(tiny_model, ocr="on")
