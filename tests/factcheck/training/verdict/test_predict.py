"""``predict`` hands over to verification: whose weights it uses, and the same index, resume and calibration."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from training_parts import data, module, trainer

from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.models.folder import load_model, weights_fingerprint
from factcheck.training.verdict.checkpoint import load_checkpoint
from factcheck.training.verdict.predict import predict
from retrieval import build_index, open_index
from retrieval.durable import only_one


@pytest.fixture
def claims(factify_folder, tmp_path):
    """Ten claims in a folder of their own, where tests may change them."""
    return Path(shutil.copy(factify_folder / "val.csv", tmp_path / "claims.csv"))


@pytest.fixture
def run(tiny_bert, tiny_model, factify_folder, claims, tmp_path):
    """Predicts the claims with the weights of ``tiny_model``."""

    def predicted(checkpoint=None, evidence=None, progress=None, source=claims, **options):
        given = {"claims": str(source), "out": str(tmp_path / "p.parquet")}
        made = data(factify_folder, tiny_bert, predict=given, image_root=str(factify_folder))
        model = module(tiny_bert, **{"init_from": str(tiny_model), **options})
        return predict(model, made, checkpoint, evidence=evidence, progress=progress)

    return predicted


def verdicts(path):
    """What a table says, with probabilities as far as batches of other sizes give the same ones."""
    rows = pq.read_table(path).to_pylist()
    numbers = [[round(p, 4) for p in (*row["stance_probabilities"].values(), row["confidence"])] for row in rows]
    return [(row["id"], row["label"], row["abstained"], *of) for row, of in zip(rows, numbers, strict=True)]


@pytest.mark.slow
def test_without_a_checkpoint_the_model_is_that_of_init_from_with_its_temperatures(
    run, tiny_model, claims, factify_folder, tmp_path
):
    warm = shutil.copytree(tiny_model, tmp_path / "model")
    (warm / "calibration.json").write_text(json.dumps({"stance": 3.0, "label": 2.0, "abstain_below": 0.4}), "utf-8")
    assert run(init_from=str(warm)).rows == 10
    arguments = ["--model", warm, "--top-k", "5", "--image-root", factify_folder, "--out", tmp_path / "v.parquet"]
    assert main(["verify", str(claims), *map(str, arguments)]) == 0
    assert verdicts(tmp_path / "p.parquet") == verdicts(tmp_path / "v.parquet")
    named = set(pq.read_table(tmp_path / "p.parquet")["model"].to_pylist())
    assert named == {f"weights {weights_fingerprint(load_model(tiny_model)[0])}"}
    cold = run()
    assert cold.rows == 10
    assert verdicts(tmp_path / "p.parquet") != verdicts(tmp_path / "v.parquet")


@pytest.mark.slow
def test_a_checkpoint_beats_init_from_and_is_named_by_its_weights(run, tiny_bert, tiny_model, factify_folder, tmp_path):
    trained = module(tiny_bert, init_from=str(tiny_model), learning_rate=1e-2)
    fit = trainer(tmp_path, max_steps=1, enable_checkpointing=False, limit_val_batches=0)
    fit.fit(trained, data(factify_folder, tiny_bert))
    fit.save_checkpoint(tmp_path / "c.ckpt")
    expected = weights_fingerprint(load_checkpoint(tmp_path / "c.ckpt")[0].model)
    # Not even looked for: a checkpoint is complete, and what its training began with may be gone.
    run(checkpoint=tmp_path / "c.ckpt", init_from=str(tmp_path / "gone"))
    assert set(pq.read_table(tmp_path / "p.parquet")["model"].to_pylist()) == {f"weights {expected}"}
    assert expected != weights_fingerprint(load_model(tiny_model)[0])


def test_weights_that_leave_a_part_random_are_refused(run, tmp_path):
    with pytest.raises(InputError, match=r"no fitting value for \d+ of the model's tensors"):
        run(fusion_depth=3)
    assert not (tmp_path / "p.parquet").exists()


@pytest.mark.slow
def test_training_then_validating_keeps_what_was_learnt(tiny_bert, tiny_model, factify_folder, tmp_path):
    model, source = module(tiny_bert, init_from=str(tiny_model), learning_rate=1e-2), data(factify_folder, tiny_bert)
    fit = trainer(tmp_path, max_steps=2, enable_checkpointing=False, limit_val_batches=0)
    fit.fit(model, source)
    learnt = {name: value.clone() for name, value in model.model.state_dict().items()}
    trainer(tmp_path).validate(model, source, verbose=False)
    assert all(value.equal(learnt[name]) for name, value in model.model.state_dict().items())
    assert not learnt["stance_head.weight"].equal(load_model(tiny_model)[0].stance_head.weight)


@pytest.mark.slow
def test_claims_without_a_document_are_checked_against_an_index(run, tiny_bert, tmp_path):
    (tmp_path / "corpus.jsonl").write_text('{"id": "d", "text": "The dog runs in the park."}\n', "utf-8")
    build_index(tmp_path / "corpus.jsonl", tmp_path / "index", encoder=str(tiny_bert))
    bare = tmp_path / "bare.csv"
    bare.write_text("claim\nThe dog runs in the park\n", "utf-8")
    run(source=bare, evidence=open_index(tmp_path / "index"))
    row = pq.read_table(tmp_path / "p.parquet").to_pylist()[0]
    assert [item["document_id"] for item in row["evidence"]] == ["d"]


@pytest.mark.slow
def test_another_run_on_the_same_output_is_refused(run, tmp_path):
    (tmp_path / "p.parquet.parts").mkdir()
    with (
        only_one(tmp_path / "p.parquet.parts" / ".lock", "taken"),
        pytest.raises(InputError, match="another run is writing to"),
    ):
        run()
    assert run().rows == 10


def test_claims_are_asked_for(tiny_bert, factify_folder):
    with pytest.raises(InputError, match=r"`predict\.claims` is missing"):
        predict(module(tiny_bert), data(factify_folder, tiny_bert))
