"""The configurations that ship: they parse, the small ones train, and what they train is exported and verifies."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
import torch
import yaml

from factcheck.cli import main
from factcheck.models.folder import load_model

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
WHOLE = sorted(path.name for path in CONFIGS.glob("*.yaml") if path.name != "base.yaml")


def overrides(text_model, folder, out):
    settings = {
        "model.network.text_model": text_model,
        "model.network.image_encoder": "twins_svt_tiny",
        "model.network.image_weights": "null",
        "model.network.fusion_dim": 32,
        "model.network.fusion_heads": 2,
        "model.network.max_length": 64,
        "model.network.max_claim_tokens": 24,
        "data.root": folder,
        "data.selection.retrieval_encoder": text_model,
        "trainer.default_root_dir": out,
        "trainer.accelerator": "cpu",
        "trainer.devices": 1,
        "trainer.strategy": "auto",
        "trainer.logger": "false",
        "trainer.callbacks": "null",
        "trainer.enable_progress_bar": "false",
    }
    return [text for name, value in settings.items() for text in (f"--{name}", str(value))]


@pytest.mark.slow
def test_the_factify2_configuration_with_tiny_models_of_the_same_classes(tiny_deberta, factify_folder, tmp_path):
    arguments = ["fit", "--config", str(CONFIGS / "factify2.yaml"), *overrides(tiny_deberta, factify_folder, tmp_path)]
    arguments += ["--model.text.freeze_embeddings", "false", "--data.num_workers", "0", "--trainer.max_steps", "2"]
    assert main([*arguments, "--trainer.limit_val_batches", "1"]) == 0
    checkpoint = next(tmp_path.rglob("*.ckpt"))
    stored = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    assert stored["text"]["gradient_checkpointing"] is True
    assert stored["network"]["text_model"] == str(tiny_deberta)
    out = tmp_path / "model"
    assert main(["export", str(checkpoint), "--out", str(out), "--dtype", "float16"]) == 0
    verdicts = tmp_path / "v.parquet"
    assert main(["verify", str(factify_folder / "val.csv"), "--model", str(out), "--out", str(verdicts)]) == 0
    assert pq.read_table(verdicts)["status"].to_pylist() == ["ok"] * 10


@pytest.mark.slow
def test_fit_export_verify_evaluate_predict(tiny_bert, factify_folder, tmp_path):
    config = ["--config", str(CONFIGS / "flickr_factify.yaml"), *overrides(tiny_bert, factify_folder, tmp_path)]
    assert main(["fit", *config, "--model.init_from", "null", "--trainer.max_epochs", "1"]) == 0
    checkpoint = str(next(tmp_path.rglob("*.ckpt")))
    out = tmp_path / "model"
    claims = factify_folder / "val.csv"
    assert main(["export", checkpoint, "--out", str(out), "--calibrate-on", str(claims), "--min-rows", "5"]) == 0
    assert json.loads((out / "calibration.json").read_text())["label"] > 0
    verdicts = tmp_path / "v.parquet"
    arguments = ["verify", str(claims), "--model", str(out), "--out", str(verdicts)]
    assert main(arguments) == 0
    assert main(["evaluate", str(verdicts), "--truth", str(claims)]) == 0

    # A flag beats what the checkpoint holds; what no flag names comes from the checkpoint.
    predicted = tmp_path / "p.parquet"
    run = [
        "predict",
        "--ckpt_path",
        checkpoint,
        *config,
        "--data.predict.claims",
        str(claims),
        "--data.predict.out",
        str(predicted),
    ]
    assert main(run) == 0
    a, b = pq.read_table(verdicts).to_pylist(), pq.read_table(predicted).to_pylist()
    assert [row["id"] for row in a] == [row["id"] for row in b]
    for x, y in zip(a, b, strict=True):
        assert x["image_similarity"] == pytest.approx(y["image_similarity"], abs=1e-5)
        assert [e["text"] for e in x["evidence"]] == [e["text"] for e in y["evidence"]]
    assert main([*run, "--data.selection.top_k", "1"]) == 0, "a second run in the same folder must not fail"
    assert {len(row["evidence"]) for row in pq.read_table(predicted).to_pylist()} == {1}


@pytest.mark.slow
def test_a_flag_beats_the_checkpoint(tiny_bert, factify_folder, tmp_path):
    from factcheck.commands.lightning import FactcheckCLI

    config = ["--config", str(CONFIGS / "flickr_factify.yaml"), *overrides(tiny_bert, factify_folder, tmp_path)]
    fit = ["fit", *config, "--model.init_from", "null", "--trainer.max_steps", "1", "--model.text.dropout", "0.25"]
    assert main([*fit, "--trainer.limit_val_batches", "0"]) == 0
    checkpoint = str(next(tmp_path.rglob("*.ckpt")))
    seen = {}

    class Spy(FactcheckCLI):
        def _run_subcommand(self, subcommand):
            seen.update(dropout=self.model.text.dropout, rate=self.model.optim.learning_rate)

    for flag, expected in (([], 0.25), (["--model.text.dropout", "0.5"], 0.5)):
        Spy(["validate", *config, "--ckpt_path", checkpoint, *flag], {})
        assert seen == {"dropout": expected, "rate": 3e-4}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_every_configuration_parses(name, tmp_path, monkeypatch, capsys):
    """Unknown keys fail, so a configuration that parses names only what exists."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:  # as the parser ends what prints and does no more
        main(["fit", "--config", str(CONFIGS / name), "--print_config"])
    printed, said = capsys.readouterr()
    assert ended.value.code in (None, 0), said[-2000:]
    config = yaml.safe_load(printed)
    assert config["trainer"]["gradient_clip_val"] == 1.0, "of base.yaml"
    assert config["trainer"]["callbacks"][0]["init_args"] == {"filename": "last", "at_epoch_end": True} | {
        "monitor": None,
        "mode": "max",
        "every_n_train_steps": None,
    }


