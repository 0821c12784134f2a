"""Texts and photos become tensors the same way wherever they are read."""

import pytest
import torch
from PIL import Image

from factcheck.data.transforms import ImageTransform
from factcheck.models.inputs import InputBuilder, TextRow
from factcheck.models.text import load_tokenizer


@pytest.fixture(scope="module")
def builder() -> InputBuilder:
    return InputBuilder(load_tokenizer("bundled"), 48, 24, ImageTransform(32, (0.5,) * 3, (0.5,) * 3))


ROWS = [
    TextRow("Two dogs run."),
    TextRow("A dog runs on a beach.", ["Two dogs run on the sand.", "The sea is calm."], "LIVE", "PHOTO: A. N. Other"),
    TextRow("word " * 400, ["evidence " * 400]),
    TextRow("x" * 1_000_000, ["y" * 1_000_000]),
]


def test_lengths_are_the_tokens_before_padding(builder):
    mask = builder.texts(ROWS)["attention_mask"]
    assert builder.lengths(ROWS) == builder.lengths(ROWS, chunk=1) == mask.sum(1).tolist()
    assert mask.shape[1] == 48


def test_a_long_claim_leaves_room_for_evidence(builder):
    encoded = builder.texts(ROWS[2:3])
    segments = encoded["token_type_ids"][0][encoded["attention_mask"][0].bool()]
    assert (segments == 0).sum() == 24 + 2  # [CLS] claim [SEP]
    assert (segments == 1).sum() == 48 - 26


def test_what_does_not_fit_is_the_end_of_the_evidence(builder):
    best_first = TextRow("a claim", ["the best sentence", *["filler words follow"] * 40])
    text = builder.tokenizer.decode(builder.texts([best_first])["input_ids"][0])
    assert "the best sentence" in text


def test_ocr_goes_to_the_side_of_its_photo(builder):
    claim, evidence = builder.segments(ROWS[1])
    assert claim == "A dog runs on a beach. | LIVE"
    assert evidence == "Two dogs run on the sand. The sea is calm. | PHOTO: A. N. Other"


def test_absent_photos_are_zeros_and_masked(builder):
    pixels, mask = builder.photos([None, Image.new("RGB", (50, 40), "white")])
    assert mask.tolist() == [False, True]
    assert pixels.shape == (2, 3, 32, 32)
    assert not pixels[0].any()
    torch.testing.assert_close(pixels[1], torch.ones(3, 32, 32))
