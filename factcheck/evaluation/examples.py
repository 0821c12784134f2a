"""The verdicts of a scored table that are worth reading first: confident mistakes, then rows with errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factcheck.labels import FactifyLabel, Stance, stance_of

__all__ = ["Example", "best_evidence", "choose_examples"]


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


def choose_examples(
    judged: Sequence[tuple[dict[str, Any], FactifyLabel | Stance]], claims: Sequence[str | None], limit: int = 50
) -> tuple[Example, ...]:
    """The ``limit`` verdicts to read first: wrong ones by falling confidence, then rows where nothing could be judged (errors,
    no evidence), then right ones, least sure first.

    Args:
        judged: rows of the verdict table with their gold labels.
        claims: the claim of each.
        limit: most examples.
    """

    def urgency(place: int) -> tuple[int, float]:
        row, gold = judged[place]
        if row["status"] == "error":
            return 1, 0.0
        if not row["evidence"]:  # insufficient by definition, with a confidence of 1
            return 1, 1.0
        right = _is_right(row, gold)
        return (2, row["confidence"]) if right else (0, -row["confidence"])

    chosen = sorted(range(len(judged)), key=urgency)[:limit]
    return tuple(_example(*judged[place], claims[place]) for place in chosen)


def best_evidence(row: dict[str, Any]) -> str | None:
    """The sentence of highest attribution, or of highest rank where a verdict has none; None without evidence."""
    evidence = row["evidence"] or []
    return max(evidence, key=lambda item: item["attribution"] or 0.0)["text"] if evidence else None


def _is_right(row: dict[str, Any], gold: FactifyLabel | Stance) -> bool:
    # Without a pair of images a verdict has no five-class label to be wrong about.
    if row["probabilities"] is not None and isinstance(gold, FactifyLabel):
        return row["label"] == gold.value
    return row["stance"] == stance_of(gold).value


def _example(row: dict[str, Any], gold: FactifyLabel | Stance, claim: str | None) -> Example:
    return Example(
        id=row["id"],
        claim=claim,
        evidence=best_evidence(row),
        gold=gold.value,
        predicted=row["label"],
        confidence=row["confidence"],
        right=row["status"] != "error" and _is_right(row, gold),
        reason=row["reason"],
    )
