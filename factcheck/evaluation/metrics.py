"""Metrics of a verdict table against gold labels: classification, calibration, selective prediction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

from factcheck.errors import InputError
from factcheck.evaluation.bootstrap import Interval, interval, resampled_counts
from retrieval.arguments import checked_share

__all__ = [
    "Classification",
    "OperatingPoint",
    "accuracy_at_coverage",
    "area_under_risk_coverage",
    "brier_score",
    "calibrated_ece",
    "classification",
    "classification_of",
    "confusion_figures",
    "expected_calibration_error",
    "operating_point",
    "risk_coverage",
    "threshold_for_precision",
]

#: Fewest verdicts that a threshold for a target precision must leave.
MIN_ROWS = 20


@dataclass(frozen=True)
class Classification:
    """Figures of one classification task over N rows and C classes; all in [0, 1] but the counts.

    Attributes:
        labels: the classes, in the order of the figures.
        rows: N.
        accuracy, macro_f1, weighted_f1: over all rows. Weighted F1 over the five classes is Factify 2's own metric.
        precision, recall, f1, support: one figure a class.
        confusion: (C, C) counts, gold by row, predicted by column.
        intervals: 95% bootstrap intervals of ``accuracy``, ``macro_f1`` and ``weighted_f1``.
    """

    labels: tuple[str, ...]
    rows: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        per_class = {
            label: {
                "precision": self.precision[i],
                "recall": self.recall[i],
                "f1": self.f1[i],
                "support": self.support[i],
            }
            for i, label in enumerate(self.labels)
        }
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "weighted_f1": self.weighted_f1,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "classes": per_class,
            "confusion": [list(row) for row in self.confusion],
        }


def classification(gold: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str]) -> Classification:
    """Accuracy, F1 and the confusion matrix, with bootstrap intervals (scikit-learn's definitions).

    Macro F1 is the mean over the classes that occur, as gold labels or as predictions.

    A prediction that is no class at all (a row with an error) counts as wrong.

    Raises:
        InputError: no rows, or lists of different length.
    """
    if not gold or len(gold) != len(predicted):
        raise InputError(f"nothing to score: {len(gold)} gold labels against {len(predicted)} predictions")
    places = {label: place for place, label in enumerate(labels)}
    size = len(labels)
    cells = np.array([places[g] * (size + 1) + places.get(p or "", size) for g, p in zip(gold, predicted, strict=True)])
    return classification_of(np.bincount(cells, minlength=size * (size + 1)).reshape(size, size + 1), labels)


def classification_of(counts: NDArray[np.int64], labels: Sequence[str]) -> Classification:
    """As :func:`classification`, from counts (C, C + 1): gold class by row, predicted class by column, none at all last."""
    figures = confusion_figures(counts)
    precision, recall, f1 = (figures[name] for name in ("precision", "recall", "f1"))
    drawn = confusion_figures(resampled_counts(counts), seen=figures["seen"])
    return Classification(
        labels=tuple(labels),
        rows=int(counts.sum()),
        accuracy=float(figures["accuracy"]),
        macro_f1=float(figures["macro_f1"]),
        weighted_f1=float(figures["weighted_f1"]),
        precision=tuple(map(float, precision)),
        recall=tuple(map(float, recall)),
        f1=tuple(map(float, f1)),
        support=tuple(map(int, counts.sum(1))),
        confusion=tuple(tuple(map(int, row)) for row in counts[:, :-1]),
        intervals={name: interval(drawn[name]) for name in ("accuracy", "macro_f1", "weighted_f1")},
    )


def confusion_figures(counts: NDArray[np.int64], *, seen: NDArray[np.bool_] | None = None) -> dict[str, NDArray[Any]]:
    """Accuracy, macro and weighted F1 (...), precision, recall and F1 (..., C) of counts (..., C, C + 1).

    Args:
        counts: gold class by row, predicted class by column, no class at all in the last column; perhaps of many resamples.
        seen: (C,) the classes that macro F1 averages over; None for those that occur in ``counts``.
    """
    right = np.diagonal(counts[..., :-1], axis1=-2, axis2=-1)
    support, named = counts.sum(-1), counts[..., :-1].sum(-2)
    if seen is None:
        seen = (support + named) > 0
    total = support.sum(-1)
    f1 = _ratio(2 * right, support + named)
    return {
        "accuracy": right.sum(-1) / total,
        "macro_f1": (f1 * seen).sum(-1) / seen.sum(-1),
        "weighted_f1": (f1 * support).sum(-1) / total,
        "precision": _ratio(right, named),
        "recall": _ratio(right, support),
        "f1": f1,
        "seen": seen,
    }


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """``part / whole``, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> float:
    """ECE over equal-width bins, in [0, 1]: mean |accuracy − confidence|, weighted by bin size (arXiv 1706.04599)."""
    values, hits = _arrays(confidence, correct)
    index = np.minimum((values * bins).astype(int), bins - 1)
    gap = np.abs(np.bincount(index, hits, bins) - np.bincount(index, values, bins))
    return float(gap.sum() / len(values))


def calibrated_ece(confidence: ArrayLike, bins: int = 15, draws: int = 200, seed: int = 0) -> float:
    """The mean ECE, in [0, 1], of as many rows were each right with exactly the probability that its confidence says.

    A perfect forecast measures more than 0 on a finite sample: an ECE near this figure says no more than that the sample is small.

    Args:
        confidence: (N,) in [0, 1].
        bins: as for :func:`expected_calibration_error`.
        draws: outcomes drawn; fewer from 100,000 rows on, whose ECE hardly varies.
        seed: of the draws.
    """
    values, _ = _arrays(confidence, np.zeros(np.shape(confidence)))
    draws = max(3, min(draws, 20_000_000 // len(values)))
    rng = np.random.default_rng(seed)
    outcomes = (rng.random(len(values)) < values for _ in range(draws))
    return float(np.mean([expected_calibration_error(values, right, bins) for right in outcomes]))


def brier_score(probabilities: ArrayLike, gold: ArrayLike) -> float:
    """Multi-class Brier score in [0, 2]: mean squared distance of the probability vector to the gold one-hot vector."""
    p = np.asarray(probabilities, dtype=np.float64)
    target = np.eye(p.shape[1])[np.asarray(gold)]
    return float(((p - target) ** 2).sum(1).mean())


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage and risk as the threshold falls: (N,) coverage in (0, 1], rising, and the error rate at each.

    Rows of equal confidence enter together, as no threshold can part them: the curve has one value for all of them.
    """
    values, hits = _arrays(confidence, correct)
    order = np.argsort(-values, kind="stable")
    errors = np.cumsum(1 - hits[order])
    count = np.arange(1, len(order) + 1)
    ends = np.searchsorted(-values[order], -values[order], side="right") - 1
    return count / len(order), errors[ends] / count[ends]


def area_under_risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> float:
    """AURC in [0, 1]: mean risk over all coverages; lower is better (Geifman & El-Yaniv, arXiv 1805.08206)."""
    return float(risk_coverage(confidence, correct)[1].mean())


def accuracy_at_coverage(confidence: ArrayLike, correct: ArrayLike, coverage: float) -> float:
    """Accuracy over the ``coverage`` share of rows with the highest confidence (ties broken by row order)."""
    checked_share("coverage", coverage, above_zero=True)
    values, hits = _arrays(confidence, correct)
    keep = max(1, round(coverage * len(values)))
    return float(hits[np.argsort(-values, kind="stable")[:keep]].mean())


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold of confidence does on N rows: verdicts at or above it are given, the rest withheld.

    Attributes:
        threshold: confidence in [0, 1].
        rows: N.
        kept: rows given a verdict.
        precision: share of the kept rows that are right; None where none is kept.
        precision_bound: one-sided 95% lower confidence bound of the precision (Clopper & Pearson 1934), for N rows drawn
            like those to come; None where none is kept.
    """

    threshold: float
    rows: int
    kept: int
    precision: float | None
    precision_bound: float | None

    @property
    def coverage(self) -> float:
        """Share of the rows that are given a verdict."""
        return self.kept / self.rows

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {**asdict(self), "coverage": self.coverage}


def operating_point(confidence: ArrayLike, correct: ArrayLike, threshold: float) -> OperatingPoint:
    """Precision and coverage when verdicts under ``threshold`` (in [0, 1]) are withheld."""
    values, hits = _arrays(confidence, correct)
    kept = values >= threshold
    count, right = int(kept.sum()), int(hits[kept].sum())
    if not count:
        return OperatingPoint(float(threshold), len(hits), 0, None, None)
    bound = float(beta.ppf(0.05, right, count - right + 1)) if right else 0.0
    return OperatingPoint(float(threshold), len(hits), count, right / count, bound)


def threshold_for_precision(
    confidence: ArrayLike, correct: ArrayLike, target: float, *, min_rows: int = MIN_ROWS
) -> OperatingPoint:
    """The lowest threshold at which the verdicts that are given are right as often as ``target``.

    That is the largest coverage at this precision: the selective classifier of Geifman & El-Yaniv (arXiv 1705.08500), with the
    observed precision in the place of their bound. The bound is in the result: the lowest threshold that reaches a target on
    some rows reaches slightly less on others.

    Args:
        confidence, correct: N rows that the model was not trained on.
        target: precision in (0, 1].
        min_rows: fewest rows that must be left, so that a lucky few do not pass for a precision.

    Raises:
        InputError: the target is out of range, or no threshold reaches it; says which precision can be had.
    """
    checked_share("target_precision", target, above_zero=True)
    values, hits = _arrays(confidence, correct)
    order = np.argsort(-values, kind="stable")
    # A threshold keeps all rows of equal confidence, so only the last of them is a place to cut.
    kept = np.searchsorted(-values[order], -values[order], side="right")
    precision = np.cumsum(hits[order])[kept - 1] / kept
    enough = kept >= min_rows
    # The mean of 20 ones and zeros may fall below 0.95 by rounding alone.
    reached = np.flatnonzero(enough & (precision >= target - 1e-12))
    if len(reached):
        return operating_point(confidence, correct, float(values[order][reached[-1]]))
    if not enough.any():
        raise InputError(
            f"a threshold for a precision of {target:g} needs at least {min_rows} labelled rows with a verdict, "
            f"found {len(hits)}; give more rows"
        )
    top = int(np.argmax(np.where(enough, precision, -1.0)))
    raise InputError(
        f"a precision of {target:g} is not reached on these {len(hits)} rows: the highest that leaves at least {min_rows} of "
        f"them is {precision[top]:.4f}, at a coverage of {kept[top] / len(hits):.1%}; ask for less, or train a better model"
    )


def _arrays(confidence: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    c, h = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if len(c) != len(h) or len(c) == 0:
        raise InputError(f"need as many confidences as outcomes and at least one, found {len(c)} and {len(h)}")
    return c, h
