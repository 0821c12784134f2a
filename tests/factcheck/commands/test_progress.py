"""Progress where output goes to a file: lines that a log can hold."""

import json
from datetime import datetime

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from factcheck.commands import progress
from factcheck.commands.common import set_up_logging
from factcheck.training.callbacks import ProgressLines


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes as far as a test says."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    set_up_logging()

    def wait(seconds):
        now[0] += seconds

    return wait


def lines(capsys):
    return [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]


def test_lines_say_how_far_how_fast_and_how_long(clock, capsys):
    with progress.progress_bar("verifying", resumes=True, unit="row") as update:
        update(200, 1000)  # a resumed run
        clock(60)
        update(400, 1000)
        clock(40)  # silence
        update(500, 1000)
        clock(80)
        update(800, 1000)
        clock(10)
        update(1000, 1000)  # the end is told at once
    assert lines(capsys) == [
        "verifying: resuming after 200 of 1000 rows",
        "verifying: 400 of 1000 rows, 3.3 rows/s, 3 min left",
        "verifying: 800 of 1000 rows, 3.3 rows/s, 1 min left",
        "verifying: 1000 of 1000 rows, 4.2 rows/s",
    ]


def test_lines_without_a_known_total(clock, capsys):
    with progress.progress_bar("encoding") as update:
        update(0, None)
        clock(61)
        update(122, None)
    assert lines(capsys) == ["encoding: started", "encoding: 122, 2.0/s"]


def test_lines_are_stamped_or_json(clock, capsys):
    with progress.progress_bar("verifying", resumes=True, unit="row") as update:
        update(0, 1000)
    stamp, _, text = capsys.readouterr().err.partition(" ")
    assert datetime.fromisoformat(stamp).year >= 2025
    assert text == "verifying: 0 of 1000 rows\n"
    set_up_logging("json")
    with progress.progress_bar("verifying", resumes=True, unit="row") as update:
        update(0, 1000)
    said = json.loads(capsys.readouterr().err)
    assert (said["message"], said["level"]) == ("verifying: 0 of 1000 rows", "info")
    assert (said["done"], said["total"], said["task"]) == (0, 1000, "verifying")


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
    set_up_logging()
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    data = DataLoader(torch.ones(6, 1), batch_size=2)
    trainer = _trainer(tmp_path, ProgressLines(seconds=0.0), max_epochs=1)
    trainer.fit(_Line(), data, data)
    lines = [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines() if " step " in line]
    if terminal:
        assert lines == []
    else:
        assert lines[0].startswith("step 1 of 3 (epoch 0), train/loss ")
        assert lines[0].endswith("0 min left")
        assert lines[-1].startswith("step 3: val/loss ")


def test_lines_of_a_training_that_time_alone_ends(monkeypatch, capsys, tmp_path):
    set_up_logging()
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)

    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.should_stop = trainer.global_step == 2

    trainer = _trainer(tmp_path, ProgressLines(seconds=0.0), Stop(), max_epochs=-1, max_time="00:00:01:00")
    trainer.fit(_Line(), DataLoader(torch.ones(6, 1), batch_size=2))
    lines = [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines() if " step " in line]
    assert len(lines) == 2
    assert lines[1].startswith("step 2 (epoch 0), train/loss ")
    assert "left" not in lines[1]
