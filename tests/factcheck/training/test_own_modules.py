"""Modules and data of one's own from the working folder: they train, are exported by name, and hostile checkpoints run nothing."""

import importlib.util
import json
import sys

import pytest
import torch

from factcheck.cli import main

OWN = """
from pathlib import Path
from factcheck.training.verdict.data import VerdictDataModule
from factcheck.training.verdict.module import VerdictModule

class Louder(VerdictModule):
    def __init__(self, gain: float = 2.0, **options):
        super().__init__(**options)
        self.gain = gain
        self.save_hyperparameters()

    def training_step(self, batch, index):
        return self.gain * super().training_step(batch, index)

class Half(VerdictDataModule):
    def rows(self, name):
        return super().rows(name)[::2]
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A working folder with the module, which no later test sees."""
    (tmp_path / "own_louder.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield tmp_path
    sys.modules.pop("own_louder", None)


@pytest.mark.slow
def test_classes_of_the_working_folder_train_and_are_exported(own, tiny_bert, factify_folder, capsys):
    network = {"text_model": str(tiny_bert), "image_encoder": None, "image_weights": None, "fusion_dim": 32}
    network |= {"fusion_heads": 2, "max_length": 64, "max_claim_tokens": 24}
    source = {"root": str(factify_folder), "selection": {"retrieval_encoder": str(tiny_bert)}, "batch_size": 4}
    config = {
        "model": {"class_path": "own_louder.Louder", "init_args": {"network": network, "gain": 3.0}},
        "data": {"class_path": "own_louder.Half", "init_args": source},
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "logger": False, "default_root_dir": "run"},
    }
    (own / "c.yaml").write_text(json.dumps(config))
    assert main(["fit", "--config", "c.yaml", "--trainer.enable_progress_bar", "false"]) == 0
    stored = torch.load("run/last.ckpt", weights_only=True)
    assert stored["global_step"] == 3  # ten of twenty rows, by four
    assert stored["hyper_parameters"]["gain"] == 3.0
    capsys.readouterr()
    assert main(["export", "run/last.ckpt", "--out", "m"]) == 2
    said = capsys.readouterr().err
    assert "is of own_louder.Louder, not of" in said
    assert "(--module own_louder.Louder)" in said
    assert main(["export", "run/last.ckpt", "--out", "m", "--module", "json.JSONDecoder"]) == 2
    assert "--module 'json.JSONDecoder' is not a subclass of VerdictModule" in capsys.readouterr().err
    assert main(["export", "run/last.ckpt", "--out", "m", "--module", "own_louder.Louder"]) == 0
    assert main(["verify", str(factify_folder / "val.csv"), "--model", "m", "--out", "v.csv"]) == 0


class Hostile:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return open, ("ran.txt", "w")


@pytest.mark.parametrize("command", ["fit", "validate", "predict", "export"])
def test_a_hostile_checkpoint_runs_nothing(command, own, capsys):
    config = {
        "model": {"class_path": "factcheck.training.verdict.module.VerdictModule"},
        "data": {"class_path": "factcheck.training.verdict.data.VerdictDataModule", "init_args": {"root": "."}},
    }
    (own / "c.yaml").write_text(json.dumps(config))
    torch.save({"state_dict": {"x": torch.zeros(1)}, "hyper_parameters": {"a": Hostile()}}, "evil.ckpt")
    for path in ("evil.ckpt", f"file://{own}/evil.ckpt", "http://127.0.0.1:9/evil.ckpt"):
        arguments = ["--config", "c.yaml", "--ckpt_path", path] if command != "export" else [path, "--out", "m"]
        assert main([command, *arguments]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert "is not a checkpoint" in said or "is an address" in said or "no such file" in said
    assert not (own / "ran.txt").exists()


@pytest.mark.slow
def test_a_logger_whose_package_is_missing_is_one_line(own, capsys):
    if importlib.util.find_spec("wandb"):
        pytest.skip("wandb is installed")
    (own / "c.yaml").write_text(
        json.dumps(
            {
                "model": {"class_path": "factcheck.training.verdict.module.VerdictModule"},
                "data": {"class_path": "factcheck.training.verdict.data.VerdictDataModule", "init_args": {"root": "."}},
            }
        )
    )
    assert main(["fit", "--config", "c.yaml", "--trainer.logger", "WandbLogger"]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Seed")]
    assert len(said) == 1
    assert "needs the package 'wandb', which is not installed; install it (python -m pip install wandb)" in said[0]
