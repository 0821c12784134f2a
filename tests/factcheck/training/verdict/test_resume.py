"""A resumed training goes on as the whole one would have: at a validation, at an epoch's end, and only with what it was begun with."""

import subprocess
import sys
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from training_parts import data, module, trainer

from factcheck.errors import InputError
from factcheck.training.callbacks import StopWhenAsked, TrainingStopped


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


@pytest.mark.slow
@pytest.mark.parametrize(("hook", "accumulate"), [("train", 1), ("validation", 1), ("train", 2)])
def test_a_run_that_was_asked_to_stop_goes_on_as_the_whole(hook, accumulate, tiny_bert, factify_folder, tmp_path):
    settings = {"max_steps": 4, "val_check_interval": 2 * accumulate, "accumulate_grad_batches": accumulate}
    settings |= {"enable_checkpointing": False, "num_sanity_val_steps": 0}
    measured, asked = [], []

    class Watch(pl.Callback):
        def on_validation_end(self, trainer, *_):
            measured.append((trainer.global_step, float(trainer.callback_metrics["val/loss"])))

    def ask(self, trainer, *_):  # during the second step, or the validation after it
        asked.append(trainer.global_step == 2 if hook == "validation" else trainer.global_step >= 1)

    note = type("Note", (pl.Callback,), {f"on_{hook}_batch_end": ask})()
    whole = module(tiny_bert, learning_rate=1e-2, text_learning_rate=1e-2)
    trainer(tmp_path, callbacks=[Watch()], **settings).fit(whole, data(factify_folder, tiny_bert))
    expected = list(measured)
    measured.clear()
    first = module(tiny_bert, learning_rate=1e-2, text_learning_rate=1e-2)
    run = trainer(tmp_path, callbacks=[note, Watch(), StopWhenAsked(lambda: bool(asked) and asked[-1])], **settings)
    with pytest.raises(TrainingStopped) as stopped:
        run.fit(first, data(factify_folder, tiny_bert))
    assert stopped.value.step == (2 if hook == "validation" else 1)
    torch.manual_seed(99)
    second = module(tiny_bert, learning_rate=1e-2, text_learning_rate=1e-2)
    rest = trainer(tmp_path, callbacks=[Watch()], **settings)
    rest.fit(second, data(factify_folder, tiny_bert), ckpt_path=stopped.value.checkpoint, weights_only=True)
    assert measured == expected
    for (name, a), (_, b) in zip(whole.state_dict().items(), second.state_dict().items(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"batch_size": 5}, "written with 4 rows a batch and this run has 5"),
        ({"train": ["train.csv", "val.csv"]}, "written with 20 training rows and this run has 30"),
        ({"train": {"train.csv": 2.0}}, "written with 20 draws an epoch and this run has 40"),
    ],
)
def test_a_run_does_not_resume_with_other_batches(changed, said, tiny_bert, factify_folder, tmp_path):
    settings = {"limit_val_batches": 0, "enable_checkpointing": False}
    run = trainer(tmp_path, max_steps=1, **settings)
    run.fit(module(tiny_bert), data(factify_folder, tiny_bert))
    run.save_checkpoint(tmp_path / "part.ckpt")
    other = data(factify_folder, tiny_bert, **{"train": "train.csv", **changed})
    rest = trainer(tmp_path, max_steps=2, **settings)
    with pytest.raises(InputError, match=rf"{said}.*`init_from`"):
        rest.fit(module(tiny_bert), other, ckpt_path=tmp_path / "part.ckpt", weights_only=True)
    assert rest.global_step == 1


@pytest.mark.slow
def test_two_processes_train_without_a_flag(tiny_bert, factify_folder, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from training_parts import data, module, trainer
run = trainer({str(tmp_path)!r}, max_epochs=1, devices=2, strategy="ddp", enable_checkpointing=False)
run.fit(module({str(tiny_bert)!r}), data({str(factify_folder)!r}, {str(tiny_bert)!r}))
assert run.global_step == 3  # 5 batches between two
run.validate(datamodule=run.datamodule, model=run.lightning_module, verbose=False)
print("trained " + str(run.global_rank) + "\\n", end="", flush=True)  # in one piece: two processes write
""")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "trained 0" in done.stdout
