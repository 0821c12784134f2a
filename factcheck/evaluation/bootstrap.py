"""Bootstrap intervals: how much a figure would vary on other rows drawn like these (Efron & Tibshirani 1993).

Rows are drawn with replacement, as many as there are. Figures of a confusion matrix depend on the counts of its cells alone, and
the counts of a resample are multinomial: drawing them is exact and takes no longer for a million rows than for a hundred.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "Interval", "interval", "resampled_counts", "resampled_figures", "resampled_rows"]

#: Resamples; with many rows fewer are drawn row by row, as their figures hardly vary.
DRAWS = 1000
_ROWS_DRAWN = 50_000_000
_FEWEST_DRAWS = 100

#: Ends of a 95% interval.
Interval = tuple[float, float]


def interval(values: NDArray[np.float64], figure: float | None = None) -> Interval:
    """The middle 95% of a figure's values over resamples (percentile interval).

    Args:
        values: (draws,); values that are not numbers (a class that a resample lacks) are left out.
        figure: the sample's own figure. The values are moved so that their mean is there: for figures that are larger on a
            resample than on the sample, such as the calibration error. None leaves them where they are.

    Returns:
        NaN at both ends where no value is a number.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.percentile(values, (2.5, 97.5))
    shift = 0.0 if figure is None else figure - float(values.mean())
    return float(low + shift), float(high + shift)


def resampled_counts(counts: NDArray[np.int64], *, draws: int = DRAWS, seed: int = 0) -> NDArray[np.int64]:
    """Counts of a table's cells in ``draws`` resamples of its rows: ``(draws, *counts.shape)``."""
    total = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(total, counts.ravel() / total, size=draws)
    return drawn.reshape(draws, *counts.shape)


def resampled_rows(rows: int, *, draws: int = DRAWS, seed: int = 0) -> Iterator[NDArray[np.float64]]:
    """How often each of ``rows`` rows is drawn, resample by resample: arrays (rows,)."""
    rng = np.random.default_rng(seed)
    for _ in range(max(_FEWEST_DRAWS, min(draws, _ROWS_DRAWN // max(rows, 1)))):
        yield np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64)


def resampled_figures(
    rows: int, figures: Callable[[NDArray[np.float64]], Mapping[str, float]], *, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """The figures of every resample, by name: arrays (draws,).

    Args:
        rows: number of rows.
        figures: makes the figures from how often each row was drawn, an array (rows,).
        seed: of the draws.
    """
    found = [figures(weights) for weights in resampled_rows(rows, seed=seed)]
    return {name: np.array([one[name] for one in found]) for name in found[0]}
