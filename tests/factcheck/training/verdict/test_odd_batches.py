"""Validation batches without photos, and a construction that is refused in time."""

import pytest
import torch
from torch.utils.data import DataLoader
from training_parts import data, module, trainer

from factcheck.errors import InputError
from factcheck.training.verdict.losses import UNLABELLED


def test_a_validation_batch_without_a_pair_of_photos_counts_for_the_stance_alone(tiny_bert, factify_folder, tmp_path):
    model, source = module(tiny_bert), data(factify_folder, tiny_bert)
    run = trainer(tmp_path)
    whole = run.validate(model, source, verbose=False)[0]

    def alone(batch):  # a second batch, whose rows have one photo each
        less = dict(batch, claim_image_mask=torch.zeros_like(batch["claim_image_mask"]))
        return less | {name: torch.full_like(batch[name], UNLABELLED) for name in ("label", "relation")}

    loader = source.val_dataloader()
    batches = [each for batch in loader for each in (alone(batch), batch)]
    found = run.validate(model, DataLoader(batches, batch_size=None), verbose=False)[0]
    assert found["val/weighted_f1"] == pytest.approx(whole["val/weighted_f1"])
    assert found["val/image_accuracy"] == pytest.approx(whole["val/image_accuracy"])


def test_rows_longer_than_the_text_model_reads_are_refused_when_the_module_is_made(tiny_bert):
    with pytest.raises(InputError, match="max_length is 300, but the text model has positions for 256 tokens"):
        module(tiny_bert, max_length=300)
