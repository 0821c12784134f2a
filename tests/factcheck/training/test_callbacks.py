"""Trainings that diverge, settings that make no sense, and checkpoints that are about to be replaced."""

import json

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader
from training_parts import data, module, trainer

from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.models.folder import not_finite
from factcheck.training.callbacks import OverwriteWarning
from factcheck.training.images.module import ImagePretrainModule
from factcheck.training.options import plain_settings
from factcheck.training.verdict.checkpoint import load_checkpoint
from factcheck.training.verdict.optim import TextOptions


def spoil(model):
    with torch.no_grad():
        model.model.stance_head.weight[0, 0] = float("nan")
    return model


@pytest.mark.slow
def test_a_training_that_diverges_stops_and_spoils_no_checkpoint(tiny_bert, factify_folder, tmp_path):
    kept = ModelCheckpoint(
        dirpath=tmp_path / "run", filename="best", save_last=True, every_n_train_steps=1, enable_version_counter=False
    )
    run = trainer(tmp_path, max_epochs=4, callbacks=[kept], limit_val_batches=0)
    # The clipped rate still makes the first step a small one, the second not.
    with pytest.raises(
        InputError, match=r"(training loss is (nan|inf) at step|diverged by step) \d+.*lower the learning"
    ):
        run.fit(module(tiny_bert, learning_rate=1e38, warmup=0.5), data(factify_folder, tiny_bert))
    assert run.global_step < 20
    for path in (tmp_path / "run").glob("*.ckpt"):
        assert not_finite(torch.load(path, weights_only=True)["state_dict"]) is None


@pytest.mark.slow
def test_a_loss_that_is_no_number_changes_no_weight(tiny_bert, factify_folder, tmp_path):
    model = spoil(module(tiny_bert))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InputError, match="the training loss is nan at step 0; lower the learning rates"):
        trainer(tmp_path, max_steps=2, limit_val_batches=0, enable_checkpointing=False).fit(
            model, data(factify_folder, tiny_bert)
        )
    assert all(value.equal(before[n]) for n, value in model.state_dict().items() if n != "model.stance_head.weight")


def test_a_validation_loss_that_is_no_number_stops_the_training(tiny_bert, factify_folder, tmp_path):
    run = trainer(tmp_path, max_steps=2, enable_checkpointing=False)
    with pytest.raises(InputError, match="the validation loss is nan after 0 steps"):
        run.fit(spoil(module(tiny_bert)), data(factify_folder, tiny_bert))


def test_a_checkpoint_is_not_replaced_by_one_that_holds_nan(tiny_bert, factify_folder, tmp_path):
    run = trainer(tmp_path, max_steps=1, enable_checkpointing=False)
    model, path = module(tiny_bert), tmp_path / "best.ckpt"
    run.strategy.connect(model)
    model.trainer = run
    run.save_checkpoint(path, weights_only=True)
    before = path.read_bytes()
    spoil(model)
    with pytest.raises(
        InputError, match=r"no checkpoint is written: the tensor 'model\.stance_head\.weight' holds NaN"
    ):
        run.save_checkpoint(path, weights_only=True)
    assert path.read_bytes() == before


def test_a_checkpoint_with_nan_is_not_exported(tiny_bert, tmp_path, capsys):
    model, path = spoil(module(tiny_bert)), tmp_path / "bad.ckpt"
    content = {"state_dict": model.state_dict(), "hyper_parameters": plain_settings(model.hparams)}
    torch.save(content, path)
    with pytest.raises(InputError, match=r"bad\.ckpt': the tensor 'model\.stance_head\.weight' holds NaN"):
        load_checkpoint(path)
    assert main(["export", str(path), "--out", str(tmp_path / "m")]) == 2
    assert "'model.stance_head.weight' holds NaN or infinity" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()
    started = module(tiny_bert, init_from=str(path))
    started.trainer = trainer(tmp_path)
    with pytest.raises(InputError, match=r"init_from: the tensor 'stance_head\.weight'"):
        started.setup("fit")


@pytest.mark.parametrize("value", [-1e-3, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "image_learning_rate", "label_weight"])
def test_rates_and_weights_are_numbers_of_at_least_zero(tiny_bert, name, value):
    with pytest.raises(InputError, match=f"`{name}` is {value}, expected a number of at least 0"):
        module(tiny_bert, **{name: value})


