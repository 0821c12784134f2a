import json

import numpy as np
import pytest

from factcheck import InputError, Verifier
from factcheck.cli import main
from factcheck.data import load_images, open_claims
from factcheck.evaluation.baselines import score_baselines
from factcheck.models.baseline import IMAGE_FEATURES, TEXT_FEATURES, similarity_features


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model)


@pytest.fixture
def table(factify_folder):
    source = next(open_claims(factify_folder / "train.csv").batches(20))
    return load_images(source, factify_folder)


def test_features_mean_what_they_are_called(verifier, table):
    features = similarity_features(table, verifier)
    assert features.shape == (20, len(TEXT_FEATURES) + len(IMAGE_FEATURES))
    columns = dict(zip((*TEXT_FEATURES, *IMAGE_FEATURES), features.T, strict=True))
    labels = np.array(table["label"].to_pylist())
    same = np.char.endswith(labels, "Multimodal")
    assert (columns["photo_cosine"][same] > 0.999).all()
    assert (columns["colour_correlation"][same] > 0.999).all()
    assert (columns["photo_cosine"][~same] < 0.999).all()
    assert (columns["has_pair"] == 1).all()
    refuted = labels == "Refute"
    assert (columns["best_negations"][~refuted] == 0).all()
    supported = np.char.startswith(labels, "Support")
    assert (columns["document_overlap"][supported] == 1).all()


def test_rows_without_photos_have_no_photo_features(verifier, table):
    bare = table.drop_columns(["claim_image"]).slice(0, 3)
    from factcheck.data import normalize_claims

    features = similarity_features(normalize_claims(bare), verifier)
    assert (features[:, len(TEXT_FEATURES) :] == 0).all()


def test_baselines_are_trained_and_scored(verifier, factify_folder):
    result = score_baselines(factify_folder / "train.csv", factify_folder / "val.csv", verifier)
    assert result["majority"].accuracy == pytest.approx(0.2)
    best = result["similarity + random forest"]
    assert best.rows == 10
    # Labels of this set follow from the best sentence and the photos, and the claim alone says nothing.
    assert best.accuracy >= 0.6
    assert best.accuracy > result["claim only (words, logistic regression)"].accuracy


def test_a_table_with_one_class(verifier, tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text('{"claim": "a dog", "document": "A dog.", "label": "support"}\n' * 3, "utf-8")
    with pytest.raises(InputError, match="at least two classes"):
        score_baselines(path, path, verifier)


@pytest.mark.slow
def test_the_command_prints_them(tiny_model, factify_folder, tmp_path, capsys):
    claims, out, figures = factify_folder / "val.csv", tmp_path / "v.parquet", tmp_path / "f.json"
    assert main(["verify", str(claims), "--model", str(tiny_model), "--no-attribution", "--out", str(out)]) == 0
    arguments = ["evaluate", out, "--truth", claims, "--baselines", factify_folder / "train.csv", "--model", tiny_model]
    assert main([str(a) for a in [*arguments, "--json", figures, "--report", tmp_path / "r.html"]]) == 0
    assert "baseline majority" in capsys.readouterr().out
    assert len(json.loads(figures.read_text())["baselines"]) == 5
    assert "similarity + random forest" in (tmp_path / "r.html").read_text()
