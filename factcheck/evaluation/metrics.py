"""Metrics of a verdict table against gold labels: classification, calibration, selective prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from factcheck.errors import InputError

__all__ = [
    "Classification",
    "accuracy_at_coverage",
    "area_under_risk_coverage",
    "brier_score",
    "classification",
    "expected_calibration_error",
    "risk_coverage",
]


@dataclass(frozen=True)
class Classification:
    """Figures of one classification task over N rows and C classes; all in [0, 1] but the counts.

    Attributes:
        labels: the classes, in the order of the figures.
        rows: N.
        accuracy, macro_f1, weighted_f1: over all rows. Weighted F1 over the five classes is Factify 2's own metric.
        precision, recall, f1, support: one figure a class.
        confusion: (C, C) counts, gold by row, predicted by column.
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
            "classes": per_class,
            "confusion": [list(row) for row in self.confusion],
        }


def classification(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> Classification:
    """Accuracy, F1 and the confusion matrix (scikit-learn's definitions; a class that never occurs scores 0).

    A prediction that is no class at all (a row with an error) counts as wrong.

    Raises:
        InputError: no rows, or lists of different length.
    """
    if not gold or len(gold) != len(predicted):
        raise InputError(f"nothing to score: {len(gold)} gold labels against {len(predicted)} predictions")
    p, r, f, n = precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
    seen = [i for i, count in enumerate(n) if count]
    return Classification(
        labels=tuple(labels),
        rows=len(gold),
        accuracy=float(np.mean([g == q for g, q in zip(gold, predicted, strict=True)])),
        macro_f1=float(np.mean(f[seen])),
        weighted_f1=float(np.average(f, weights=n)),
        precision=tuple(map(float, p)),
        recall=tuple(map(float, r)),
        f1=tuple(map(float, f)),
        support=tuple(map(int, n)),
        confusion=tuple(tuple(map(int, row)) for row in confusion_matrix(gold, predicted, labels=labels)),
    )


def expected_calibration_error(confidence: Sequence[float], correct: Sequence[bool], bins: int = 15) -> float:
    """ECE over equal-width bins, in [0, 1]: mean |accuracy − confidence|, weighted by bin size (arXiv 1706.04599)."""
    confidence, hits = _arrays(confidence, correct)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins)
    gap = np.abs(np.bincount(index, hits, bins) - np.bincount(index, confidence, bins))
    return float(gap[counts > 0].sum() / len(confidence))


def brier_score(probabilities: Sequence[Sequence[float]], gold: Sequence[int]) -> float:
    """Multi-class Brier score in [0, 2]: mean squared distance of the probability vector to the gold one-hot vector."""
    p = np.asarray(probabilities, dtype=np.float64)
    target = np.eye(p.shape[1])[np.asarray(gold)]
    return float(((p - target) ** 2).sum(1).mean())


def risk_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk as the threshold falls: (N,) coverage in (0, 1], rising, and the error rate at each.

    Rows of equal confidence enter together, as no threshold can part them: the curve has one value for all of them.
    """
    confidence, hits = _arrays(confidence, correct)
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum(1 - hits[order])
    count = np.arange(1, len(order) + 1)
    ends = np.searchsorted(-confidence[order], -confidence[order], side="right") - 1
    return count / len(order), errors[ends] / count[ends]


def area_under_risk_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """AURC in [0, 1]: mean risk over all coverages; lower is better (Geifman & El-Yaniv, arXiv 1805.08206)."""
    return float(risk_coverage(confidence, correct)[1].mean())


def accuracy_at_coverage(confidence: Sequence[float], correct: Sequence[bool], coverage: float) -> float:
    """Accuracy over the ``coverage`` share of rows with the highest confidence (ties broken by row order)."""
    if not 0 < coverage <= 1:
        raise InputError(f"coverage must lie in (0, 1], found {coverage}")
    confidence, hits = _arrays(confidence, correct)
    keep = max(1, round(coverage * len(confidence)))
    return float(hits[np.argsort(-confidence, kind="stable")[:keep]].mean())


def _arrays(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    c, h = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if len(c) != len(h) or len(c) == 0:
        raise InputError(f"need as many confidences as outcomes and at least one, found {len(c)} and {len(h)}")
    return c, h
