"""Verdicts beside gold labels as arrays: what the figures of a table, its slices and comparisons are made from.

What a verdict is scored on. A verdict that saw an image on both sides (it has five-class probabilities) and whose gold label is of
the five classes is right where it names that class. Any other verdict is right where its stance is the gold label's: it says
nothing of the images. ``Refute`` is a class or a stance by the rule of :func:`factcheck.labels.five_class_labels`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from factcheck.labels import (
    FACTIFY_LABELS,
    IMAGE_RELATIONS,
    STANCES,
    FactifyLabel,
    Stance,
    stance_of,
)

__all__ = ["Judged", "judge"]


@dataclass(frozen=True)
class Judged:
    """N verdicts and their gold labels, as arrays (N,); classes are places in the label map, −1 for none.

    Attributes:
        labelled: the row has a gold label.
        gold_stance: in ``STANCES``.
        gold_class: in ``FACTIFY_LABELS``; −1 where the gold label is a bare stance.
        stance: the verdict's, −1 on an error.
        label: the verdict's label among the five classes; −1 where it names a stance alone (``Refute`` is a class).
        relation: the verdict's image relation in ``IMAGE_RELATIONS``.
        pair: the verdict saw an image on both sides.
        decided: the verdict was judged by evidence: the rows that an abstention threshold acts on. Others are always withheld.
        abstained: the verdict was withheld; a row in error has none, and is not counted among them.
        failed: the row could not be verified (status ``error``).
        confidence: what an abstention threshold is compared with, NaN where there is none.
        right: the verdict is right, as far as it says anything (see the module); False without a gold label.
        probabilities: (N, 5), NaN without a pair.
        stance_probabilities: (N, 3), NaN on an error.
    """

    labelled: NDArray[np.bool_]
    gold_stance: NDArray[np.int8]
    gold_class: NDArray[np.int8]
    stance: NDArray[np.int8]
    label: NDArray[np.int8]
    relation: NDArray[np.int8]
    pair: NDArray[np.bool_]
    decided: NDArray[np.bool_]
    abstained: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    stance_probabilities: NDArray[np.float64]

    @property
    def on_classes(self) -> NDArray[np.bool_]:
        """Rows that are scored on the five classes; the others are scored on the stance."""
        return self.pair & (self.gold_class >= 0)


def judge(
    verdicts: pa.Table, labels: Sequence[FactifyLabel | Stance | None], classes: Sequence[FactifyLabel | None]
) -> Judged:
    """Compare N verdicts with their gold labels.

    Args:
        verdicts: of :func:`factcheck.records.verdict_schema`.
        labels: a gold label a row, or None.
        classes: those of them that are of the five classes, see :func:`factcheck.labels.five_class_labels`.
    """
    gold_class = np.array([-1 if label is None else FACTIFY_LABELS.index(label) for label in classes], np.int8)
    gold_stance = np.array([-1 if label is None else STANCES.index(stance_of(label)) for label in labels], np.int8)
    stance = _places(verdicts["stance"], STANCES)
    label = _places(verdicts["label"], FACTIFY_LABELS)
    probabilities = _vectors(verdicts["probabilities"], FACTIFY_LABELS)
    pair = ~np.isnan(probabilities.sum(axis=1))
    confidence = _numbers(verdicts["confidence"])
    evidence = pc.fill_null(pc.list_value_length(verdicts["evidence"]), 0).to_numpy() > 0
    failed = pc.equal(verdicts["status"], "error").to_numpy()
    on_classes = pair & (gold_class >= 0)
    right = np.where(on_classes, label == gold_class, stance == gold_stance) & (gold_stance >= 0)
    return Judged(
        labelled=gold_stance >= 0,
        gold_stance=gold_stance,
        gold_class=gold_class,
        stance=stance,
        label=label,
        relation=_places(verdicts["image_relation"], IMAGE_RELATIONS),
        pair=pair,
        decided=evidence & np.isfinite(confidence) & ~failed,
        abstained=pc.fill_null(verdicts["abstained"], True).to_numpy() & ~failed,
        failed=failed,
        confidence=confidence,
        right=right,
        probabilities=probabilities,
        stance_probabilities=_vectors(verdicts["stance_probabilities"], STANCES),
    )


def _places(column: pa.ChunkedArray, names: Sequence[Any]) -> NDArray[np.int8]:
    found = pc.index_in(column, pa.array([name.value for name in names]))
    return pc.fill_null(found, -1).to_numpy().astype(np.int8)


def _vectors(column: pa.ChunkedArray, names: Sequence[Any]) -> NDArray[np.float64]:
    return np.stack([_numbers(pc.struct_field(column, name.value)) for name in names], axis=1)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
