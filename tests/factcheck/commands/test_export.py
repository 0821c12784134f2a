"""``factcheck export``: an export that fails leaves what was there, and nothing where nothing was."""

import json
import shutil
import zipfile

import pytest
import torch

from factcheck.cli import main
from factcheck.models.folder import fingerprint, load_model
from factcheck.models.verdict import VerdictConfig
from factcheck.training.options import plain_settings
from factcheck.training.verdict.module import VerdictModule


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, tiny_bert):
    """A checkpoint as a training writes it, of random weights."""
    torch.manual_seed(0)
    small = {"max_length": 64, "max_claim_tokens": 24, "fusion_dim": 32, "fusion_heads": 2, "token_relations": "words"}
    model = VerdictModule(VerdictConfig(text_model=str(tiny_bert), image_weights=None, **small))
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    selection = {"top_k": 2, "retrieval_encoder": str(tiny_bert), "retrieval_method": "hybrid"}
    content = {"state_dict": model.state_dict(), "hyper_parameters": plain_settings(model.hparams)}
    torch.save({**content, "datamodule_hyper_parameters": {"selection": selection}}, path)
    return path


def export(checkpoint, out, *arguments):
    if "--calibrate-on" in arguments:
        arguments += ("--min-rows", 2)
    return main([str(argument) for argument in ("export", checkpoint, "--out", out, *arguments)])


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_failing_calibration_leaves_the_old_model(checkpoint, tiny_model, factify_folder, tmp_path, capsys):
    out = shutil.copytree(tiny_model, tmp_path / "model")
    (out / "notes.txt").write_text("mine")
    before = content(tmp_path)
    # Twenty labelled rows are enough to begin with; that the precision is out of reach shows at the end.
    arguments = ("--calibrate-on", factify_folder / "train.csv", "--target-precision", "0.999")
    assert export(checkpoint, out, *arguments) == 2
    assert "0.999 is not reached on these 20 rows" in capsys.readouterr().err
    assert content(tmp_path) == before
    assert export(checkpoint, tmp_path / "new" / "model", *arguments) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.slow
def test_a_new_model_replaces_the_old_one_and_no_other_file(checkpoint, tiny_model, factify_folder, tmp_path):
    out = shutil.copytree(tiny_model, tmp_path / "model")
    (out / "notes.txt").write_text("mine")
    (out / "tokenizer" / "stale.txt").write_text("of the old one")
    before = fingerprint(out)
    assert export(checkpoint, out, "--calibrate-on", factify_folder / "train.csv") == 0
    assert fingerprint(out) != before
    assert load_model(out)[1]["preprocessing"]["top_k"] == 2
    assert json.loads((out / "calibration.json").read_text())["stance"] > 0
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "tokenizer" / "stale.txt").exists()
    fresh = tmp_path / "a" / "b"
    assert export(checkpoint, fresh, "--calibrate-on", factify_folder / "train.csv") == 0
    assert fingerprint(fresh) == fingerprint(out)
    assert content(fresh).keys() == content(out).keys() - {"notes.txt"}
    assert fresh.stat().st_mode & 0o777 == (tmp_path / "a").stat().st_mode & 0o777
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "model"]


def test_weights_that_half_precision_cannot_hold_leave_nothing(checkpoint, tmp_path, capsys):
    stored = torch.load(checkpoint, weights_only=True)
    stored["state_dict"]["model.stance_head.bias"][0] = 1e6
    torch.save(stored, tmp_path / "large.ckpt")
    assert export(tmp_path / "large.ckpt", tmp_path / "m", "--dtype", "float16") == 2
    assert "'stance_head.bias' has values beyond the range of float16" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["large.ckpt"]


def test_too_few_rows_show_before_the_checkpoint_is_read(factify_folder, tmp_path, capsys):
    path, bare = tmp_path / "x.ckpt", tmp_path / "bare.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("not", "a checkpoint")
    arguments = ("--calibrate-on", factify_folder / "val.csv", "--target-precision", "0.9")
    assert export(path, tmp_path / "m", *arguments) == 2
    assert "needs at least 20 labelled rows with a verdict, found 10 labelled rows in" in capsys.readouterr().err
    few = ["export", str(path), "--out", str(tmp_path / "m"), "--calibrate-on", str(factify_folder / "val.csv")]
    assert main(few) == 2
    assert "10 labelled rows in" in (said := capsys.readouterr().err)
    assert "of which at least 50 are needed" in said
    bare.write_text("claim,label\na dog,\n")
    assert export(path, tmp_path / "m", "--calibrate-on", bare) == 2
    assert "calibration: no labelled row in" in capsys.readouterr().err
    assert export(path, tmp_path / "m") == 2
    assert "is not a checkpoint" in capsys.readouterr().err


