"""Which words claim and evidence share, as the text transformer is told."""

import pytest
import torch

from factcheck import InputError
from factcheck.models.inputs import InputBuilder, TextRow
from factcheck.models.text import load_text_model, load_tokenizer
from factcheck.models.verdict import VerdictConfig, VerdictModel
from factcheck.models.word_match import WordMatch

ROWS = [
    TextRow("Two dogs ran in 2013.", ("Three dogs run in 2014.",)),
    TextRow("Nothing in common", ("whatever else exists",)),
    TextRow("No evidence at all"),
]


@pytest.fixture(scope="module")
def builder() -> InputBuilder:
    return InputBuilder(load_tokenizer("bundled"), 48, 24, word_match=True)


def by_token(builder: InputBuilder, row: TextRow) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    encoded = builder.texts([row])
    tokens = builder.tokenizer.convert_ids_to_tokens(encoded["input_ids"][0].tolist())
    pairs = list(zip(tokens, encoded["word_match"][0].tolist(), strict=True))
    middle = tokens.index("[SEP]")
    return pairs[1:middle], pairs[middle + 1 : -1]


def test_words_that_the_other_segment_holds(builder):
    claim, evidence = by_token(builder, ROWS[0])
    assert dict(claim) == {
        "two": WordMatch.ABSENT,
        "dogs": WordMatch.WORD,
        "ran": WordMatch.ABSENT,
        "in": WordMatch.WORD,
        "2013": WordMatch.ABSENT,
        ".": WordMatch.WORD,
    }
    assert dict(evidence)["three"] == WordMatch.ABSENT
    assert dict(evidence)["dogs"] == WordMatch.WORD


def test_words_of_many_pieces_match_as_wholes_or_by_their_start(builder):
    claim, evidence = by_token(builder, TextRow("recirculated recirculating", ("recirculated",)))
    pieces = [t for t, _ in evidence]
    assert len(pieces) > 1
    whole, start = claim[: len(pieces)], claim[len(pieces) :]
    assert {m for _, m in whole} == {WordMatch.WORD}
    assert {m for _, m in start} == {WordMatch.START}
    assert {m for _, m in evidence} == {WordMatch.WORD}


def test_special_tokens_and_padding_are_neither(builder):
    encoded = builder.texts(ROWS)
    ids, match = encoded["input_ids"], encoded["word_match"]
    special = torch.isin(ids, torch.tensor(builder.tokenizer.all_special_ids))
    assert match.shape == ids.shape
    assert (match[special] == WordMatch.NONE).all()
    assert (match[~special] != WordMatch.NONE).all()
    assert (match[1][~special[1]] == WordMatch.ABSENT).all()


def test_a_row_does_not_depend_on_its_neighbours(builder):
    alone, together = builder.texts(ROWS[1:2])["word_match"][0], builder.texts(ROWS)["word_match"][1]
    assert together[: len(alone)].tolist() == alone.tolist()


def test_at_the_start_the_text_model_is_as_it_was_and_the_matches_can_be_learnt(builder):
    torch.manual_seed(0)
    text = load_text_model("bundled").eval()
    inputs = builder.texts(ROWS)
    match = inputs.pop("word_match")
    plain = VerdictModel(VerdictConfig(image_encoder=None), text).eval()
    model = VerdictModel(VerdictConfig(image_encoder=None, word_match=True), text).eval()
    torch.testing.assert_close(model.encode_text(**inputs, word_match=match), plain.encode_text(**inputs))
    model.encode_text(**inputs, word_match=match).square().sum().backward()
    gradient = model.match_embed.weight.grad
    assert (gradient[[WordMatch.ABSENT, WordMatch.WORD]].abs().sum(1) > 0).all()


def test_a_model_that_reads_matches_refuses_inputs_without_them(builder):
    model = VerdictModel(VerdictConfig(image_encoder=None, word_match=True), load_text_model("bundled"))
    inputs = builder.texts(ROWS)
    with pytest.raises(InputError, match=r"InputBuilder\(..., word_match=True\)"):
        model(inputs["input_ids"], inputs["attention_mask"])
