"""The verdicts of a scored table that are worth reading first: confident mistakes, then rows with errors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factcheck.evaluation.judged import Judged
from factcheck.evaluation.matching import Joined

__all__ = ["Example", "best_evidence", "choose_examples", "reading_order"]


@dataclass(frozen=True)
class Example:
    """One verdict beside its gold label.

    Attributes:
        id: of the row.
        claim: the claim; None where the truth table has none.
        evidence: the sentence that the verdict rests on most; None where there is none.
        gold: gold label.
        predicted: label of the verdict; None on an error.
        confidence: in [0, 1]; None on an error.
        right: whether the verdict says what the gold label says, as far as the row's images let it.
        reason: what was wrong with the row, or None.
    """

    id: str
    claim: str | None
    evidence: str | None
    gold: str
    predicted: str | None
    confidence: float | None
    right: bool
    reason: str | None


def choose_examples(joined: Joined, judged: Judged, limit: int = 50) -> tuple[Example, ...]:
    """The first ``limit`` labelled verdicts in the order of :func:`reading_order`."""
    places = [place for place in reading_order(judged).tolist() if judged.labelled[place]][:limit]
    rows = joined.verdicts.take(places).to_pylist()
    return tuple(_example(place, row, joined, judged) for place, row in zip(places, rows, strict=True))


def reading_order(judged: Judged) -> NDArray[np.int64]:
    """The N verdicts in the order in which they are worth reading.

    Wrong ones by falling confidence, then rows where nothing could be judged (errors, no evidence), then right ones and those
    without a gold label, least sure first.
    """
    wrong = judged.labelled & ~judged.right & judged.decided
    group = np.where(wrong, 0, np.where(judged.decided, 2, 1))
    # Without evidence a verdict is insufficient by definition, with a confidence of 1; an error has none.
    sure = np.nan_to_num(judged.confidence, nan=0.0)
    return np.lexsort((np.where(wrong, -sure, sure), group))


def best_evidence(row: dict[str, Any]) -> str | None:
    """The sentence of highest attribution, or of highest rank where a verdict has none; None without evidence."""
    evidence = row["evidence"] or []
    return max(evidence, key=lambda item: item["attribution"] or 0.0)["text"] if evidence else None


def _example(place: int, row: dict[str, Any], joined: Joined, judged: Judged) -> Example:
    label = joined.labels[place]
    return Example(
        id=row["id"],
        claim=joined.truth[place].claim,
        evidence=best_evidence(row),
        gold=label.value if label else "",
        predicted=row["label"],
        confidence=row["confidence"],
        right=row["status"] != "error" and bool(judged.right[place]),
        reason=row["reason"],
    )
