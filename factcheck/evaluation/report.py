"""The HTML report of an evaluation: one file, no network, readable without scripts."""

import base64
import html
import io
from datetime import datetime
from pathlib import Path
from typing import Any

from factcheck.evaluation.confidence import Confidence
from factcheck.evaluation.metrics import risk_coverage
from factcheck.evaluation.scoring import Scores
from retrieval.durable import replacing

__all__ = ["plot_calibration", "plot_confusion", "plot_risk_coverage", "write_report"]


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


def write_report(
    scores: Scores,
    path: str | Path,
    *,
    title: str = "Evaluation",
    baselines: Any = None,
    baselines_by_source: Any = None,
    verdicts: str | Path | None = None,
    truth: str | Path | None = None,
) -> Path:
    """Write the report.

    Args:
        scores: what to report.
        path: HTML file to write.
        title: heading.
        baselines: figures of baselines by name, or None.
        baselines_by_source: stance accuracy of baselines by source and name, or None.
        verdicts, truth: the tables that were scored, whose names the report states.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("factcheck.evaluation", "templates"), autoescape=True)
    main = scores.five_class or scores.stance
    figures = [("Confusion matrix", _figure(plot_confusion, main))]
    if scores.operating:
        figures.append(("Calibration", _figure(plot_calibration, scores.operating)))
        figures.append(("Risk and coverage", _figure(plot_risk_coverage, scores.operating)))
    parts = {"Five classes": scores.five_class, "Stance": scores.stance, "Image relation": scores.image_relation}
    text = environment.get_template("report.html.j2").render(
        title=html.unescape(title),
        scores=scores,
        parts={name: part for name, part in parts.items() if part},
        figures=figures,
        baselines=baselines or {},
        baselines_by_source=baselines_by_source or {},
        date=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        tables={
            what: Path(table).name for what, table in (("verdict table", verdicts), ("truth table", truth)) if table
        },
    )
    with replacing(path) as partial:
        partial.write_text(text, "utf-8")
    return Path(path)


def _figure(draw: Any, data: Any) -> str:
    """A plot as a data URI; drawn without pyplot, which would keep it in a global register."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 3.6), layout="constrained")
    draw(data, figure.subplots())
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(sink.getvalue()).decode()
