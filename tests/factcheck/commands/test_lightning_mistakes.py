"""Mistakes in training commands: one line that names the key, no usage pages, no traceback, nothing left behind."""

from pathlib import Path

import pytest

from factcheck.cli import main
from factcheck.commands.lightning_errors import explain, root_cause
from factcheck.errors import InputError

CONFIG = """
model:
  class_path: factcheck.training.verdict.module.VerdictModule
data:
  class_path: factcheck.training.verdict.data.VerdictDataModule
  init_args: {root: .}
trainer: {default_root_dir: .}
"""


def mistake(capsys, *arguments):
    status = main([*arguments])
    err = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Seed set")]
    assert status == 2
    assert len(err) == 1, err
    return err[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "fit: give --config FILE, for example --config configs/quickstart.yaml"),
        (["--config=nowhere.yaml"], "configuration 'nowhere.yaml': no such file"),
        (["--data.root", "x"], "'root' belongs to a class that nothing names: give --config FILE"),
        (["-c", "c.yaml", "--data.root", "/no/where"], "data root '/no/where' is no folder; give the folder"),
        (["-c", "c.yaml", "--data.batch_size", "-1"], "batch_size must be at least 1, found -1"),
        (["-c", "c.yaml", "--data.num_workers", "-1"], "num_workers must be at least 0, found -1"),
        (["-c", "c.yaml", "--model.layer_decay", "7"], "layer_decay must lie in (0, 1], found 7.0"),
        (["-c", "c.yaml", "--model.learning_rate", "-1"], "learning_rate must be a number of at least 0, found -1.0"),
        (["-c", "c.yaml", "--model.text_learning_rate", ".nan"], "text_learning_rate must be a number of at least 0"),
        (["-c", "c.yaml", "--model.label_smoothing", "1"], "label_smoothing must lie in [0, 1), found 1.0"),
        (["-c", "c.yaml", "--model.stance_weight", "-0.5"], "stance_weight must be a number of at least 0, found -0.5"),
        (["-c", "c.yaml", "--modle.x", "3"], "unknown argument '--modle.x'"),
        (
            ["-c", "c.yaml", "--model.learnin_rate", "1"],
            "'learnin_rate' is not accepted; did you mean 'learning_rate'?",
        ),
        (["-c", "c.yaml", "--trainer.max_epochs", "x"], "\"trainer.max_epochs\": expected int, found 'x'"),
        (["-c", "c.yaml", "--ckpt_path", "c.yaml"], "--ckpt_path 'c.yaml' is no checkpoint; give a .ckpt file"),
        (["-c", "c.yaml", "--ckpt_path", "gone.ckpt"], "--ckpt_path 'gone.ckpt': no such file"),
        (["-c", "c.yaml", "--trainer.accelerator", "warp"], "warp"),
    ],
)
def test_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    assert message in mistake(capsys, "fit", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"], "nothing is left behind"


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_random_weights_are_not_judged_by(command, tmp_path, capsys):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    wanted = f"{command}: no weights, the model would be random; give --ckpt_path FILE.ckpt or --model.init_from MODEL"
    assert wanted in mistake(capsys, command, "-c", str(path))


@pytest.mark.parametrize(
    ("checkpoint", "wanted"),
    [
        ("best", "predict: which checkpoint is the best is known to the training alone; give --ckpt_path FILE.ckpt"),
        ("last", "predict: found no last checkpoint; give --ckpt_path FILE.ckpt"),
    ],
)
def test_a_checkpoint_that_is_not_there(checkpoint, wanted, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    assert wanted in mistake(capsys, "predict", "-c", "c.yaml", "--ckpt_path", checkpoint)


def test_a_key_of_a_configuration_that_nothing_takes(tmp_path, capsys):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.replace("{root: .}", "{root: ., batchsize: 3}"))
    assert "'batchsize' is not accepted; did you mean 'batch_size'?" in mistake(capsys, "fit", "-c", str(path))


def test_defects_keep_their_traceback():
    assert root_cause(ValueError("no user's mistake")) is None
    wrapped = ValueError("does not validate")
    wrapped.__cause__ = InputError("mine")
    assert root_cause(wrapped) is wrapped.__cause__


def test_unions_are_left_out():
    message = (
        'Parser key "trainer.devices":\n  Does not validate against any of the Union subtypes\n  Subtypes: [a, b]\n  Errors:\n'
        "    - Expected a <class 'int'>\n    - Expected a <class 'NoneType'>\n  Given value type: <class 'str'>\n  Given value: x"
    )
    assert explain(message) == "\"trainer.devices\": expected int, found 'x'"
