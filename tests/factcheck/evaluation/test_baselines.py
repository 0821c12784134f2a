import json
import shutil

import numpy as np
import pytest

from factcheck import InputError, Verifier
from factcheck.cli import main
from factcheck.data import load_images, open_claims
from factcheck.evaluation.baselines import (
    IMAGE_FEATURES,
    TEXT_FEATURES,
    predict_baselines,
    score_baselines,
    similarity_features,
)
from factcheck.evaluation.scoring import score


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
    assert (columns["image_cosine"][same] > 0.999).all()
    assert (columns["colour_correlation"][same] > 0.999).all()
    assert (columns["image_cosine"][~same] < 0.999).all()
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


@pytest.mark.slow
def test_baselines_are_trained_and_scored(verifier, factify_folder):
    result = score_baselines(factify_folder / "train.csv", factify_folder / "val.csv", verifier)
    assert result["majority"].accuracy == pytest.approx(0.2)
    best = result["similarity + random forest"]
    assert best.rows == 10
    # Labels of this set follow from the best sentence and the photos, and the claim alone says nothing.
    assert best.accuracy >= 0.6
    assert best.accuracy > result["claim only (words, logistic regression)"].accuracy


@pytest.fixture
def two_sources(tmp_path):
    """Claims of two sources: in one the claim alone gives the label away, in the other only the document does."""
    rows = []
    for i in range(48):
        leaky, refuted = i % 2 == 0, i // 2 % 2 == 0
        thing = ["dog", "cat", "boy", "girl"][i // 4 % 4]
        claim = f"no {thing} runs" if leaky and refuted else f"the {thing} runs"
        said = f"the {thing} sleeps near water" if refuted else f"the {thing} runs"
        rows.append(
            {
                "id": str(i),
                "claim": claim,
                "document": [said, "bread is news"],
                "label": "refute" if refuted else "support",
                "source": "leaky" if leaky else "balanced",
            }
        )
    path = tmp_path / "claims.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.slow
def test_baselines_by_source_show_what_the_claim_alone_gives_away(verifier, two_sources):
    predicted = predict_baselines(two_sources, two_sources, verifier)
    assert predicted.seen == 48
    by_source = predicted.by_source()
    claim_only = {source: figures["claim only (words, logistic regression)"] for source, figures in by_source.items()}
    assert set(claim_only) == {"balanced", "leaky"}
    assert claim_only["leaky"] == 1.0
    assert claim_only["balanced"] == pytest.approx(0.5)
    assert by_source["balanced"]["similarity + random forest"] > 0.9


@pytest.mark.slow
def test_scores_by_source(two_sources, tiny_model, tmp_path, capsys):
    out, figures, report = tmp_path / "v.parquet", tmp_path / "f.json", tmp_path / "r.html"
    assert main(["verify", str(two_sources), "--model", str(tiny_model), "--no-attribution", "--out", str(out)]) == 0
    scores = score(out, two_sources)
    parts = scores.by_source
    assert {source: part.rows for source, part in parts.items()} == {"balanced": 24, "leaky": 24}
    assert np.mean([part.accuracy for part in parts.values()]) == pytest.approx(scores.stance.accuracy)
    capsys.readouterr()
    train = shutil.copy(two_sources, tmp_path / "train.jsonl")
    arguments = ["evaluate", out, "--truth", two_sources, "--baselines", train, "--model", tiny_model]
    assert main([str(a) for a in [*arguments, "--json", figures, "--report", report]]) == 0
    printed, said = capsys.readouterr()
    assert f"48 of the 48 labelled rows of {two_sources} are in {train}, too" in said
    assert "balanced" in printed
    assert "--abstain-below" in printed
    written = json.loads(figures.read_text())
    assert written["by_source"]["leaky"]["accuracy"] == parts["leaky"].accuracy
    assert written["baselines_by_source"]["leaky"]["claim only (words, logistic regression)"] == 1.0
    assert 0 <= written["confidence"]["text only"]["ece"] <= 1
    assert "Stance accuracy by source" in report.read_text()


def test_a_table_with_one_class(verifier, tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text('{"claim": "a dog", "document": "A dog.", "label": "support"}\n' * 12, "utf-8")
    with pytest.raises(InputError, match="at least two classes"):
        score_baselines(path, path, verifier)


@pytest.mark.slow
def test_the_command_prints_them(tiny_model, factify_folder, tmp_path, capsys):
    claims, out, figures = factify_folder / "val.csv", tmp_path / "v.parquet", tmp_path / "f.json"
    assert main(["verify", str(claims), "--model", str(tiny_model), "--no-attribution", "--out", str(out)]) == 0
    arguments = ["evaluate", out, "--truth", claims, "--baselines", factify_folder / "train.csv", "--model", tiny_model]
    assert main([str(a) for a in [*arguments, "--json", figures, "--report", tmp_path / "r.html"]]) == 0
    printed, said = capsys.readouterr()
    assert "baseline majority" in printed
    assert "the baselines were trained on them" not in said
    assert len(json.loads(figures.read_text())["baselines"]) == 5
    assert "similarity + random forest" in (tmp_path / "r.html").read_text()
