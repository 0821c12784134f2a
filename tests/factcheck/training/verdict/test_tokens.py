"""Cached tokens give the batches that tokenizing gives, whatever was changed on the way."""

import pytest
import torch
from training_parts import data, module, trainer
from transformers import AutoTokenizer

from factcheck.models.inputs import InputBuilder, TextRow
from factcheck.training.verdict import tokens
from factcheck.training.verdict.tokens import cached_tokens

ROWS = [
    TextRow(f"the dog {i} runs", (f"a report says {i} dogs sleep. " * (i % 7 + 1),), "", "news") for i in range(600)
]


@pytest.mark.parametrize("relations", [None, "words", "typed"])
def test_batches_are_those_that_a_builder_makes(relations, tiny_bert):
    builder = InputBuilder(AutoTokenizer.from_pretrained(tiny_bert), 48, 24, token_relations=relations)
    kept = cached_tokens(ROWS, builder)
    assert len(kept) == len(ROWS)
    numbers = [5, 599, 256, 0]
    expected = builder.texts([ROWS[n] for n in numbers])
    found = kept.batch(numbers)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    changed = [TextRow("two cats", ("no cat eats bread " * 9,)), TextRow("a cat")]
    expected = builder.texts([changed[0], ROWS[3], changed[1]])
    found = kept.batch([None, 3, None], builder.texts(changed))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_they_are_made_once_for_the_same_texts_and_builder(tiny_bert, monkeypatch):
    tokenizer, made = AutoTokenizer.from_pretrained(tiny_bert), []
    write = tokens._write
    monkeypatch.setattr(tokens, "_write", lambda folder, *rest: made.append(folder) or write(folder, *rest))
    for rows, length in ((ROWS, 48), (ROWS, 48), (ROWS, 40), (ROWS[1:], 48)):
        cached_tokens(rows, InputBuilder(tokenizer, length, 24))
    assert len(made) == len(set(made)) == 3


@pytest.mark.slow
def test_a_training_on_kept_tokens_is_the_same_training(tiny_bert, factify_folder, tmp_path):
    weights = []
    for kept in (False, True):
        model = module(tiny_bert, learning_rate=1e-2, text_learning_rate=1e-2, token_relations="words")
        run = trainer(tmp_path, max_epochs=2, limit_val_batches=0, enable_checkpointing=False)
        source = data(
            factify_folder, tiny_bert, cache_tokens=kept, distractors=0.3, own_evidence=0.3, num_workers=int(kept)
        )
        run.fit(model, source)
        weights.append(model.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(*(w.values() for w in weights), strict=True))
