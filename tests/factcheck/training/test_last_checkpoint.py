"""Whatever the best was, ``last.ckpt`` of every configuration is where its training ended."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from torch.utils.data import DataLoader

from factcheck.training.callbacks import RunCheckpoint

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


class Worsening(pl.LightningModule):
    """One number, and a figure of validation that falls from the first one on."""

    def __init__(self, figure):
        super().__init__()
        self.figure, self.weight, self.value = figure, torch.nn.Parameter(torch.zeros(1)), 1.0

    def training_step(self, batch, _index):
        return (self.weight - batch.float()).square().mean()

    def validation_step(self, batch, _index):
        self.log(self.figure, self.value)

    def on_validation_epoch_end(self):
        self.value -= 0.1

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def callbacks_of(config):
    kinds = {kind.__name__: kind for kind in (RunCheckpoint, EarlyStopping, EMAWeightAveraging)}
    base = yaml.safe_load((CONFIGS / "base.yaml").read_text("utf-8"))
    for entry in (*base["trainer"]["callbacks"], *config["trainer"].get("callbacks+", ())):
        yield kinds[entry["class_path"].rsplit(".", 1)[1]](**entry["init_args"])


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.yaml") if path.name != "base.yaml"))
@pytest.mark.parametrize("length", [{"max_epochs": 2}, {"max_steps": 9}])  # of 7 steps an epoch
def test_last_is_the_end_of_training_and_best_the_best(name, length, tmp_path):
    config = yaml.safe_load((CONFIGS / name).read_text("utf-8"))
    callbacks = list(callbacks_of(config))
    monitored = [c for c in callbacks if isinstance(c, ModelCheckpoint) and c.monitor]
    kept = {key: config["trainer"][key] for key in ("val_check_interval",) if key in config["trainer"]}
    run = pl.Trainer(
        **{"default_root_dir": tmp_path, "accelerator": "cpu", "logger": False, "callbacks": callbacks},
        **{"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0},
        **{**kept, **length},
    )
    loader = DataLoader(torch.arange(7), batch_size=1)
    run.fit(Worsening(monitored[0].monitor if monitored else "val/figure"), loader, DataLoader(torch.arange(2)))
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == run.global_step
    if monitored:
        interval = kept.get("val_check_interval", 1.0)
        assert torch.load(tmp_path / "best.ckpt", weights_only=True)["global_step"] == int(7 * interval)
        assert callbacks[-1].filename == "best", "--trainer.callbacks.… sets the last"
