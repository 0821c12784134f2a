"""Photos are decoded one at a time, and large files are not held for a whole chunk."""

import io
import weakref

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import factcheck.data.images
from factcheck import Verifier
from factcheck.data import open_claims
from factcheck.verification import chunks, verify_file


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False, batch_size=4)


def png(seed):
    sink = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def test_no_two_photos_are_decoded_at_once(verifier, monkeypatch):
    """Counts the decoded images alive whenever one is decoded; the decoder itself does its work."""
    decoded = []
    alive = []
    decode = factcheck.data.images.decode_image

    def counted(data, **options):
        alive.append(sum(image() is not None for image in decoded))
        image = decode(data, **options)
        decoded.append(weakref.ref(image))
        return image

    monkeypatch.setattr("factcheck.verification.once.decode_image", counted)
    rows = [
        {"claim": f"dog {i}", "document": "A dog.", "claim_image": png(i), "document_image": png(-i % 7)}
        for i in range(9)
    ]
    verdicts = verifier.verify_batch(pa.Table.from_pylist(rows))
    assert verdicts["image_similarity"].null_count == 0
    assert len(alive) == 9, "each once, however many rows show it"
    assert max(alive) <= 1, "at most the one before, while the next is made"


@pytest.mark.slow
def test_a_chunk_of_large_files_is_read_in_parts(verifier, tmp_path, monkeypatch):
    for i in range(20):
        (tmp_path / f"{i}.png").write_bytes(png(i))
    lines = [f"r{i},dog {i},A dog {i}.,{i if i % 9 else 'none'}.png,{(i + 1) % 20}.png\n" for i in range(20)]
    claims = tmp_path / "c.csv"
    claims.write_text("id,claim,document,claim_image,document_image\n" + "".join(lines))
    whole = verify_file(verifier, claims, tmp_path / "whole.jsonl")
    source = open_claims(claims)
    (part,) = chunks.with_images(next(source.batches()), tmp_path)
    assert part.num_rows == 20
    monkeypatch.setattr(chunks, "_PHOTO_BYTES", 300_000)
    parts = list(chunks.with_images(next(source.batches()), tmp_path))
    assert [part.num_rows for part in parts] == [16, 4]
    assert (
        verify_file(verifier, claims, tmp_path / "parts.jsonl").statuses == whole.statuses == {"ok": 17, "degraded": 3}
    )
    first, second = ((tmp_path / name).read_text().splitlines() for name in ("whole.jsonl", "parts.jsonl"))
    assert [line.split('"confidence"')[0] for line in first] == [line.split('"confidence"')[0] for line in second]
    assert sum("claim_image: missing file" in line for line in second) == 3


def test_a_photo_that_cannot_be_decoded_says_so_in_its_row(verifier):
    rows = [
        {"claim": "dog", "document": "A dog.", "claim_image": png(1), "document_image": png(2)[:3000]},
        {"claim": "cat", "document": "A cat.", "claim_image": b"no", "document_image": png(2)},
        {"claim": "boy", "document": "A boy.", "claim_image": png(3), "document_image": png(4)},
    ]
    verdicts = verifier.verify_batch(pa.Table.from_pylist(rows)).to_pylist()
    assert [row["reason"] for row in verdicts] == ["document_image: truncated image", "claim_image: not an image", None]
    assert [row["probabilities"] is None for row in verdicts] == [True, True, False]
