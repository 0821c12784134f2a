"""Texts and photos become tensors the same way wherever they are read."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image

from factcheck.data.transforms import ImageTransform
from factcheck.errors import InputError
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


@pytest.mark.parametrize("claim", [61, 62, 63, 64])
def test_claims_that_would_leave_no_room_for_evidence_are_refused(builder, claim):
    with pytest.raises(InputError, match=f"max_claim_tokens is {claim} of max_length 64.* give at most 60"):
        InputBuilder(builder.tokenizer, 64, claim)


def test_the_longest_claim_allowed_leaves_one_token_of_evidence(builder):
    encoded = InputBuilder(builder.tokenizer, 64, 60).texts([TextRow("word " * 400, ["evidence " * 400])])
    assert encoded["input_ids"].shape == (1, 64)


def test_threads_make_the_same_inputs_as_one(builder):
    batches = [ROWS[:1], ROWS[1:2], ROWS[2:3], ROWS[:3]] * 10
    expected = [builder.texts(rows)["input_ids"] for rows in batches]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda rows: builder.texts(rows)["input_ids"], batches))
    finally:
        sys.setswitchinterval(interval)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_copies_make_the_same_inputs(builder):
    for other in (copy.copy(builder), copy.deepcopy(builder), pickle.loads(pickle.dumps(builder))):
        assert torch.equal(other.texts(ROWS)["input_ids"], builder.texts(ROWS)["input_ids"])
