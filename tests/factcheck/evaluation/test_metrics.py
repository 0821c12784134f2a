import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError

from factcheck.errors import InputError
from factcheck.evaluation.metrics import (
    accuracy_at_coverage,
    area_under_risk_coverage,
    brier_score,
    calibrated_ece,
    classification,
    expected_calibration_error,
    operating_point,
    risk_coverage,
    threshold_for_precision,
)


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    gold = rng.choice(["a", "b", "c"], 200, p=[0.5, 0.3, 0.2])
    guess = np.where(rng.random(200) < 0.7, gold, rng.choice(["a", "b", "c"], 200))
    return gold.tolist(), guess.tolist()


def test_classification_against_the_definitions(predictions):
    gold, guess = predictions
    result = classification(gold, guess, ["a", "b", "c"])
    f1 = []
    for i, label in enumerate("abc"):
        tp = sum(g == label == p for g, p in zip(gold, guess, strict=True))
        precision, recall = tp / guess.count(label), tp / gold.count(label)
        f1.append(2 * precision * recall / (precision + recall))
        assert result.precision[i] == pytest.approx(precision)
        assert result.recall[i] == pytest.approx(recall)
    weights = [gold.count(label) for label in "abc"]
    assert result.weighted_f1 == pytest.approx(sum(w * f for w, f in zip(weights, f1, strict=True)) / 200)
    assert result.macro_f1 == pytest.approx(sum(f1) / 3)
    assert sum(map(sum, result.confusion)) == 200


def test_a_prediction_that_is_no_class_counts_as_wrong():
    result = classification(["a", "a", "b"], ["a", "(none)", "b"], ["a", "b"])
    assert result.accuracy == pytest.approx(2 / 3)
    assert result.recall == (0.5, 1.0)


def test_nothing_to_score():
    with pytest.raises(InputError, match="nothing to score"):
        classification([], [], ["a"])


def test_ece_equals_torchmetrics():
    rng = np.random.default_rng(1)
    p = rng.dirichlet([1, 1, 1], 500)
    gold = rng.integers(0, 3, 500)
    reference = MulticlassCalibrationError(3, n_bins=15, norm="l1")(torch.tensor(p), torch.tensor(gold))
    ours = expected_calibration_error(p.max(1), p.argmax(1) == gold)
    assert ours == pytest.approx(float(reference), abs=1e-6)


def test_ece_has_bins_that_begin_at_zero():
    """Ten bins: 0.04 and 0.06 are in the first together, 0.96 is in the last; a bin's gap is that of its sums."""
    gap = abs(1 - 0.10) + abs(0 - 0.96)
    assert expected_calibration_error([0.04, 0.06, 0.96], [False, True, False], bins=10) == pytest.approx(gap / 3)


def test_ece_of_a_calibrated_and_of_an_overconfident_forecast():
    assert expected_calibration_error([0.5] * 4, [True, False, True, False]) == pytest.approx(0)
    assert expected_calibration_error([1.0] * 4, [False] * 4) == pytest.approx(1)


def test_ece_of_perfect_calibration_is_what_the_sample_size_leaves():
    # One bin of n rows at p: the mean distance of a binomial share from p, sqrt(2 p (1 - p) / (pi n)) for many rows.
    for rows, confidence in ((400, 0.8), (2_500, 0.6)):
        expected = (2 * confidence * (1 - confidence) / (np.pi * rows)) ** 0.5
        assert calibrated_ece([confidence] * rows, draws=2_000) == pytest.approx(expected, rel=0.06)
    assert calibrated_ece([1.0] * 5) == 0
    spread = np.random.default_rng(0).uniform(0.4, 1, 300)
    right = np.random.default_rng(1).random(300) < spread
    assert 0.3 < expected_calibration_error(spread, right) / calibrated_ece(spread) < 2


def test_brier():
    assert brier_score([[1, 0], [0, 1]], [0, 1]) == 0
    assert brier_score([[1, 0]], [1]) == 2
    assert brier_score([[0.5, 0.5]], [0]) == pytest.approx(0.5)


def test_risk_coverage_by_hand():
    coverage, risk = risk_coverage([0.9, 0.8, 0.7, 0.6], [True, True, False, True])
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 0, 1 / 3, 1 / 4])
    assert area_under_risk_coverage([0.9, 0.8, 0.7, 0.6], [True, True, False, True]) == pytest.approx(
        (1 / 3 + 1 / 4) / 4
    )


def test_ties_are_one_point():
    _, first = risk_coverage([0.5, 0.5], [True, False])
    _, second = risk_coverage([0.5, 0.5], [False, True])
    np.testing.assert_allclose(first, second)


def test_accuracy_at_coverage():
    assert accuracy_at_coverage([0.9, 0.1], [True, False], 0.5) == 1
    assert accuracy_at_coverage([0.9, 0.1], [True, False], 1.0) == 0.5
    with pytest.raises(InputError, match="coverage"):
        accuracy_at_coverage([0.9], [True], 0)


def test_the_threshold_for_a_precision_is_the_lowest_that_reaches_it():
    rng = np.random.default_rng(2)
    confidence = np.round(rng.random(400), 2)  # with ties, which no threshold can part
    correct = rng.random(400) < confidence
    for target in (0.7, 0.8, 0.9):
        point = threshold_for_precision(confidence, correct, target)
        by_hand = [
            t
            for t in np.unique(confidence)
            if (confidence >= t).sum() >= 20 and correct[confidence >= t].mean() >= target
        ]
        assert point.threshold == min(by_hand)
        assert point == operating_point(confidence, correct, min(by_hand))
        assert point.coverage == (confidence >= min(by_hand)).mean()
        assert point.precision >= target > point.precision_bound


def test_the_bound_is_that_of_clopper_and_pearson():
    from scipy.stats import binomtest

    point = operating_point([0.9] * 40 + [0.1] * 10, [True] * 37 + [False] * 13, 0.5)
    expected = binomtest(37, 40, alternative="greater").proportion_ci(0.95, method="exact")
    assert (point.kept, point.coverage) == (40, 0.8)
    assert point.precision_bound == pytest.approx(expected.low)
    assert operating_point([0.1], [True], 0.5).precision is None


def test_a_precision_out_of_reach():
    confidence, correct = np.linspace(0, 1, 100), np.arange(100) % 2 == 0
    with pytest.raises(InputError, match=r"0\.9 is not reached on these 100 rows: the highest .* is 0\.5\d+"):
        threshold_for_precision(confidence, correct, 0.9)
    with pytest.raises(InputError, match="needs at least 20 labelled rows with a verdict, found 5"):
        threshold_for_precision([0.9] * 5, [True] * 5, 0.9)
    with pytest.raises(InputError, match=r"expected a number in \(0, 1"):
        threshold_for_precision([0.9], [True], 1.5)


def test_macro_f1_is_that_of_scikit_learn_over_the_classes_that_occur():
    from sklearn.metrics import f1_score

    gold, guess = list("aabb"), list("acbb")
    found = classification(gold, guess, ["a", "b", "c", "never"]).macro_f1
    assert found == pytest.approx(f1_score(gold, guess, average="macro"))