@pytest.mark.slow
def test_another_evidence_selection_than_in_training(checkpoint, factify_folder, tmp_path):
    from factcheck import Claim, Verifier

    assert export(checkpoint, tmp_path / "m", "--top-k", "3", "--min-share", "0.9") == 0
    assert load_model(tmp_path / "m")[1]["preprocessing"]["min_share"] == 0.9
    verifier = Verifier.load(tmp_path / "m")
    assert (verifier.options.top_k, verifier.options.min_share) == (3, 0.9)
    claim = Claim(claim="Two dogs run.", document="Two dogs run. The sea is calm. Dogs ran there. It rained.")
    assert len(verifier.verify(claim).evidence) < 3
    assert len(Verifier.load(tmp_path / "m", min_share=0.0).verify(claim).evidence) == 3
    # An export with nothing said keeps what the training's data settings say.
    assert export(checkpoint, tmp_path / "n") == 0
    assert load_model(tmp_path / "n")[1]["preprocessing"] | {"retrieval_encoder": ""} == {
        "top_k": 2,
        "min_share": 0.0,
        "retrieval_method": "hybrid",
        "retrieval_encoder": "",
    }


@pytest.mark.slow
def test_tables_to_calibrate_on_are_read_as_those_of_the_training(checkpoint, tmp_path, capsys):
    """A table without header, quoting or known labels: what the checkpoint says of its data holds, and options win over it."""
    (tmp_path / "t.dat").write_text('1\tmixed\tA dog "runs\tA dog runs.\n2\tfalse\tA cat" eats\tNo cat eats.\n')
    stored = torch.load(checkpoint, weights_only=True)
    reading = {"format": "tsv", "quoting": "none", "header": "none", "labels": {"mixed": "insufficient"}}
    columns = {"id": "1", "label": "2", "claim": "3", "document": "4"}
    stored["datamodule_hyper_parameters"] |= {"reading": reading, "columns": columns}
    torch.save(stored, tmp_path / "x.ckpt")
    assert export(tmp_path / "x.ckpt", tmp_path / "a", "--calibrate-on", tmp_path / "t.dat") == 0
    assert json.loads((tmp_path / "a" / "calibration.json").read_text())["rows"] == 2
    assert (
        export(tmp_path / "x.ckpt", tmp_path / "b", "--calibrate-on", tmp_path / "t.dat", "--labels", "x=support") == 2
    )
    assert "unknown label 'mixed'" in capsys.readouterr().err
    options = (
        "--format tsv --quoting none --header none --labels mixed=refute --columns id=1,label=2,claim=3,document=4"
    )
    assert export(checkpoint, tmp_path / "c", "--calibrate-on", tmp_path / "t.dat", *options.split()) == 0


def renamed(factify_folder, folder, claim):
    """The training table with another name for the column of the claim, beside its photos."""
    folder.mkdir()
    (folder / "images").symlink_to(factify_folder / "images")
    text = (factify_folder / "train.csv").read_text("utf-8")
    (folder / "claims.csv").write_text(text.replace("\tclaim\t", f"\t{claim}\t", 1), "utf-8")
    return folder / "claims.csv"


@pytest.mark.slow
def test_calibration_reads_the_columns_of_the_training_or_those_given(checkpoint, factify_folder, tmp_path, capsys):
    table = renamed(factify_folder, tmp_path / "data", "body")
    assert export(checkpoint, tmp_path / "a", "--calibrate-on", table) == 2
    assert "no column 'claim'" in capsys.readouterr().err
    assert export(checkpoint, tmp_path / "a", "--calibrate-on", table, "--columns", "claim=body") == 0
    stored = torch.load(checkpoint, weights_only=True)
    stored["datamodule_hyper_parameters"]["columns"] = {"claim": "body"}
    torch.save(stored, tmp_path / "renamed.ckpt")
    assert export(tmp_path / "renamed.ckpt", tmp_path / "b", "--calibrate-on", table) == 0
    assert content(tmp_path / "a")["calibration.json"] == content(tmp_path / "b")["calibration.json"]
    capsys.readouterr()
    own = factify_folder / "train.csv"
    assert export(tmp_path / "renamed.ckpt", tmp_path / "c", "--calibrate-on", own) == 2
    assert "no column 'body' (mapped to 'claim')" in (said := capsys.readouterr().err)
    assert "so it was called in training; --columns tells" in said
    assert export(tmp_path / "renamed.ckpt", tmp_path / "c", "--calibrate-on", own, "--columns", "claim=claim") == 0
