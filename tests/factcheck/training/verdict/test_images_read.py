"""Training and the baseline read photos as verification does."""

import io
import os

import pyarrow as pa
import pytest
import torch
from PIL import Image
from training_parts import module

from factcheck import Verifier
from factcheck.data import images, load_images, normalize_claims
from factcheck.evaluation.baselines import similarity_features
from factcheck.models.inputs import TextRow
from factcheck.training.verdict.loading import Collate, Loaded
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.rows import TrainingRow


@pytest.fixture
def collate(tiny_bert):
    return Collate(module(tiny_bert).input_builder)


@pytest.fixture
def large():
    """A JPEG whose pixels depend on the size that it is asked for at."""
    sink = io.BytesIO()
    Image.effect_noise((1200, 900), 80).convert("RGB").save(sink, "JPEG")
    return sink.getvalue()


def _row(claim_image, document_image):
    return TrainingRow(
        id="0", text=TextRow("a dog"), document=(), claim_image=claim_image, document_image=document_image,
        stance=0, relation=0, label=0, source="s",
    )  # fmt: skip


def test_what_verification_refuses_training_goes_without(collate, photo, tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    for path in (root / "in.jpg", tmp_path / "out.jpg"):
        path.write_bytes(photo(0))
    os.mkfifo(root / "pipe.jpg")
    (root / "big.jpg").write_bytes(photo(0) + b"\0" * 10_000)
    monkeypatch.setattr(images, "MAX_BYTES", 10_000)
    names = ["in.jpg", "../out.jpg", str(tmp_path / "out.jpg"), "pipe.jpg", "a\0b.jpg", "big.jpg", "no.jpg", "", b""]
    batch = collate([Loaded(root, _row(name, "in.jpg")) for name in names])
    assert batch["claim_image_mask"].tolist() == [True] + [False] * 8
    assert batch["document_image_mask"].all()
    assert batch["label"].tolist() == [0] + [UNLABELLED] * 8


def test_photos_are_decoded_at_the_size_that_inference_asks_for(collate, large, tmp_path):
    (tmp_path / "a.jpg").write_bytes(large)
    pixels = collate([Loaded(tmp_path, _row("a.jpg", large))])
    transform = collate.builder.transform
    from factcheck.data.images import decode_image

    expected = transform(decode_image(large, min_size=transform.size))
    assert not torch.equal(expected, transform(decode_image(large, min_size=256)))
    assert torch.equal(pixels["claim_pixels"][0], expected)
    assert torch.equal(pixels["document_pixels"][0], expected)


def test_the_baseline_decodes_at_that_size_too(tiny_model, large, monkeypatch):
    from factcheck.data import images

    asked = []
    decode = images.decode_image
    monkeypatch.setattr(
        images, "decode_image", lambda data, *, min_size=None: asked.append(min_size) or decode(data, min_size=min_size)
    )
    verifier = Verifier.load(tiny_model, attribution=False)
    row = {"claim": "a dog", "document": "a dog", "claim_image": large, "document_image": large}
    similarity_features(load_images(normalize_claims(pa.Table.from_pylist([row])), None), verifier)
    assert asked == [verifier.builder.transform.size] * 2
