"""Honest operating points: which rows a figure is over, what is right on them, and how sure the figure is."""

import numpy as np
import pyarrow as pa
import pytest

from factcheck.cli import main
from factcheck.evaluation.bootstrap import interval, resampled_counts, resampled_figures
from factcheck.evaluation.confidence import target_point
from factcheck.evaluation.metrics import classification, operating_point
from factcheck.evaluation.scoring import score
from factcheck.evaluation.slices import wilson
from factcheck.labels import FACTIFY_LABELS, STANCES
from factcheck.records import verdict_schema

FIVE = [label.value for label in FACTIFY_LABELS]
EVIDENCE = [{"document_id": "d", "sentence": 0, "start": 0, "end": 1, "text": "x", "score": 1.0}]


def row(name, label, confidence, *, pair):
    stance = label.split("_")[0].lower()
    return {
        **{"id": str(name), "label": label, "stance": stance, "confidence": confidence, "abstained": False},
        **{"status": "ok", "model": "m", "evidence": EVIDENCE},
        "image_relation": ("agree" if label.endswith("Multimodal") else "differ") if pair else None,
        "probabilities": {x: confidence if x == label else (1 - confidence) / 4 for x in FIVE} if pair else None,
        "stance_probabilities": {s.value: confidence if s == stance else (1 - confidence) / 2 for s in STANCES},
    }


def tables(rows, labels):
    truth = pa.Table.from_pylist([{"id": r["id"], "claim": "c", "label": x} for r, x in zip(rows, labels, strict=True)])
    return pa.Table.from_pylist(rows, schema=verdict_schema()), truth


def test_thresholds_are_told_apart_by_kind_of_row_and_said_for_all_of_them():
    """Pairs are right in 9 of 10, text alone in 5 of 10: over all rows that a threshold acts on it is 7 of 10."""
    rows = [row(i, "Support_Text", 0.92, pair=True) for i in range(10)]
    rows += [row(10 + i, "Support", 0.92, pair=False) for i in range(10)]
    labels = ["Support_Text"] * 9 + ["Support_Multimodal"] + ["Support_Text"] * 5 + ["Refute"] * 5
    found = score(*tables(rows, labels))
    at = {kind: next(p for p in part.thresholds if p.threshold == 0.9) for kind, part in found.confidence.items()}
    assert {kind: (point.rows, point.kept, point.precision) for kind, point in at.items()} == {
        "all rows": (20, 20, 0.7),
        "image pairs": (10, 10, 0.9),
        "text only": (10, 10, 0.5),
    }
    assert found.operating is found.confidence["all rows"]


def test_a_text_only_refute_is_a_stance_by_kind_of_row_and_a_class_among_the_five():
    """Rule of :mod:`factcheck.evaluation.judged`: it is right where the gold stance is refute, whatever the images are."""
    rows = [row(0, "Refute", 0.8, pair=False), row(1, "Support", 0.8, pair=False), row(2, "Refute", 0.8, pair=False)]
    found = score(*tables(rows, ["Refute", "Support_Multimodal", "Support_Text"]))
    assert found.confidence["text only"].correct.tolist() == [True, True, False]
    assert found.five_class.accuracy == pytest.approx(1 / 3), (
        "Refute is a class of its own, Support is none of the five"
    )
    assert found.five_class.confusion[FIVE.index("Refute")][FIVE.index("Refute")] == 1


def test_rows_without_evidence_are_no_operating_point():
    rows = [row(0, "Support", 0.8, pair=False), row(1, "Insufficient", 1.0, pair=False) | {"evidence": []}]
    found = score(*tables(rows, ["Support", "Insufficient"]))
    assert (found.operating.rows, found.undecided) == (1, 1)


def test_intervals_of_a_confusion_matrix_are_those_of_resampled_rows():
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 3, 300)
    said = np.where(rng.random(300) < 0.7, gold, rng.integers(0, 3, 300))
    names = ["a", "b", "c"]
    found = classification([names[i] for i in gold], [names[i] for i in said], names)
    values = []
    for _ in range(1500):  # a bootstrap by hand, with scikit-learn's figure
        from sklearn.metrics import f1_score

        rows = rng.integers(0, 300, 300)
        values.append(f1_score(gold[rows], said[rows], average="macro"))
    np.testing.assert_allclose(found.intervals["macro_f1"], np.percentile(values, (2.5, 97.5)), atol=0.01)
    low, high = found.intervals["macro_f1"]
    assert low < found.macro_f1 < high


def test_a_95_percent_interval_holds_the_truth_in_about_95_of_100_samples():
    rng = np.random.default_rng(4)
    held = 0
    for seed in range(200):
        hits = rng.random(150) < 0.8

        def accuracy(weights, hits=hits):
            return {"accuracy": float(weights @ hits / weights.sum())}

        low, high = interval(resampled_figures(150, accuracy, seed=seed)["accuracy"])
        held += low <= 0.8 <= high
    assert 180 <= held <= 198


