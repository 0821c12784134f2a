"""Plots of an evaluation for notebooks, drawn into matplotlib axes."""

from typing import Any

from factcheck.evaluation.confidence import Confidence
from factcheck.evaluation.metrics import risk_coverage

__all__ = ["plot_calibration", "plot_confusion", "plot_risk_coverage"]


def plot_confusion(scores: Any, axes: Any) -> None:
    """Draw the confusion matrix of a :class:`~factcheck.evaluation.metrics.Classification` into matplotlib axes."""
    names = [label.replace("_", "\n") for label in scores.labels]
    axes.imshow(scores.confusion, cmap="Blues")
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("predicted")
    axes.set_ylabel("gold")
    top = max(map(max, scores.confusion))
    for i, row in enumerate(scores.confusion):
        for j, count in enumerate(row):
            axes.text(j, i, count, ha="center", va="center", color="white" if count > top / 2 else "black")


def plot_calibration(calibrated: Confidence, axes: Any, bins: int = 10) -> None:
    """Draw the reliability diagram: accuracy against confidence, a point a bin, its size the share of rows."""
    groups: dict[int, list[tuple[float, bool]]] = {}
    for confidence, correct in zip(calibrated.forecast, calibrated.correct, strict=True):
        groups.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, correct))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for rows in groups.values():
        x, y = (sum(column) / len(rows) for column in zip(*rows, strict=True))
        axes.scatter(x, y, s=20 + 400 * len(rows) / len(calibrated.correct), color="tab:blue", alpha=0.7)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")


def plot_risk_coverage(calibrated: Confidence, axes: Any) -> None:
    """Draw the error rate over the most confident share of rows."""
    coverage, risk = risk_coverage(calibrated.confidence, calibrated.correct)
    axes.plot(coverage, risk)
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="coverage", ylabel="error rate")
