"""What is remembered by content: made once, bounded, and of no effect on the results."""

import numpy as np
import pyarrow as pa
import pytest

from factcheck import Verifier
from factcheck.verification import once
from factcheck.verification.once import EncodedOnce, SplitDocuments
from retrieval.content_cache import ContentCache
from retrieval.encoders.base import TextEncoder


class Counting(TextEncoder):
    dimension = 4
    fingerprint = "counting"

    def __init__(self):
        self.asked = []

    def encode(self, texts, *, batch_size=64):
        self.asked += texts
        return np.array([[len(text), 1, 2, 3] for text in texts], np.float32)


def test_a_text_is_encoded_once():
    inner = Counting()
    encoder = EncodedOnce(inner)
    assert encoder.encode(["a", "bb", "a"])[:, 0].tolist() == [1, 2, 1]
    assert encoder.encode(["bb", "ccc"])[:, 0].tolist() == [2, 3]
    assert inner.asked == ["a", "bb", "ccc"]
    assert encoder.encode([]).shape == (0, 4)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(once, "_MOST_TEXTS", 2)
    inner = Counting()
    encoder = EncodedOnce(inner)
    for text in ("a", "b", "c", "c", "b", "a"):
        assert encoder.encode([text])[0, 0] == 1
    assert inner.asked == ["a", "b", "c", "a"], "the two used last are remembered"


def test_a_cache_on_disk_serves_the_next_run(tmp_path):
    with ContentCache(tmp_path / "vectors.sqlite") as cache:
        EncodedOnce(Counting(), cache).encode(["a", "bb"])
    with ContentCache(tmp_path / "vectors.sqlite") as cache:
        inner = Counting()
        assert EncodedOnce(inner, cache).encode(["bb", "ccc", "a"])[:, 0].tolist() == [2, 3, 1]
        assert inner.asked == ["ccc"]
        other = Counting()
        other.fingerprint = "another"
        EncodedOnce(other, cache).encode(["a"])
        assert other.asked == ["a"], "vectors of another encoder are not taken"


def test_documents_with_other_spans_are_other_documents():
    split = SplitDocuments()
    text = "A dog. A cat."
    assert [s.text for s in split(text, None)] == ["A dog.", "A cat."]
    assert [s.text for s in split(text, [{"start": 0, "end": 13}])] == ["A dog. A cat."]
    assert split(text, None) is split(text, None)


def test_photos_are_encoded_once_a_run(tiny_model, photo, monkeypatch):
    rows = [
        {"claim": f"dog {i}", "document": "A dog.", "claim_image": photo(1), "document_image": photo(i % 2)}
        for i in range(6)
    ]
    table = pa.Table.from_pylist(rows)
    plain = [
        Verifier.load(tiny_model, attribution=False).verify_batch(table.slice(i, 1)).to_pylist()[0] for i in (0, 5)
    ]
    verifier = Verifier.load(tiny_model, attribution=False, batch_size=2)
    encoded = []
    encode = type(verifier.fusion).encode_images
    monkeypatch.setattr(
        type(verifier.fusion), "encode_images", lambda self, pixels: encoded.append(len(pixels)) or encode(self, pixels)
    )
    found = verifier.verify_batch(table).to_pylist()
    assert sum(encoded) == 2
    for row, wanted in zip((found[0], found[5]), plain, strict=True):
        assert row["image_similarity"] == pytest.approx(wanted["image_similarity"], abs=1e-5)
        assert row["confidence"] == pytest.approx(wanted["confidence"], abs=1e-5)