@pytest.mark.slow
def test_the_quickstart_trains_on_the_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(CONFIGS.parent)
    run = tmp_path / "run"
    arguments = ["fit", "--config", "configs/quickstart.yaml", "--trainer.default_root_dir", str(run)]
    assert main([*arguments, "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false"]) == 0
    assert {path.name for path in run.glob("*.ckpt")} == {"best.ckpt", "last.ckpt"}
    assert (run / "csv" / "version_0" / "metrics.csv").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_checkpoint_and_its_status(number, tiny_bert, factify_folder, tmp_path):
    config = ["--config", str(CONFIGS / "flickr_factify.yaml"), *overrides(tiny_bert, factify_folder, "run")]
    fit = [*config, "--model.init_from", "null", "--trainer.max_epochs", "10000", "--trainer.limit_val_batches", "0"]
    command = [sys.executable, "-m", "factcheck", "fit", *fit, "--trainer.log_every_n_steps", "1"]
    begun = "--trainer.callbacks+=test_configurations.Begun"
    process = subprocess.Popen([*command, begun], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=with_tests())
    assert any("BEGUN" in line for line in process.stderr)
    process.send_signal(number)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 128 + number
    step = int(
        re.search(r"stopped after step (\d+); the same command with --ckpt_path run/stopped.ckpt goes on", said)[1]
    )
    assert torch.load(tmp_path / "run" / "stopped.ckpt", weights_only=True)["global_step"] == step
    resumed = [*command, "--ckpt_path", "run/stopped.ckpt", "--trainer.max_steps", str(step + 1)]
    subprocess.run(resumed, cwd=tmp_path, check=True, timeout=200, env=with_tests())


class Begun(pl.Callback):
    """Says on standard error that the second step has begun."""

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == 1:
            print("BEGUN", file=sys.stderr, flush=True)


