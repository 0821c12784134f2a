"""How far the confidence of verdicts can be trusted, by kind of row and over all rows that an abstention threshold acts on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factcheck.errors import InputError
from factcheck.evaluation.bootstrap import Interval, interval, resampled_figures
from factcheck.evaluation.judged import Judged
from factcheck.evaluation.metrics import (
    MIN_ROWS,
    OperatingPoint,
    accuracy_at_coverage,
    area_under_risk_coverage,
    calibrated_ece,
    expected_calibration_error,
    operating_point,
    threshold_for_precision,
)

__all__ = ["KINDS", "Confidence", "TargetPoint", "confidence_by_kind", "target_point"]

#: Kinds of row, with what they are. The first is what an abstention threshold acts on.
KINDS = {
    "all rows": "all labelled rows judged by evidence, which an abstention threshold acts on",
    "image pairs": "labelled rows judged by evidence whose verdict saw an image on both sides, scored on the five classes where their gold "
    "label is one",
    "text only": "labelled rows judged by evidence without a pair of images, scored on the stance",
}
_COVERAGES = (0.5, 0.7, 0.8, 0.9, 1.0)
_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
TARGETS = (0.8, 0.9, 0.95)
_BINS = 15
_HALVES = 20


@dataclass(frozen=True)
class TargetPoint:
    """The threshold for a target precision, and what it does on rows that it was not chosen on.

    Attributes:
        target: precision in (0, 1].
        point: precision and coverage at the threshold on all the rows; None where no threshold reaches the target.
        coverage: 95% bootstrap interval of the coverage at this precision, the threshold chosen anew on each resample.
        held_out_precision, held_out_coverage: on the half of the rows that the threshold was not chosen on, in the mean over
            random halves; None where the target was reached on too few halves to say.
        remark: why there is no point; None where there is one.
    """

    target: float
    point: OperatingPoint | None
    coverage: Interval | None
    held_out_precision: float | None
    held_out_coverage: float | None
    remark: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "target": self.target,
            "point": self.point.to_dict() if self.point else None,
            "coverage_interval": list(self.coverage) if self.coverage else None,
            "held_out_precision": self.held_out_precision,
            "held_out_coverage": self.held_out_coverage,
            "remark": self.remark,
        }


@dataclass(frozen=True)
class Confidence:
    """How far the confidence of one kind of row can be trusted.

    A verdict's *forecast* is the probability of what it is scored on, the five-class label or the stance; its *confidence* is the
    column of that name, which thresholds are compared with. They differ only where a verdict on a pair of images is scored on
    the stance.

    Attributes:
        kind: one of :data:`KINDS`.
        rows: number of rows.
        accuracy: share of them that is right.
        ece: expected calibration error of the forecasts, 15 bins, in [0, 1].
        calibrated_ece: the mean ECE of perfectly calibrated forecasts of these sizes: what few rows do to it.
        brier: Brier score of the forecasts in [0, 2].
        aurc: area under the risk–coverage curve, in [0, 1].
        intervals: 95% bootstrap intervals of these figures by name.
        accuracy_at: accuracy over the most confident share of rows, by share.
        accuracy_at_intervals: their intervals.
        thresholds: what withholding verdicts does at several thresholds of confidence.
        targets: thresholds for several target precisions.
        confidence, forecast, correct: what the figures were made from, row by row, for plots.
    """

    kind: str
    rows: int
    accuracy: float
    ece: float
    calibrated_ece: float
    brier: float
    aurc: float
    intervals: dict[str, Interval]
    accuracy_at: dict[float, float]
    accuracy_at_intervals: dict[float, Interval]
    thresholds: tuple[OperatingPoint, ...]
    targets: tuple[TargetPoint, ...]
    confidence: NDArray[np.float64] = field(repr=False, compare=False)
    forecast: NDArray[np.float64] = field(repr=False, compare=False)
    correct: NDArray[np.bool_] = field(repr=False, compare=False)

    @property
    def rows_are(self) -> str:
        """Which rows these are, in words."""
        return KINDS[self.kind]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        names = ("kind", "rows", "rows_are", "accuracy", "ece", "calibrated_ece", "brier", "aurc")
        return {
            **{name: getattr(self, name) for name in names},
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "accuracy_at_coverage": dict(self.accuracy_at),
            "thresholds": [point.to_dict() for point in self.thresholds],
            "targets": [point.to_dict() for point in self.targets],
        }


def confidence_by_kind(judged: Judged, *, targets: Sequence[float] = TARGETS) -> dict[str, Confidence]:
    """The figures of each kind of row that there is, by kind; empty where no labelled row was judged by evidence.

    Args:
        judged: verdicts and gold labels.
        targets: precisions in (0, 1] that thresholds are wanted for.
    """
    rows = judged.labelled & judged.decided
    kinds = {"all rows": rows, "image pairs": rows & judged.pair, "text only": rows & ~judged.pair}
    if not (kinds["image pairs"].any() and kinds["text only"].any()):
        kinds = {name: chosen for name, chosen in kinds.items() if name != "all rows"}
    return {name: _figures(name, judged, chosen, targets) for name, chosen in kinds.items() if chosen.any()}


def target_point(
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    target: float,
    *,
    coverage: Interval | None = None,
    seed: int = 0,
) -> TargetPoint:
    """The lowest threshold that reaches a precision, and what to expect of it on other rows.

    Args:
        confidence, correct: N rows that the model was not trained on.
        target: precision in (0, 1].
        coverage: its interval, if known.
        seed: of the random halves.

    Raises:
        InputError: the target is out of range.
    """
    remark, point = None, None
    try:
        point = threshold_for_precision(confidence, correct, target)
    except InputError as error:
        if error.field == "target_precision":
            raise
        remark = str(error)
    held = _held_out(confidence, correct, target, seed) if point else (None, None)
    return TargetPoint(target, point, coverage if point else None, *held, remark)


def _held_out(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], target: float, seed: int
) -> tuple[float | None, float | None]:
    """Precision and coverage on the halves of the rows that the threshold was not chosen on, pooled over the halves."""
    rng = np.random.default_rng(seed)
    kept = right = rows = reached = 0
    for _ in range(_HALVES):
        order = rng.permutation(len(confidence))
        for chosen, other in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            try:
                threshold = threshold_for_precision(
                    confidence[chosen], correct[chosen], target, min_rows=MIN_ROWS // 2
                ).threshold
            except InputError:
                continue
            given = confidence[other] >= threshold
            reached, rows = reached + 1, rows + len(other)
            kept, right = kept + int(given.sum()), right + int(correct[other][given].sum())
    if reached < _HALVES or not kept:
        return None, None
    return right / kept, kept / rows


def _figures(kind: str, judged: Judged, chosen: NDArray[np.bool_], targets: Sequence[float]) -> Confidence:
    classes = judged.on_classes[chosen]
    five, three = judged.probabilities[chosen], judged.stance_probabilities[chosen]
    rows = np.arange(len(classes))
    said = np.where(classes, judged.label[chosen], judged.stance[chosen])
    forecast = np.where(classes, five[rows, np.where(classes, said, 0)], three[rows, np.where(classes, 0, said)])
    distance = np.where(classes, _squared(five, judged.gold_class[chosen]), _squared(three, judged.gold_stance[chosen]))
    confidence, correct = judged.confidence[chosen], judged.right[chosen]
    # A judge that gives no probabilities still says how sure it is.
    forecast = np.where(np.isnan(forecast), confidence, forecast)
    distance = np.where(np.isnan(distance), 2 * (forecast - correct) ** 2, distance)
    resample = _Resample(confidence, forecast, correct, distance, targets)
    drawn = resampled_figures(len(confidence), resample)
    ece = expected_calibration_error(forecast, correct, _BINS)
    return Confidence(
        kind=kind,
        rows=len(confidence),
        accuracy=float(correct.mean()),
        ece=ece,
        calibrated_ece=calibrated_ece(forecast, _BINS),
        brier=float(distance.mean()),
        aurc=area_under_risk_coverage(confidence, correct),
        intervals={
            # A resample repeats rows, which its calibration error takes for certainty: only its spread tells something.
            "ece": _from_zero(interval(drawn["ece"], ece)),
            **{name: interval(drawn[name]) for name in ("accuracy", "brier", "aurc")},
        },
        accuracy_at={share: accuracy_at_coverage(confidence, correct, share) for share in _COVERAGES},
        accuracy_at_intervals={share: interval(drawn[f"at {share}"]) for share in _COVERAGES},
        thresholds=tuple(operating_point(confidence, correct, threshold) for threshold in _THRESHOLDS),
        targets=tuple(
            target_point(confidence, correct, target, coverage=interval(drawn[f"target {target}"]))
            for target in targets
        ),
        confidence=confidence,
        forecast=forecast,
        correct=correct,
    )


def _squared(vectors: NDArray[np.float64], gold: NDArray[np.int8]) -> NDArray[np.float64]:
    """Squared distance of each probability vector (N, C) to the gold one-hot vector."""
    return ((vectors - np.eye(vectors.shape[1])[np.maximum(gold, 0)]) ** 2).sum(1)


def _from_zero(ends: Interval) -> Interval:
    return max(0.0, ends[0]), max(0.0, ends[1])


class _Resample:
    """The figures of a resample of the rows, from how often each was drawn; sorted and binned once."""

    def __init__(
        self,
        confidence: NDArray[np.float64],
        forecast: NDArray[np.float64],
        correct: NDArray[np.bool_],
        distance: NDArray[np.float64],
        targets: Sequence[float],
    ) -> None:
        self._order = np.argsort(-confidence, kind="stable")
        falling = -confidence[self._order]
        # Rows of equal confidence enter together: no threshold parts them.
        self._ends = np.searchsorted(falling, falling, side="right") - 1
        self._hits = correct[self._order].astype(np.float64)
        self._forecast, self._distance = forecast[self._order], distance[self._order]
        self._bins = np.minimum((self._forecast * _BINS).astype(int), _BINS - 1)
        self._targets = targets

    def __call__(self, weights: NDArray[np.float64]) -> dict[str, float]:
        weights = weights[self._order]
        rows = weights.sum()
        gap = np.bincount(self._bins, weights * (self._hits - self._forecast), _BINS)
        kept, right = np.cumsum(weights), np.cumsum(weights * self._hits)
        precision = np.divide(right, kept, out=np.ones_like(right), where=kept > 0)
        figures = {
            "accuracy": float(right[-1] / rows),
            "ece": float(np.abs(gap).sum() / rows),
            "brier": float(weights @ self._distance / rows),
            "aurc": float(weights @ (1 - precision[self._ends]) / rows),
        }
        for share in _COVERAGES:
            figures[f"at {share}"] = float(precision[min(np.searchsorted(kept, share * rows), len(kept) - 1)])
        kept, precision = kept[self._ends], precision[self._ends]
        for target in self._targets:
            reached = np.flatnonzero((kept >= MIN_ROWS) & (precision >= target - 1e-12))
            figures[f"target {target}"] = float(kept[reached[-1]] / rows) if len(reached) else 0.0
        return figures
