"""``factcheck predict``: whose weights it uses, who may write to an output, and that no row is lost or added."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
import torch
from training_parts import data, module, trainer

from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.models.folder import load_model, weights_fingerprint
from factcheck.training.verdict.checkpoint import load_checkpoint
from retrieval.durable import only_one


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def claims(factify_folder, tmp_path):
    """Ten claims in a folder of their own, where tests may change them."""
    return Path(shutil.copy(factify_folder / "val.csv", tmp_path / "claims.csv"))


@pytest.fixture
def predict(tiny_bert, tiny_model, factify_folder, claims, tmp_path):
    """Predicts the claims with the weights of ``tiny_model``; returns the trainer."""

    def run(*callbacks, limit=None, checkpoint=None, **options):
        source = data(
            factify_folder,
            tiny_bert,
            predict=str(claims),
            predict_out=str(tmp_path / "p.parquet"),
            image_root=str(factify_folder),
        )
        made = trainer(tmp_path, callbacks=list(callbacks), limit_predict_batches=limit)
        model = module(tiny_bert, **{"init_from": str(tiny_model), **options})
        made.predict(model, source, return_predictions=False, ckpt_path=checkpoint, weights_only=True)
        return made

    return run


class Meanwhile(pl.Callback):
    """Does something after the last chunk is verified and before they are merged."""

    def __init__(self, work):
        self.work = work

    def on_predict_epoch_end(self, *_):
        self.work()


def left_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in ("cache", "claims.csv"))


@pytest.mark.slow
def test_without_a_checkpoint_the_weights_are_those_of_init_from(
    predict, tiny_model, tiny_bert, claims, factify_folder, tmp_path
):
    predict()
    verified = tmp_path / "v.parquet"
    arguments = ["--model", tiny_model, "--top-k", "5", "--image-root", factify_folder, "--out", verified]
    assert main(["verify", str(claims), *map(str, arguments)]) == 0
    a, b = (pq.read_table(path).to_pylist() for path in (tmp_path / "p.parquet", verified))
    assert [row["stance_probabilities"] for row in a] == [
        pytest.approx(row["stance_probabilities"], abs=1e-5) for row in b
    ]
    assert {row["model"] for row in a} == {f"weights {weights_fingerprint(load_model(tiny_model)[0])}"}
    assert left_in(tmp_path) == ["p.parquet", "v.parquet"]


@pytest.mark.slow
def test_a_checkpoint_beats_init_from_and_is_named_by_its_weights(
    predict, tiny_bert, tiny_model, factify_folder, tmp_path
):
    trained = module(tiny_bert, init_from=str(tiny_model), learning_rate=1e-2)
    run = trainer(tmp_path, max_steps=1, enable_checkpointing=False, limit_val_batches=0)
    run.fit(trained, data(factify_folder, tiny_bert))
    run.save_checkpoint(tmp_path / "c.ckpt")
    expected = weights_fingerprint(load_checkpoint(tmp_path / "c.ckpt")[0].model)
    # Not even looked for: a checkpoint is complete, and what its training began with may be gone.
    predict(checkpoint=tmp_path / "c.ckpt", init_from=str(tmp_path / "gone"))
    assert set(pq.read_table(tmp_path / "p.parquet")["model"].to_pylist()) == {f"weights {expected}"}
    assert expected != weights_fingerprint(load_model(tiny_model)[0])


def test_weights_that_leave_a_part_random_are_refused(predict, tmp_path):
    with pytest.raises(InputError, match=r"no fitting value for \d+ of the model's tensors"):
        predict(fusion_depth=3)
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_training_then_validating_keeps_what_was_learnt(tiny_bert, tiny_model, factify_folder, tmp_path):
    model, source = module(tiny_bert, init_from=str(tiny_model), learning_rate=1e-2), data(factify_folder, tiny_bert)
    run = trainer(tmp_path, max_steps=2, enable_checkpointing=False, limit_val_batches=0)
    run.fit(model, source)
    learnt = {name: value.clone() for name, value in model.model.state_dict().items()}
    trainer(tmp_path).validate(model, source, verbose=False)
    assert all(torch.equal(value, learnt[name]) for name, value in model.model.state_dict().items())
    assert not torch.equal(learnt["stance_head.weight"], load_model(tiny_model)[0].stance_head.weight)


@pytest.mark.slow
def test_another_run_on_the_same_output_is_refused(predict, tmp_path):
    (tmp_path / "p.parquet.parts").mkdir()
    with (
        only_one(tmp_path / "p.parquet.parts" / ".lock", "taken"),
        pytest.raises(InputError, match="another run is writing to"),
    ):
        predict()
    assert left_in(tmp_path) == ["p.parquet.parts"]
    predict()
    assert left_in(tmp_path) == ["p.parquet"]


@pytest.mark.slow
def test_verify_waits_for_predict(predict, claims, tiny_model, tmp_path, capsys):
    out, seen = tmp_path / "p.parquet", []
    predict(
        Meanwhile(lambda: seen.append(main(["verify", str(claims), "--model", str(tiny_model), "--out", str(out)])))
    )
    assert seen == [2]
    assert "another run is writing to" in capsys.readouterr().err
    assert pq.read_table(out).num_rows == 10


@pytest.mark.slow
def test_a_refusal_ends_all_processes(tiny_bert, tiny_model, claims, factify_folder, tmp_path):
    (tmp_path / "p.parquet.parts").mkdir()
    model = {"text_model": str(tiny_bert), "image_weights": None, "token_relations": None, "init_from": str(tiny_model)}
    model |= {"max_length": 64, "max_claim_tokens": 24, "fusion_dim": 32, "fusion_heads": 2}
    source = {"root": str(factify_folder), "retrieval_encoder": str(tiny_bert)}
    source |= {"predict": str(claims), "predict_out": str(tmp_path / "p.parquet")}
    config = {
        "model": {"class_path": "factcheck.training.verdict.module.VerdictModule", "init_args": model},
        "data": {"class_path": "factcheck.training.verdict.data.VerdictDataModule", "init_args": source},
        "trainer": {"accelerator": "cpu", "devices": 2, "strategy": "ddp", "logger": False},
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "factcheck", "predict", "--config", "c.yaml"]
    with only_one(tmp_path / "p.parquet.parts" / ".lock", "taken"):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 2, done.stderr[-2000:]
    assert done.stderr.count("factcheck: error: another run is writing to") == 2
    assert not (tmp_path / "p.parquet").exists()


@pytest.mark.slow
def test_chunks_of_a_killed_run_are_no_rows_of_this_one(predict, tmp_path):
    stale = tmp_path / "p.parquet.predict-parts"
    predict()
    stale.mkdir()
    shutil.copy(tmp_path / "p.parquet", stale / f"{99:015d}.parquet")
    predict()
    assert pq.read_table(tmp_path / "p.parquet").num_rows == 10
    assert left_in(tmp_path) == ["p.parquet"]


def test_a_folder_of_somebody_else_is_left_alone(predict, tmp_path):
    taken = tmp_path / "p.parquet.predict-parts"
    taken.mkdir()
    (taken / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"predict-parts', where the chunks of the run would go, is there and holds"):
        predict()
    assert (taken / "thesis.txt").read_text() == "years of work"
    assert left_in(tmp_path) == [taken.name]


@pytest.mark.slow
def test_an_interrupted_verify_can_still_go_on(predict, tmp_path):
    held = tmp_path / "p.parquet.parts"
    held.mkdir()
    (held / "run.json").write_text(json.dumps({"identity": "x"}))
    (held / "00000000.parquet").write_bytes(b"a chunk")
    predict()
    assert sorted(path.name for path in held.iterdir()) == [".lock", "00000000.parquet", "run.json"]


@pytest.mark.slow
def test_lost_rows_are_an_error_and_no_table(predict, claims, tmp_path):
    def grow():
        with claims.open("a", encoding="utf-8") as stream:
            stream.write(claims.read_text("utf-8").splitlines()[-1] + "\n")

    with pytest.raises(InputError, match="verdicts of 10 rows for the 11 rows of"):
        predict(Meanwhile(grow))
    assert left_in(tmp_path) == []


def test_a_limit_is_no_loss(predict, claims, tmp_path):
    claims.write_text("claim\n" + "A dog runs.\n" * 257, "utf-8")
    predict(limit=1)
    assert pq.read_table(tmp_path / "p.parquet").num_rows == 256