def test_other_settings_out_of_range():
    with pytest.raises(InputError, match=r"`text.dropout` is 1.5, expected a number in \[0, 1\)"):
        TextOptions(dropout=1.5)
    with pytest.raises(InputError, match="`learning_rate` is -1, expected a number of at least 0"):
        ImagePretrainModule(learning_rate=-1)


def test_checkpoints_of_an_earlier_run_are_named_before_they_are_replaced(tiny_bert, tmp_path, caplog):
    def warned(ckpt_path=None, **options):
        run = trainer(tmp_path, callbacks=[ModelCheckpoint(dirpath=tmp_path / "run", **options)])
        run.ckpt_path = ckpt_path
        caplog.clear()
        OverwriteWarning().on_fit_start(run, module(tiny_bert))
        return caplog.text

    assert warned(enable_version_counter=False) == ""
    (tmp_path / "run").mkdir()
    for name in ("best.ckpt", "last.ckpt"):
        (tmp_path / "run" / name).touch()
    said = warned(enable_version_counter=False)
    assert said.count("\n") == 1
    assert f"{str(tmp_path / 'run')!r} holds checkpoints of an earlier run (best.ckpt, last.ckpt)" in said
    assert warned(enable_version_counter=False, ckpt_path=tmp_path / "elsewhere.ckpt") == said
    assert warned(enable_version_counter=False, ckpt_path=tmp_path / "run" / "last.ckpt") == ""
    assert warned() == "", "with a counter nothing is replaced"


@pytest.mark.slow
def test_fit_warns_of_a_second_run_and_not_of_a_resumed_one(tiny_bert, tiny_model, factify_folder, tmp_path, capsys):
    folder = tmp_path / "run"
    network = {"text_model": str(tiny_bert), "image_weights": None, "token_relations": None}
    network |= {"max_length": 64, "max_claim_tokens": 24, "fusion_dim": 32, "fusion_heads": 2}
    settings = {"network": network, "init_from": str(tiny_model)}
    checkpoint = {"dirpath": str(folder), "filename": "best", "save_last": True, "enable_version_counter": False}
    config = {
        "model": {"class_path": "factcheck.training.verdict.module.VerdictModule", "init_args": settings},
        "data": {
            "class_path": "factcheck.training.verdict.data.VerdictDataModule",
            "init_args": {
                "root": str(factify_folder),
                "selection": {"retrieval_encoder": str(tiny_bert)},
                "batch_size": 4,
            },
        },
        "trainer": {
            **{"default_root_dir": str(folder), "accelerator": "cpu", "logger": False, "max_steps": 1},
            **{"enable_progress_bar": False, "limit_val_batches": 1, "num_sanity_val_steps": 0},
            "callbacks": [{"class_path": "pytorch_lightning.callbacks.ModelCheckpoint", "init_args": checkpoint}],
        },
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    fit = ["fit", "--config", str(tmp_path / "c.yaml")]
    assert main(fit) == 0
    assert "warning" not in capsys.readouterr().err
    assert main(fit) == 0
    said = capsys.readouterr().err
    assert "holds checkpoints of an earlier run (best.ckpt, last.ckpt)" in said
    assert "is not empty" not in said
    # What the first run started from is not asked for: the checkpoint has all weights.
    resume = ["--ckpt_path", str(folder / "last.ckpt"), "--model.init_from", str(tmp_path / "gone")]
    assert main([*fit, *resume, "--trainer.max_steps", "2"]) == 0
    assert "earlier run" not in capsys.readouterr().err
    assert torch.load(folder / "last.ckpt", weights_only=True)["global_step"] == 2


def test_a_schedule_needs_a_number_of_steps(tiny_bert, factify_folder, tmp_path):
    endless = {"max_epochs": -1, "max_time": "00:00:01:00", "enable_checkpointing": False, "num_sanity_val_steps": 0}
    with pytest.raises(InputError, match=r"number of steps, which is unknown .*`max_steps` or `max_epochs`"):
        trainer(tmp_path, **endless).fit(module(tiny_bert), data(factify_folder, tiny_bert))
    photos = ImagePretrainModule(sizes=[32])
    batches = DataLoader(torch.zeros(4, 3, 48, 48, dtype=torch.uint8), batch_size=2)
    with pytest.raises(InputError, match="which is unknown with max_epochs -1"):
        trainer(tmp_path, **endless, limit_val_batches=0).fit(photos, batches)
