"""Decided rows as rows of the verdict table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from factcheck.data.ocr import READ
from factcheck.labels import FACTIFY_LABELS, IMAGE_RELATIONS, STANCE_LABELS, STANCES, ImageRelation, relation_of
from factcheck.verification.decide import Decision
from factcheck.verification.notes import Notes
from factcheck.verification.rows import Row
from factcheck.verification.verdict_table import below, join_reasons

if TYPE_CHECKING:
    from retrieval import Hit

__all__ = ["NOT_A_NUMBER", "VerdictRow", "error_row", "verdict_row"]

#: Reason of a row for which the model gave no usable figures.
NOT_A_NUMBER = (
    "model: its output is not a number (NaN or infinite); its weights may be damaged: export the model again, "
    "or try another device"
)


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A row of the verdict table on its way to the writer, which joins its reasons.

    Attributes:
        cells: the columns but for ``reason``.
        reasons: what is wrong with the row, one by one.
    """

    cells: Mapping[str, Any]
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The row as :func:`factcheck.records.verdict_schema` takes it."""
        return {**self.cells, "reason": join_reasons(self.reasons)}


def verdict_row(
    row: Row,
    decision: Decision,
    *,
    reasons: Sequence[str],
    notes: Notes,
    abstain_below: float,
    model: str,
    attributions: Sequence[float] | None = None,
    image_attributions: tuple[float | None, float | None] | None = None,
) -> VerdictRow:
    """The verdict-table row of a decided row; one with the status ``error`` where the judge's output is no number.

    Args:
        row: claim and evidence.
        decision: what the judge says.
        reasons: what is missing, in the order found.
        notes: what else is known of it.
        abstain_below: confidence under which the verdict counts as abstained.
        model: fingerprint of what decided.
        attributions: drop of the verdict's probability without each sentence.
        image_attributions: drop of the stance's probability without either photo.
    """
    if not decision.is_finite:
        return error_row(row.item["id"], (*reasons, decision.problem or NOT_A_NUMBER), model)
    told = (*reasons, *notes.reasons, *((decision.problem,) if decision.problem else ()))
    stance = decision.verdict_stance
    relation: ImageRelation | None = None
    name = STANCE_LABELS[stance]
    if decision.label is not None and decision.image is not None:
        label = FACTIFY_LABELS[decision.index]
        # Refute has no image relation of its own; the image head still says what it saw.
        relation = relation_of(label) or IMAGE_RELATIONS[decision.image.index(max(decision.image))]
        name = label.value
    cells = {
        "id": row.item["id"],
        "label": name,
        "stance": stance.value,
        "image_relation": relation.value if relation is not None else None,
        "confidence": decision.confidence,
        # Without evidence nothing was judged, however certain "insufficient" is then.
        "abstained": not decision.has_evidence or notes.abstain or below(decision.confidence, abstain_below),
        "probabilities": _named(FACTIFY_LABELS, decision.label),
        "stance_probabilities": _named(STANCES, decision.stance),
        "image_similarity": decision.similarity,
        "evidence": _evidence(row.evidence, attributions, decision.cited),
        "status": "degraded" if any(not reason.startswith("label: ") for reason in told) else "ok",
        "model": model,
        "language": notes.language,
        "differences": notes.differences,
        "explanation": decision.explanation or notes.explanation,
        "photo_attribution": image_attributions
        and {name: _number(drop) for name, drop in zip(("claim_image", "document_image"), image_attributions, strict=True)},
        "photo_evidence": None if row.image_evidence is None else [_found_image(hit) for hit in row.image_evidence],
        "photo_context": notes.photo_context,
        "ocr": _ocr(row),
    }  # fmt: skip
    return VerdictRow(cells, told)


def error_row(identifier: str, reasons: Sequence[str], model: str) -> VerdictRow:
    """The verdict-table row of an input row that cannot be verified. It has no verdict, hence none that is withheld."""
    cells = {"id": identifier, "abstained": False, "evidence": [], "status": "error", "model": model}
    return VerdictRow(cells, tuple(reasons))


def _evidence(
    hits: "Sequence[Hit]", attributions: Sequence[float] | None, cited: tuple[int, ...] | None
) -> list[dict[str, Any]]:
    """The sentences, those that the judge cites first."""
    first = [i for i in dict.fromkeys(cited or ()) if 0 <= i < len(hits)]
    order = first + [i for i in range(len(hits)) if i not in first]
    return [
        {
            "document_id": hits[i].document_id,
            "sentence": hits[i].sentence,
            "start": hits[i].start,
            "end": hits[i].end,
            "text": hits[i].text,
            "score": hits[i].score,
            "attribution": _number(attributions[i]) if attributions is not None else None,
        }
        for i in order
    ]


def _ocr(row: Row) -> dict[str, Any] | None:
    """Where the text of either photo comes from; the text itself where the claims table does not have it."""
    sides = zip(("claim", "document"), row.source.ocr, row.source.ocr_sources, strict=True)
    found = {
        side: {"source": source, "text": text if source == READ else None} for side, text, source in sides if source
    }
    return found or None


def _found_image(hit: "Hit") -> dict[str, Any]:
    metadata = hit.metadata or {}
    return {
        "document_id": hit.document_id,
        "text": hit.text,
        "score": hit.score,
        "photo": metadata.get("photo"),
        "date": metadata.get("date"),
    }


def _number(value: float | None) -> float | None:
    """``value``, or None where it is no number: that of a row whose output was one with all its evidence, but not without some."""
    return None if value is None or not math.isfinite(value) else value


def _named(names: Sequence[StrEnum], values: Sequence[float] | None) -> dict[str, float] | None:
    return None if values is None else {name.value: value for name, value in zip(names, values, strict=True)}
