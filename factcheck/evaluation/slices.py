"""Parts of a table in which a model may do better or worse: images, lengths, source, language, OCR, date."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factcheck.evaluation.bootstrap import Interval
from factcheck.evaluation.judged import Judged
from factcheck.evaluation.matching import Joined
from factcheck.evaluation.metrics import confusion_figures
from factcheck.labels import STANCES

__all__ = ["Groups", "Slice", "score_slices", "slices_of", "wilson"]

#: Most values of one property that are told apart; the rest are one group.
MAX_GROUPS = 30
_OTHER = "(others)"
_NONE = "(none)"


@dataclass(frozen=True)
class Slice:
    """Figures over the rows that share a property.

    Attributes:
        name: the property, as ``claim length``.
        group: its value, as ``up to 10 words``.
        rows: labelled rows.
        accuracy: share of them whose verdict is right as far as it says anything (see :mod:`factcheck.evaluation.judged`).
        interval: its 95% interval (Wilson 1927).
        stance_accuracy: share of them whose stance is right.
        stance_macro_f1: of the stance, over the classes that occur.
        withheld: share of them whose verdict was withheld.
    """

    name: str
    group: str
    rows: int
    accuracy: float
    interval: Interval
    stance_accuracy: float
    stance_macro_f1: float
    withheld: float

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {**self.__dict__, "interval": list(self.interval)}


@dataclass(frozen=True)
class Groups:
    """A property of N rows: the groups by name, in an order that makes sense, and the place of each row's own (N,)."""

    names: tuple[str, ...]
    places: NDArray[np.int64]


def slices_of(joined: Joined, judged: Judged) -> dict[str, Groups]:
    """The group of each of the N verdicts, by property; properties that part no rows are left out."""
    truth, verdicts = joined.truth, joined.verdicts
    claim_words = np.array([len((row.claim or "").split()) for row in truth], dtype=np.int64)
    document_words = np.array([row.document_words for row in truth], dtype=np.int64)
    found = {
        "images": Groups(("pair of images", "text only"), (~judged.pair).astype(np.int64)),
        "status": _groups([str(status) for status in verdicts["status"].to_pylist()]),
        "claim length": _lengths(claim_words, (10, 20, 30)),
        "document length": _lengths(document_words, (50, 200, 1000)),
        "text in images": _groups(["text in an image" if row.has_ocr else "no text in images" for row in truth]),
        "date": _groups([row.date[:4] if row.date else _NONE for row in truth]),
        "source": _groups(joined.sources or [_NONE] * len(truth)),
    }
    if "language" in verdicts.column_names:
        found["language"] = _groups([value or _NONE for value in verdicts["language"].to_pylist()])
    return {name: groups for name, groups in found.items() if len(np.unique(groups.places)) > 1}


def score_slices(judged: Judged, properties: dict[str, Groups]) -> list[Slice]:
    """Figures of every group of every property that has labelled rows."""
    return [
        _slice(name, group, judged, rows)
        for name, groups in properties.items()
        for place, group in enumerate(groups.names)
        if (rows := (groups.places == place) & judged.labelled).any()
    ]


def _slice(name: str, group: str, judged: Judged, rows: NDArray[np.bool_]) -> Slice:
    size = len(STANCES)
    stance = np.where(judged.stance[rows] < 0, size, judged.stance[rows])
    cells = judged.gold_stance[rows].astype(np.int64) * (size + 1) + stance
    figures = confusion_figures(np.bincount(cells, minlength=size * (size + 1)).reshape(size, size + 1))
    count, right = int(rows.sum()), int(judged.right[rows].sum())
    return Slice(
        name=name,
        group=group,
        rows=count,
        accuracy=right / count,
        interval=wilson(right, count),
        stance_accuracy=float(figures["accuracy"]),
        stance_macro_f1=float(figures["macro_f1"]),
        withheld=float(judged.abstained[rows].mean()),
    )


def wilson(right: int, rows: int) -> Interval:
    """95% interval of a share, after Wilson 1927: sound for few rows, where a bootstrap of equal outcomes has no width."""
    z2 = 1.959964**2
    centre = (right + z2 / 2) / (rows + z2)
    half = (z2 * (right * (rows - right) / rows + z2 / 4)) ** 0.5 / (rows + z2)
    return max(0.0, centre - half), min(1.0, centre + half)


def _lengths(words: NDArray[np.int64], bounds: Sequence[int]) -> Groups:
    names = ["no text", f"1–{bounds[0]} words"]
    names += [f"{low + 1}–{high} words" for low, high in pairwise(bounds)]
    names.append(f"over {bounds[-1]} words")
    return Groups(tuple(names), np.where(words == 0, 0, 1 + np.searchsorted(bounds, words)))


def _groups(values: Sequence[str]) -> Groups:
    names, places, counts = np.unique(np.array(values, dtype=object), return_inverse=True, return_counts=True)
    if len(names) <= MAX_GROUPS:
        return Groups(tuple(names), places)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_GROUPS])
    moved = np.full(len(names), len(kept))
    moved[kept] = np.arange(len(kept))
    return Groups((*names[kept], _OTHER), moved[places])
