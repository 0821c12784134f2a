"""Progress where output goes to a file: lines that a log can hold."""

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from factcheck.commands import common
from factcheck.training.callbacks import ProgressLines


def test_lines_say_how_far_and_how_long(monkeypatch, capsys):
    clock = iter([0.0, 30.0, 60.0, 100.0, 180.0])
    monkeypatch.setattr(common.time, "monotonic", lambda: next(clock))
    with common.progress_bar("verifying", resumes=True) as update:
        update(200, 1000)  # a resumed run
        update(400, 1000)  # 60 s: 200 rows
        update(500, 1000)  # 40 s after the last line: silence
        update(800, 1000)  # 180 s: 600 rows
    assert capsys.readouterr().err.splitlines() == [
        "verifying: resuming after 200 rows of 1000",
        "verifying: 400 of 1000, 3 min left",
        "verifying: 800 of 1000, 1 min left",
    ]


def test_lines_without_a_known_total(monkeypatch, capsys):
    clock = iter([0.0, 61.0])
    monkeypatch.setattr(common.time, "monotonic", lambda: next(clock))
    with common.progress_bar("encoding") as update:
        update(200, None)
    assert capsys.readouterr().err == "encoding: started\nencoding: 200\n"


def test_a_new_run_says_how_much_there_is_to_do(monkeypatch, capsys):
    monkeypatch.setattr(common.time, "monotonic", lambda: 0.0)
    with common.progress_bar("verifying", resumes=True) as update:
        update(0, 1000)
        update(256, 1000)
    assert capsys.readouterr().err == "verifying: 0 of 1000\n"


class _Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, _index):
        loss = self.layer(batch).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, _index):
        self.log("val/loss", self.layer(batch).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def _trainer(folder, *callbacks, **limits):
    return pl.Trainer(
        logger=False,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
        **limits,
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_training_prints_lines_unless_a_bar_can_be_seen(monkeypatch, capsys, tmp_path, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    data = DataLoader(torch.ones(6, 1), batch_size=2)
    trainer = _trainer(tmp_path, ProgressLines(seconds=0.0), max_epochs=1)
    trainer.fit(_Line(), data, data)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    if terminal:
        assert lines == []
    else:
        assert lines[0].startswith("step 1 of 3 (epoch 0), train/loss ")
        assert lines[0].endswith("0 min left")
        assert lines[-1].startswith("step 3: val/loss ")


def test_lines_of_a_training_that_time_alone_ends(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)

    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.should_stop = trainer.global_step == 2

    trainer = _trainer(tmp_path, ProgressLines(seconds=0.0), Stop(), max_epochs=-1, max_time="00:00:01:00")
    trainer.fit(_Line(), DataLoader(torch.ones(6, 1), batch_size=2))
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    assert len(lines) == 2
    assert lines[1].startswith("step 2 (epoch 0), train/loss ")
    assert "left" not in lines[1]
