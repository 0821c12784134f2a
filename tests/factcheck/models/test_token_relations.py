"""How claim and evidence stand to each other word by word and value by value, as the text transformer is told."""

import json

import pytest
import torch

from factcheck import InputError
from factcheck.differences import TokenRelation
from factcheck.models.folder import load_model, save_model
from factcheck.models.inputs import InputBuilder, TextRow
from factcheck.models.text import load_text_model, load_tokenizer
from factcheck.models.verdict import VerdictConfig, VerdictModel
from factcheck.models.weights import load_compatible_weights

ROWS = [
    TextRow("Two dogs ran in 2013.", ("Three dogs run in 2014.",)),
    TextRow("Nothing in common", ("whatever else exists",)),
    TextRow("No evidence at all"),
]


@pytest.fixture(scope="module")
def builder() -> InputBuilder:
    return InputBuilder(load_tokenizer("bundled"), 48, 24, token_relations="words")


def by_token(builder: InputBuilder, row: TextRow) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    encoded = builder.texts([row])
    tokens = builder.tokenizer.convert_ids_to_tokens(encoded["input_ids"][0].tolist())
    pairs = list(zip(tokens, encoded["token_relations"][0].tolist(), strict=True))
    middle = tokens.index("[SEP]")
    return pairs[1:middle], pairs[middle + 1 : -1]


def test_words_that_the_other_segment_holds(builder):
    claim, evidence = by_token(builder, ROWS[0])
    assert dict(claim) == {
        "two": TokenRelation.ABSENT,
        "dogs": TokenRelation.WORD,
        "ran": TokenRelation.ABSENT,
        "in": TokenRelation.WORD,
        "2013": TokenRelation.ABSENT,
        ".": TokenRelation.WORD,
    }
    assert dict(evidence)["three"] == TokenRelation.ABSENT
    assert dict(evidence)["dogs"] == TokenRelation.WORD


def test_words_of_many_pieces_match_as_wholes_or_by_their_start(builder):
    claim, evidence = by_token(builder, TextRow("recirculated recirculating", ("recirculated",)))
    pieces = [t for t, _ in evidence]
    assert len(pieces) > 1
    whole, start = claim[: len(pieces)], claim[len(pieces) :]
    assert {m for _, m in whole} == {TokenRelation.WORD}
    assert {m for _, m in start} == {TokenRelation.START}
    assert {m for _, m in evidence} == {TokenRelation.WORD}


def test_special_tokens_and_padding_are_neither(builder):
    encoded = builder.texts(ROWS)
    ids, match = encoded["input_ids"], encoded["token_relations"]
    special = torch.isin(ids, torch.tensor(builder.tokenizer.all_special_ids))
    assert match.shape == ids.shape
    assert (match[special] == TokenRelation.NONE).all()
    assert (match[~special] != TokenRelation.NONE).all()
    assert (match[1][~special[1]] == TokenRelation.ABSENT).all()


def test_a_row_does_not_depend_on_its_neighbours(builder):
    alone, together = builder.texts(ROWS[1:2])["token_relations"][0], builder.texts(ROWS)["token_relations"][1]
    assert together[: len(alone)].tolist() == alone.tolist()


def test_at_the_start_the_text_model_is_as_it_was_and_the_matches_can_be_learnt(builder):
    torch.manual_seed(0)
    text = load_text_model("bundled").eval()
    inputs = builder.texts(ROWS)
    match = inputs.pop("token_relations")
    plain = VerdictModel(VerdictConfig(image_encoder=None), text).eval()
    model = VerdictModel(VerdictConfig(image_encoder=None, token_relations="words"), text).eval()
    torch.testing.assert_close(model.encode_text(**inputs, token_relations=match), plain.encode_text(**inputs))
    model.encode_text(**inputs, token_relations=match).square().sum().backward()
    gradient = model.match_embed.weight.grad
    assert (gradient[[TokenRelation.ABSENT, TokenRelation.WORD]].abs().sum(1) > 0).all()


