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
        (["-c", "c.yaml", "--data.root", "/no/where"], "data root '/no/where' is not a folder; give the folder"),
        (["-c", "c.yaml", "--data.batch_size", "-1"], "--data.batch_size is -1, expected a whole number of at least 1"),
        (
            ["-c", "c.yaml", "--data.num_workers", "-1"],
            "--data.num_workers is -1, expected a whole number of at least 0",
        ),
        (
            ["-c", "c.yaml", "--model.optim.layer_decay", "7"],
            "--model.optim.layer_decay is 7.0, expected a number in [0, 1]",
        ),
        (
            ["-c", "c.yaml", "--model.optim.learning_rate", "-1"],
            "--model.optim.learning_rate is -1.0, expected a number of at least 0",
        ),
        (
            ["-c", "c.yaml", "--model.optim.text_learning_rate", ".nan"],
            "--model.optim.text_learning_rate is nan, expected a number of at least 0",
        ),
        (
            ["-c", "c.yaml", "--model.loss.label_smoothing", "1"],
            "--model.loss.label_smoothing is 1.0, expected a number in [0, 1)",
        ),
        (
            ["-c", "c.yaml", "--model.loss.stance_weight", "-0.5"],
            "--model.loss.stance_weight is -0.5, expected a number of at least 0",
        ),
        (["-c", "c.yaml", "--modle.x", "3"], "unknown argument '--modle.x'"),
        (["-c", "c.yaml", "--model.init_fro", "x"], "option 'init_fro' is not accepted; did you mean 'init_from'?"),
        (
            ["-c", "c.yaml", "--model.optim.learnin_rate", "1"],
            "option 'optim.learnin_rate' is not accepted; did you mean 'optim.learning_rate'?",
        ),
        (
            ["-c", "c.yaml", "--model.learning_rate", "1"],
            "option 'learning_rate' is not accepted; did you mean 'optim.learning_rate'?",
        ),
        (["-c", "c.yaml", "--model.optim.learning_rate", "x"], '"optim.learning_rate": expected float. Got value: x'),
        (["-c", "c.yaml", "--trainer.max_epochs", "x"], "\"trainer.max_epochs\": expected int, found 'x'"),
        (["-c", "c.yaml", "--ckpt_path", "c.yaml"], "'c.yaml' is not a checkpoint"),
        (["-c", "c.yaml", "--ckpt_path", "gone.ckpt"], "'gone.ckpt': no such file"),
        (["-c", "c.yaml", "--ckpt_path", "http://a.org/x.ckpt"], "'http://a.org/x.ckpt' is an address"),
        (["-c", "c.yaml", "--ckpt_path", "file:///x.ckpt"], "'file:///x.ckpt' is an address"),
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
    assert "option 'batchsize' is not accepted; did you mean 'batch_size'?" in mistake(capsys, "fit", "-c", str(path))


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
