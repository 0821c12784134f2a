"""Charts as inline SVG: they follow the page's colours, print sharply and need no script."""

from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape

from factcheck.evaluation.confidence import Confidence
from factcheck.evaluation.metrics import risk_coverage
from factcheck.evaluation.slices import wilson

__all__ = ["interval_bar", "reliability", "reliability_bins", "risk_and_coverage"]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 360, 300, 46, 40, 12, 14
_POINTS = 160


def reliability_bins(part: Confidence, bins: int = 10) -> list[tuple[float, float, tuple[float, float], int]]:
    """Of each bin of forecasts that has rows: mean forecast, accuracy, its 95% interval, number of rows."""
    place = np.minimum((part.forecast * bins).astype(int), bins - 1)
    found = []
    for i in np.unique(place):
        rows = place == i
        count, right = int(rows.sum()), int(part.correct[rows].sum())
        found.append((float(part.forecast[rows].mean()), right / count, wilson(right, count), count))
    return found


def reliability(part: Confidence) -> Markup:
    """The reliability diagram: accuracy against confidence, a point a bin, its size by the share of rows."""
    total = part.rows
    marks = [_line(0, 0, 1, 1, "guide")]
    for forecast, accuracy, (low, high), count in reliability_bins(part):
        marks.append(_line(forecast, low, forecast, high, "whisker"))
        radius = 3 + 9 * (count / total) ** 0.5
        title = f"confidence {forecast:.2f}: {accuracy:.0%} of {count} right"
        marks.append(
            f'<circle class="dot" cx="{_x(forecast):.1f}" cy="{_y(accuracy):.1f}" r="{radius:.1f}"><title>{title}</title></circle>'
        )
    label = f"Reliability diagram of {part.kind}: accuracy against confidence, calibration error {part.ece:.3f}"
    return _chart(marks, label, "confidence", "share that is right", (0, 0.25, 0.5, 0.75, 1))


def risk_and_coverage(parts: Iterable[Confidence]) -> Markup:
    """The error rate of the most confident share of verdicts, a line a kind of row."""
    parts = list(parts)
    curves = [risk_coverage(part.confidence, part.correct) for part in parts]
    # Few rows have any error rate at all; from a tenth of the table on the scale is set by what can be read.
    top = max(float(risk[coverage >= min(0.1, coverage[-1])].max()) for coverage, risk in curves)
    top = min(1.0, max(0.05, top * 1.15))
    marks = []
    for number, (part, (coverage, risk)) in enumerate(zip(parts, curves, strict=True)):
        places = np.unique(np.linspace(0, len(coverage) - 1, _POINTS).astype(int))
        points = " ".join(f"{_x(coverage[i]):.1f},{_y(min(risk[i], top) / top):.1f}" for i in places)
        marks.append(
            f'<polyline class="curve curve-{number}" points="{points}"><title>{escape(part.kind)}</title></polyline>'
        )
    label = "Risk and coverage: " + "; ".join(f"{part.kind} has an area of {part.aurc:.3f}" for part in parts)
    return _chart(marks, label, "share of verdicts given", "error rate", (0, 0.25, 0.5, 0.75, 1), top)


def interval_bar(value: float, low: float, high: float, middle: float | None = None) -> Markup:
    """A figure in [0, 1] as a dot on its interval, with a tick at ``middle`` to compare it with."""
    tick = (
        "" if middle is None else f'<line class="tick" x1="{100 * middle:.1f}" x2="{100 * middle:.1f}" y1="1" y2="13"/>'
    )
    return Markup(
        '<svg class="interval" viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">'
        f'<line class="track" x1="0" x2="100" y1="7" y2="7"/>{tick}'
        f'<line class="whisker" x1="{100 * low:.1f}" x2="{100 * high:.1f}" y1="7" y2="7"/>'
        f'<rect class="dot" x="{100 * value - 1:.1f}" y="3" width="2" height="8" rx="1"/></svg>'
    )


def _x(value: float) -> float:
    return _LEFT + value * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float) -> float:
    return _HEIGHT - _BOTTOM - value * (_HEIGHT - _BOTTOM - _TOP)


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<line class="{name}" x1="{_x(x1):.1f}" y1="{_y(y1):.1f}" x2="{_x(x2):.1f}" y2="{_y(y2):.1f}"/>'


def _chart(
    marks: Sequence[str], label: str, x_title: str, y_title: str, ticks: Sequence[float], top: float = 1.0
) -> Markup:
    grid = []
    for tick in ticks:
        grid += [_line(0, tick, 1, tick, "grid"), _line(tick, 0, tick, 1, "grid")]
        grid.append(
            f'<text class="tick-label" x="{_x(tick):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{tick:.0%}</text>'
        )
        value = f"{tick * top:.0%}" if top > 0.2 else f"{tick * top:.1%}"
        grid.append(f'<text class="tick-label" x="{_LEFT - 6}" y="{_y(tick) + 4:.1f}" text-anchor="end">{value}</text>')
    axes = (
        f'<text class="axis" x="{_x(0.5):.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{x_title}</text>'
        f'<text class="axis" x="12" y="{_y(0.5):.1f}" text-anchor="middle" transform="rotate(-90 12 {_y(0.5):.1f})">{y_title}</text>'
    )
    return Markup(
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(grid)}{''.join(marks)}{axes}</svg>"
    )
