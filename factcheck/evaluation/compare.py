"""Two verdict tables of the same claims: is one better, by how much, and where?

Everything is paired: both are scored on the same rows, and a resample draws the same rows for both. A row is scored on the five
classes where both verdicts saw a pair of images and its gold label is of them, else on the stance, so that neither table is asked
for more than the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from factcheck.errors import InputError
from factcheck.evaluation.bootstrap import Interval, interval, resampled_counts, resampled_figures
from factcheck.evaluation.confidence import TARGETS
from factcheck.evaluation.judged import Judged, judge
from factcheck.evaluation.matching import Joined, Progress, join_tables
from factcheck.evaluation.metrics import MIN_ROWS, confusion_figures
from factcheck.evaluation.slices import Groups, slices_of
from factcheck.labels import FACTIFY_LABELS, STANCES

__all__ = ["CHANGES", "Comparison", "Difference", "McNemar", "compare"]

#: What may have become of a row's verdict, in the order of :attr:`Comparison.changes`.
CHANGES = ("the same", "mended", "broken", "another answer")
_BINS = 15


@dataclass(frozen=True)
class Difference:
    """A figure of both tables over the same rows.

    Attributes:
        name: the figure, or the property of a part of the table.
        group: the value of that property; ``""`` for a figure of all rows.
        rows: number of rows.
        first, second: the figure of table A and of table B.
        interval: 95% paired bootstrap interval of ``second − first``.
        higher_is_better: None where neither is.
    """

    name: str
    group: str
    rows: int
    first: float
    second: float
    interval: Interval
    higher_is_better: bool | None = True

    @property
    def difference(self) -> float:
        """B less A."""
        return self.second - self.first

    @property
    def is_certain(self) -> bool:
        """Whether the interval of the difference leaves 0 out."""
        return self.interval[0] > 0 or self.interval[1] < 0

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {**self.__dict__, "interval": list(self.interval), "difference": self.difference}


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test (1947) on the rows where one table is right and the other wrong.

    Attributes:
        only_first, only_second: rows that only table A, only table B has right.
        p_value: two-sided, that so unequal a split comes of two equally good tables.
    """

    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """How table B differs from table A.

    Attributes:
        rows: labelled rows that both tables have a verdict on.
        main: the figure that decides: weighted F1 over the five classes, or macro F1 of the stance where rows have no such label.
        figures: all figures over all rows, the main one first.
        parts: accuracy by gold class, source and the other properties of rows.
        coverage: coverage at the same precision.
        mcnemar: whether rows are right more often.
        changes: (N,) of every verdict of B, the place in :data:`CHANGES`; −1 where A has no verdict on the row.
        before: (N,) label and confidence that A gave the same row, None where it has none.
        ids: (N,) of the rows.
        only_first, only_second: rows of the truth table that only A, only B has a verdict on.
        seconds: seconds per 1,000 claims of both, where known.
    """

    rows: int
    main: Difference
    figures: tuple[Difference, ...]
    parts: tuple[Difference, ...]
    coverage: tuple[Difference, ...]
    mcnemar: McNemar
    changes: NDArray[np.int64] = field(repr=False, compare=False)
    before: list[dict[str, Any] | None] = field(repr=False, compare=False)
    ids: list[str] = field(repr=False, compare=False)
    only_first: int = 0
    only_second: int = 0
    seconds: tuple[float | None, float | None] = (None, None)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, with the ids of the rows that changed."""
        return {
            "rows": self.rows,
            "only_in_a": self.only_first,
            "only_in_b": self.only_second,
            "main": self.main.to_dict(),
            **{name: [one.to_dict() for one in getattr(self, name)] for name in ("figures", "parts", "coverage")},
            "mcnemar": self.mcnemar.__dict__,
            "seconds_per_1000": list(self.seconds),
            "changed": {
                name: [self.ids[i] for i in np.flatnonzero(self.changes == place)]
                for place, name in enumerate(CHANGES)
                if place
            },
        }


def compare(
    first: Any,
    second: Any,
    truth: Any,
    *,
    columns: Mapping[str, str] | None = None,
    targets: Sequence[float] = TARGETS,
    seconds: tuple[float | None, float | None] = (None, None),
    progress: Progress | None = None,
) -> Comparison:
    """Compare two verdict tables of the same claims.

    Args:
        first, second: table A and table B.
        truth: the claims table with gold labels; each of the three as :func:`factcheck.evaluation.scoring.score` takes it.
        columns: names of columns in ``truth``.
        targets: precisions in (0, 1] at which coverages are compared.
        seconds: what 1,000 claims took in either run, where that is known.
        progress: called with the number of truth rows read and of all, once for each table.

    Raises:
        InputError: a table cannot be read or does not belong to ``truth``, or no labelled row has a verdict in both.
    """
    joined = [join_tables(table, truth, columns=columns, progress=progress) for table in (first, second)]
    judged = [judge(one.verdicts, one.labels, one.classes) for one in joined]
    place_in_first = {int(place): i for i, place in enumerate(joined[0].places)}
    matches = np.array([place_in_first.get(int(place), -1) for place in joined[1].places], dtype=np.int64)
    mine = np.flatnonzero((matches >= 0) & judged[1].labelled)
    if not len(mine):
        raise InputError(
            "the two tables have no labelled row in common",
            field="truth",
            hint="give two verdict tables of the same claims, and these claims with gold labels as `truth`",
        )
    pair = _Pair(judged[0], judged[1], matches[mine], mine, targets)
    figures = _figures(pair)
    return Comparison(
        rows=len(mine),
        main=figures[0],
        figures=tuple(figures),
        parts=tuple(_parts(pair, _properties(joined[1], judged[1], mine))),
        coverage=tuple(_coverage(pair)),
        mcnemar=_mcnemar(pair.right),
        changes=_changes(joined[0], joined[1], matches, pair, mine),
        before=_before(joined[0], matches),
        ids=joined[1].verdicts["id"].to_pylist(),
        only_first=len(joined[0].places) - int((matches >= 0).sum()),
        only_second=int((matches < 0).sum()),
        seconds=seconds,
    )


class _Pair:
    """Both tables over the same M labelled rows, in the order of B: arrays of shape (2, M)."""

    def __init__(
        self, first: Judged, second: Judged, rows: NDArray[np.int64], mine: NDArray[np.int64], targets: Sequence[float]
    ) -> None:
        chosen = ((first, rows), (second, mine))

        def stacked(name: str) -> NDArray[Any]:
            return np.stack([getattr(judged, name)[places] for judged, places in chosen])

        self.targets = targets
        self.rows = len(mine)
        self.gold_class, self.gold_stance = second.gold_class[mine], second.gold_stance[mine]
        self.label, self.stance = stacked("label"), stacked("stance")
        self.on_classes = stacked("pair").all(0) & (self.gold_class >= 0)
        answer = np.where(self.on_classes, self.label, self.stance)
        gold = np.where(self.on_classes, self.gold_class, self.gold_stance)
        self.right = answer == gold
        self.decided, self.confidence = stacked("decided"), np.nan_to_num(stacked("confidence"))
        self.answer, self.gold = answer, gold
        five, three = stacked("probabilities"), stacked("stance_probabilities")
        places = np.arange(self.rows)
        forecast = [
            np.where(
                self.on_classes,
                five[i][places, np.where(self.on_classes, answer[i], 0)],
                three[i][places, np.where(self.on_classes, 0, answer[i])],
            )
            for i in (0, 1)
        ]
        self.forecast = np.nan_to_num(np.stack(forecast))
        # Where both were judged by evidence: elsewhere confidence says nothing.
        self.sure = self.decided.all(0)


def _figures(pair: _Pair) -> list[Difference]:
    of_classes = pair.gold_class >= 0
    # Without pairs of images accuracy is that of the stance.
    names = {
        "accuracy": True,
        **({"stance accuracy": True} if pair.on_classes.any() else {}),
        "stance macro F1": True,
        "calibration error": False,
    }
    if of_classes.any():
        names = {"five-class weighted F1": True, **names}
    rows = dict.fromkeys(names, pair.rows) | {
        "five-class weighted F1": int(of_classes.sum()),
        "calibration error": int(pair.sure.sum()),
    }

    def figures(weights: NDArray[np.float64]) -> dict[str, float]:
        found = {}
        for i, side in enumerate("AB"):
            stance = _confusion(pair.gold_stance, pair.stance[i], weights, len(STANCES))
            of_stance = confusion_figures(stance)
            found[f"accuracy {side}"] = float(weights @ pair.right[i] / weights.sum())
            found[f"stance accuracy {side}"] = float(of_stance["accuracy"])
            found[f"stance macro F1 {side}"] = float(of_stance["macro_f1"])
            found[f"calibration error {side}"] = _calibration_error(pair, i, weights)
            if of_classes.any():
                classes = _confusion(
                    pair.gold_class[of_classes], pair.label[i][of_classes], weights[of_classes], len(FACTIFY_LABELS)
                )
                found[f"five-class weighted F1 {side}"] = (
                    float(confusion_figures(classes)["weighted_f1"]) if classes.sum() else np.nan
                )
        return found

    whole, drawn = figures(np.ones(pair.rows)), resampled_figures(pair.rows, figures)
    order = sorted(
        names, key=lambda name: name != ("five-class weighted F1" if of_classes.any() else "stance macro F1")
    )
    return [
        Difference(
            name,
            "",
            rows[name],
            whole[f"{name} A"],
            whole[f"{name} B"],
            interval(drawn[f"{name} B"] - drawn[f"{name} A"]),
            names[name],
        )
        for name in order
    ]


def _confusion(
    gold: NDArray[np.int8], said: NDArray[np.int8], weights: NDArray[np.float64], size: int
) -> NDArray[np.int64]:
    cells = gold.astype(np.int64) * (size + 1) + np.where(said < 0, size, said)
    counts = np.bincount(cells, weights, minlength=size * (size + 1))
    return np.rint(counts).astype(np.int64).reshape(size, size + 1)


def _calibration_error(pair: _Pair, i: int, weights: NDArray[np.float64]) -> float:
    weights = weights * pair.sure
    if not weights.sum():
        return float("nan")
    bins = np.minimum((pair.forecast[i] * _BINS).astype(int), _BINS - 1)
    gap = np.bincount(bins, weights * (pair.right[i] - pair.forecast[i]), _BINS)
    return float(np.abs(gap).sum() / weights.sum())


def _coverage(pair: _Pair) -> list[Difference]:
    """Coverage at the same precision, over the rows that both tables judged by evidence."""
    rows = np.flatnonzero(pair.sure)
    if len(rows) < MIN_ROWS:
        return []
    orders = [np.argsort(-pair.confidence[i][rows], kind="stable") for i in (0, 1)]
    falling = [-pair.confidence[i][rows][order] for i, order in enumerate(orders)]
    ends = [np.searchsorted(values, values, side="right") - 1 for values in falling]
    hits = [pair.right[i][rows][order].astype(np.float64) for i, order in enumerate(orders)]

    def figures(weights: NDArray[np.float64]) -> dict[str, float]:
        found = {}
        for i, side in enumerate("AB"):
            drawn = weights[orders[i]]
            kept, right = np.cumsum(drawn)[ends[i]], np.cumsum(drawn * hits[i])[ends[i]]
            precision = np.divide(right, kept, out=np.zeros_like(right), where=kept > 0)
            for target in pair.targets:
                reached = np.flatnonzero((kept >= MIN_ROWS) & (precision >= target - 1e-12))
                found[f"{target} {side}"] = float(kept[reached[-1]] / weights.sum()) if len(reached) else 0.0
        return found

    whole, drawn = figures(np.ones(len(rows))), resampled_figures(len(rows), figures)
    return [
        Difference(
            f"coverage at {target:.0%} precision",
            "",
            len(rows),
            whole[f"{target} A"],
            whole[f"{target} B"],
            interval(drawn[f"{target} B"] - drawn[f"{target} A"]),
        )
        for target in pair.targets
    ]


def _properties(joined: Joined, judged: Judged, mine: NDArray[np.int64]) -> dict[str, Groups]:
    """What the rows are told apart by: first their gold class, then the slices."""
    names = [label.value for label in FACTIFY_LABELS] + [f"{stance.value} (stance)" for stance in STANCES]
    gold = np.where(judged.gold_class >= 0, judged.gold_class, len(FACTIFY_LABELS) + judged.gold_stance)
    found = {"gold class": Groups(tuple(names), gold.astype(np.int64)), **slices_of(joined, judged)}
    return {name: Groups(groups.names, groups.places[mine]) for name, groups in found.items()}


def _parts(pair: _Pair, properties: Mapping[str, Groups]) -> list[Difference]:
    found = []
    for name, groups in properties.items():
        for place, group in enumerate(groups.names):
            chosen = groups.places == place
            if not chosen.any():
                continue
            first, second = pair.right[0][chosen], pair.right[1][chosen]
            counts = np.array([(first & ~second).sum(), (second & ~first).sum(), (first == second).sum()])
            drawn = resampled_counts(counts)
            ends = interval((drawn[:, 1] - drawn[:, 0]) / counts.sum())
            found.append(Difference(name, group, int(chosen.sum()), float(first.mean()), float(second.mean()), ends))
    return found


def _mcnemar(right: NDArray[np.bool_]) -> McNemar:
    first, second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    p_value = float(binomtest(second, first + second).pvalue) if first + second else 1.0
    return McNemar(first, second, p_value)


def _changes(
    first: Joined, second: Joined, matches: NDArray[np.int64], pair: _Pair, mine: NDArray[np.int64]
) -> NDArray[np.int64]:
    before, after = first.verdicts["label"].to_pylist(), second.verdicts["label"].to_pylist()
    changes = np.array(
        [
            -1 if match < 0 else 0 if before[match] == after[i] else CHANGES.index("another answer")
            for i, match in enumerate(matches)
        ],
        dtype=np.int64,
    )
    changes[mine[pair.right[1] & ~pair.right[0]]] = CHANGES.index("mended")
    changes[mine[pair.right[0] & ~pair.right[1]]] = CHANGES.index("broken")
    return changes


def _before(first: Joined, matches: NDArray[np.int64]) -> list[dict[str, Any] | None]:
    rows = first.verdicts.select(["label", "confidence"]).to_pylist()
    return [rows[match] if match >= 0 else None for match in matches]
