"""Text transformers of other families: where their tokens begin and end, how long they may be, how wide their embeddings are."""

import pytest
import torch
import transformers

from factcheck.errors import InputError
from factcheck.models.inputs import TextRow, input_builder
from factcheck.models.text import check_max_length, load_text_model, load_tokenizer
from factcheck.models.verdict import VerdictConfig, VerdictModel

SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def text_model(family, **settings):
    config = getattr(transformers, f"{family}Config")(vocab_size=200, **SIZE, **settings)
    return getattr(transformers, f"{family}Model")(config)


def test_padding_goes_to_the_end_whatever_a_tokenizer_was_saved_with(tiny_bert, tmp_path):
    left = transformers.AutoTokenizer.from_pretrained(tiny_bert, padding_side="left", truncation_side="left")
    left.save_pretrained(tmp_path / "left")
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "left").padding_side == "left"
    tokenizer = load_tokenizer(str(tmp_path / "left"))
    config = VerdictConfig(text_model=str(tiny_bert), image_encoder=None, fusion_dim=32, fusion_heads=2)
    builder = input_builder(VerdictModel(config, load_text_model(str(tiny_bert))), tokenizer)
    short, long = TextRow("a dog", ["a dog runs"]), TextRow("a dog", ["the man sits in the park near the water"])
    alone, beside = builder.texts([short])["input_ids"][0], builder.texts([short, long])["input_ids"][0]
    assert torch.equal(beside[: len(alone)], alone)
    tokenizer.save_pretrained(tmp_path / "saved")
    saved = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert (saved.padding_side, saved.truncation_side) == ("right", "right")


@pytest.mark.parametrize(("family", "limit"), [("Bert", 64), ("Roberta", 62), ("MPNet", 62), ("Electra", 64)])
def test_rows_are_no_longer_than_the_table_of_positions(family, limit, tiny_bert):
    model = text_model(family, max_position_embeddings=64, pad_token_id=1 if limit == 62 else 0)
    tokenizer = load_tokenizer(str(tiny_bert))
    check_max_length(limit, model, tokenizer)
    model(input_ids=torch.full((1, limit), 5))  # the limit is what the model itself reads
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, limit + 1), 5))
    with pytest.raises(InputError, match=f"max_length is {limit + 1}, but the text model has positions for {limit} "):
        check_max_length(limit + 1, model, tokenizer)


def test_without_a_table_of_positions_the_tokenizer_has_the_word(tiny_deberta):
    model, tokenizer = load_text_model(str(tiny_deberta)), load_tokenizer(str(tiny_deberta))
    check_max_length(5000, model, tokenizer)
    tokenizer.model_max_length = 128
    with pytest.raises(
        InputError, match="max_length is 129, but the text model's tokenizer states a limit of 128 tokens"
    ):
        check_max_length(129, model, tokenizer)


@pytest.mark.parametrize("family", ["Electra", "Albert"])
def test_word_matches_where_embeddings_are_narrower_than_hidden_states(family):
    model = text_model(family, embedding_size=16)
    config = VerdictConfig(image_encoder=None, token_relations="words", fusion_dim=32, fusion_heads=2)
    verdict = VerdictModel(config, model).eval()
    ids, ones = torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.long)
    same = verdict.encode_text(ids, ones, token_relations=torch.tensor([[0, 1, 3]]))
    assert torch.allclose(same, model(input_ids=ids, attention_mask=ones).last_hidden_state)  # zero at the start
    torch.nn.init.normal_(verdict.match_embed.weight)
    assert not torch.allclose(verdict.encode_text(ids, ones, token_relations=torch.tensor([[0, 1, 3]])), same)