def with_tests():
    """An environment in which this module can be imported."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}


@pytest.mark.slow
def test_null_reaches_a_field_of_a_group(tiny_bert, factify_folder, tmp_path):
    """jsonargparse makes the text "None" of it on the way down."""
    config = ["--config", str(CONFIGS / "flickr_factify.yaml"), *overrides(tiny_bert, factify_folder, tmp_path)]
    text_only = ["--model.init_from", "null", "--model.network.image_encoder", "null", "--trainer.max_steps", "1"]
    assert main(["fit", *config, *text_only, "--trainer.limit_val_batches", "0"]) == 0
    stored = torch.load(next(tmp_path.rglob("*.ckpt")), weights_only=True)
    assert stored["hyper_parameters"]["network"]["image_encoder"] is None
    assert not any(name.startswith("model.image.") for name in stored["state_dict"])


@pytest.mark.slow
def test_another_optimizer_and_schedule_take_the_place_of_the_models(tiny_bert, factify_folder, tmp_path, capsys):
    config = ["--config", str(CONFIGS / "flickr_factify.yaml"), *overrides(tiny_bert, factify_folder, tmp_path)]
    fit = ["fit", *config, "--model.init_from", "null", "--trainer.max_epochs", "1", "--trainer.limit_val_batches", "0"]
    schedule = ["--lr_scheduler", "torch.optim.lr_scheduler.ConstantLR", "--lr_scheduler.factor", "0.5"]
    assert main([*fit, "--optimizer", "torch.optim.SGD", "--optimizer.lr", "0.25", *schedule]) == 0
    group = torch.load(next(tmp_path.rglob("*.ckpt")), weights_only=True)["optimizer_states"][0]["param_groups"][0]
    assert (group["initial_lr"], group["lr"]) == (0.25, 0.125)
    assert "nesterov" in group
    assert main([*fit, *schedule]) == 2
    assert "--lr_scheduler needs --optimizer" in capsys.readouterr().err


@pytest.mark.slow
def test_an_unknown_key_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (CONFIGS / "quickstart.yaml").read_text("utf-8").replace("{learning_rate: 1.0e-4", "{learning_rat: 1.0e-4")
    Path("bad.yaml").write_text(text, "utf-8")
    assert main(["fit", "--config", "bad.yaml"]) == 2
    assert "learning_rat" in capsys.readouterr().err


@pytest.mark.slow
def test_averaged_weights_are_what_is_kept_and_resumed(tiny_bert, factify_folder, tmp_path):
    config = ["--config", str(CONFIGS / "text_only.yaml"), *overrides(tiny_bert, factify_folder, tmp_path)]
    config += ["--model.init_from", "null", "--model.network.image_encoder", "null", "--data.train", "train.csv"]
    config += ["--data.val", "val.csv", "--trainer.limit_val_batches", "1"]
    config += [
        "--trainer.callbacks+",
        "factcheck.training.callbacks.RunCheckpoint",
        "--trainer.callbacks.filename",
        "last",
    ]
    config += ["--trainer.callbacks+", "EMAWeightAveraging", "--trainer.callbacks.decay", "0.5"]
    assert main(["fit", *config, "--trainer.max_steps", "3", "--data.batch_size", "4"]) == 0
    first = torch.load(tmp_path / "last.ckpt", weights_only=True)
    averaged, current = first["state_dict"], first["current_model_state"]
    assert any(not torch.equal(averaged[name], value) for name, value in current.items())
    assert main(["export", str(tmp_path / "last.ckpt"), "--out", str(tmp_path / "m")]) == 0
    stored = load_model(tmp_path / "m")[0].state_dict()
    assert all(torch.equal(value, averaged[f"model.{name}"]) for name, value in stored.items())
    resumed = ["--ckpt_path", str(tmp_path / "last.ckpt"), "--trainer.max_steps", "5", "--data.batch_size", "4"]
    assert main(["fit", *config, *resumed]) == 0
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 5