def test_a_model_that_reads_matches_refuses_inputs_without_them(builder):
    model = VerdictModel(VerdictConfig(image_encoder=None, token_relations="words"), load_text_model("bundled"))
    inputs = builder.texts(ROWS)
    with pytest.raises(InputError, match=r"InputBuilder\(..., token_relations='words'\)"):
        model(inputs["input_ids"], inputs["attention_mask"])


@pytest.fixture(scope="module")
def typed() -> InputBuilder:
    return InputBuilder(load_tokenizer("bundled"), 48, 24, token_relations="typed")


def test_values_carry_their_own_codes_and_other_words_keep_theirs(typed, builder):
    row = TextRow(
        "The dam holds 1.5 million litres.", ("It rains.", "The dam holds 1,500,000 litres, and cost 2 million euros.")
    )
    claim, evidence = by_token(typed, row)
    assert [t for t, code in claim if code == TokenRelation.VALUE_EQUAL] == ["1", ".", "5", "million", "litres"]
    assert [t for t, code in evidence if code == TokenRelation.VALUE_EQUAL][:2] == ["1", ","]
    assert [t for t, code in evidence if code == TokenRelation.VALUE_ABSENT] == ["2", "million", "euros"]
    plain = [code for _, code in (*by_token(builder, row)[0], *by_token(builder, row)[1])]
    told = [code for _, code in (*claim, *evidence)]
    assert all(b in (a, *range(4, 15)) for a, b in zip(plain, told, strict=True))


def test_a_row_of_typed_relations_does_not_depend_on_its_neighbours(typed):
    rows = [*ROWS, TextRow("Anna beat Paul 3-1.", ("Paul beat Anna.",), document_ocr="3-1")]
    alone, together = typed.texts(rows[3:])["token_relations"][0], typed.texts(rows)["token_relations"][3]
    assert together[: len(alone)].tolist() == alone.tolist()
    assert TokenRelation.ROLE_SWAPPED in alone


def test_a_cut_claim_has_relations_for_what_is_left_of_it(typed):
    long = TextRow("word " * 60 + "5 km", ("5 km " * 60,), claim_ocr="7 km")
    encoded = typed.texts([long])
    assert encoded["token_relations"].shape == encoded["input_ids"].shape


def settings(kind, fusion=32):
    return VerdictConfig(image_encoder=None, token_relations=kind, fusion_dim=fusion, fusion_heads=2)


def test_a_model_told_of_words_goes_on_as_one_told_of_values(tmp_path, typed):
    words = VerdictModel(settings("words"), load_text_model("bundled")).eval()
    torch.nn.init.normal_(words.match_embed.weight)
    folder = save_model(words, tmp_path / "words", preprocessing={})
    model = VerdictModel(settings("typed"), load_text_model("bundled")).eval()
    _, left = load_compatible_weights(model, folder)
    assert left == 0
    weight = model.match_embed.weight
    assert torch.equal(weight[:4], words.match_embed.weight)
    assert torch.equal(weight[TokenRelation.VALUE_EQUAL], weight[TokenRelation.WORD])
    assert torch.equal(weight[TokenRelation.VALUE_CONFLICTING], weight[TokenRelation.ABSENT])
    again = load_model(save_model(model, tmp_path / "typed", preprocessing={}))[0]
    assert torch.equal(again.match_embed.weight, weight)
    assert again.config.token_relations == "typed"


@pytest.mark.parametrize(("stored", "kind"), [(True, "words"), (False, None)])
def test_a_folder_that_an_earlier_release_wrote_is_read(tmp_path, stored, kind):
    folder = save_model(VerdictModel(settings(kind), load_text_model("bundled")), tmp_path / "old", preprocessing={})
    config = json.loads((folder / "config.json").read_text())
    del config["model"]["token_relations"]
    config["model"]["word_match"] = stored
    (folder / "config.json").write_text(json.dumps(config))
    assert load_model(folder)[0].config.token_relations == kind


def test_unknown_relations_are_refused():
    with pytest.raises(InputError, match="`token_relations` is 'names', expected one of words, typed"):
        settings("names")
