"""A resumed training goes on as the whole one would have: at a validation, at an epoch's end, and only with what it was begun with."""

import pytest
import pytorch_lightning as pl
import torch
from training_parts import data, module, trainer

from factcheck.errors import InputError


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path / "cache"))


class Stop(pl.Callback):
    """Writes ``part.ckpt`` after a number of steps; ends the training there unless it is to go on."""

    def __init__(self, steps, path, go_on=False):
        self.steps, self.path, self.go_on = steps, path, go_on

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.steps:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = not self.go_on


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("steps", [2, 5])  # just before a validation, and at the end of an epoch of 5 steps
def test_a_run_resumed_where_iterators_are_made_equals_the_whole(steps, workers, tiny_bert, factify_folder, tmp_path):
    settings = {"max_steps": 8, "val_check_interval": 2, "enable_checkpointing": False, "num_sanity_val_steps": 0}
    whole, path = module(tiny_bert, learning_rate=1e-2, text_learning_rate=1e-2), tmp_path / "part.ckpt"
    run = trainer(tmp_path, callbacks=[Stop(steps, path, go_on=True)], **settings)
    run.fit(whole, data(factify_folder, tiny_bert, num_workers=workers))
    torch.manual_seed(99)
    second = module(tiny_bert, learning_rate=1e-2, text_learning_rate=1e-2)
    rest = trainer(tmp_path, **settings)
    rest.fit(second, data(factify_folder, tiny_bert, num_workers=workers), ckpt_path=path, weights_only=True)
    assert rest.global_step == 8
    for (name, a), (_, b) in zip(whole.state_dict().items(), second.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