def test_resamples_are_seeded_and_keep_the_number_of_rows():
    counts = np.array([[5, 1], [2, 2]])
    drawn = resampled_counts(counts, draws=50, seed=7)
    assert (drawn.sum((1, 2)) == 10).all()
    np.testing.assert_array_equal(drawn, resampled_counts(counts, draws=50, seed=7))


def test_the_calibration_error_lies_in_its_interval():
    rng = np.random.default_rng(5)
    rows = [row(i, "Support", float(c), pair=False) for i, c in enumerate(rng.uniform(0.5, 1, 120))]
    labels = ["Support" if rng.random() < r["confidence"] else "Refute" for r in rows]
    found = score(*tables(rows, labels)).operating
    for name in ("ece", "brier", "aurc", "accuracy"):
        low, high = found.intervals[name]
        assert low <= getattr(found, name) <= high, name


def test_a_target_is_dearer_on_rows_that_the_threshold_was_not_chosen_on():
    """Confidence that says nothing: any threshold that reaches 0.6 did so by luck, and the other half says so."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        confidence, correct = rng.random(300), rng.random(300) < 0.6
        target = correct[np.argsort(-confidence)[:40]].mean()  # what the 40 most confident happen to reach
        point = target_point(confidence, correct, float(target))
        assert point.point.precision >= target
        if target > 0.66:
            break
    assert target > 0.66
    assert point.held_out_precision is None or point.held_out_precision < target - 0.02
    assert target_point(confidence, correct, 0.99).remark.startswith("a precision of 0.99 is not reached")


@pytest.mark.parametrize("target", ["0.8", "0.95"])
def test_the_printed_threshold_gives_what_it_promises(tmp_path, capsys, target):
    import re

    import pyarrow.parquet as pq

    rng = np.random.default_rng(8)
    rows = [row(i, "Support", float(c), pair=i % 3 == 0) for i, c in enumerate(rng.uniform(0.4, 1, 400))]
    rows = [r if r["probabilities"] is None else row(r["id"], "Support_Text", r["confidence"], pair=True) for r in rows]
    labels = ["Support_Text" if rng.random() < r["confidence"] else "Refute" for r in rows]
    verdicts, truth = tables(rows, labels)
    pq.write_table(verdicts, tmp_path / "v.parquet")
    pq.write_table(truth, tmp_path / "t.parquet")
    arguments = [str(tmp_path / "v.parquet"), "--truth", str(tmp_path / "t.parquet"), "--target-precision", target]
    assert main(["evaluate", *arguments]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith(f"precision {target} over all rows"))
    threshold, coverage = re.search(r"--abstain-below ([0-9.]+) gives ([0-9.]+)%", line).groups()
    correct = [
        label == r["label"] if r["probabilities"] else label.startswith("Support")
        for label, r in zip(labels, rows, strict=True)
    ]
    kept = operating_point([r["confidence"] for r in rows], correct, float(threshold))
    assert kept.precision >= float(target)
    assert round(100 * kept.coverage, 1) == float(coverage)


def test_a_target_out_of_range(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "v.parquet", "--truth", "t.csv", "--target-precision", "1.5"])
    assert "expected a number in (0, 1], found '1.5'" in capsys.readouterr().err


def test_slices_have_their_rows_and_sound_intervals(tmp_path):
    rows = [row(i, "Support", 0.9, pair=False) for i in range(40)]
    verdicts, truth = tables(rows, ["Support"] * 30 + ["Refute"] * 10)
    truth = truth.append_column("source", pa.array(["news"] * 30 + ["satire"] * 10))
    truth = truth.append_column("claim_ocr", pa.array(["LIVE"] * 10 + [None] * 30))
    found = {(s.name, s.group): s for s in score(verdicts, truth).slices}
    assert {key: s.rows for key, s in found.items() if key[0] == "source"} == {
        ("source", "news"): 30,
        ("source", "satire"): 10,
    }
    assert found["source", "satire"].accuracy == 0
    assert found["text in images", "text in an image"].rows == 10
    assert ("images", "text only") not in found, "a property that parts no rows is none"
    low, high = found["source", "news"].interval
    assert (low, high) == pytest.approx(wilson(30, 30))
    assert 0.88 < low < 0.89, "30 of 30 is no certainty"


def test_wilson_against_scipy():
    from scipy.stats import binomtest

    for right, count in ((0, 5), (3, 7), (90, 100)):
        expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
        assert wilson(right, count) == pytest.approx((expected.low, expected.high), abs=1e-6)
