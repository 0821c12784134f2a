"""From logits to the rows of a verdict table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from factcheck.labels import FACTIFY_LABELS, IMAGE_RELATIONS, STANCE_LABELS, STANCES, Stance, relation_of, stance_of
from factcheck.verification.verdict_table import join_reasons

if TYPE_CHECKING:
    from torch import Tensor

    from factcheck.models.calibration import Calibration
    from factcheck.models.verdict import VerdictOutput

__all__ = ["NOT_A_NUMBER", "Decision", "decide_rows", "error_row", "stance_probabilities", "verdict_row"]

#: Reason of a row for which the model gave no usable figures.
NOT_A_NUMBER = (
    "model: its output is not a number (NaN or infinite); its weights may be damaged: export the model again, "
    "or try another device"
)


@dataclass(frozen=True)
class Decision:
    """The calibrated probabilities of one row.

    Attributes:
        stance: three probabilities, order of ``labels.STANCES``.
        image: two probabilities, order of ``labels.IMAGE_RELATIONS``; None without an image pair.
        label: five probabilities, order of ``labels.FACTIFY_LABELS``; None without an image pair.
        similarity: cosine of the photos; None without an image pair.
        has_evidence: false where no sentence was there to decide on.
    """

    stance: list[float]
    image: list[float] | None = None
    label: list[float] | None = None
    similarity: float | None = None
    has_evidence: bool = True

    @property
    def _leading(self) -> list[float]:
        return self.label or self.stance

    @property
    def confidence(self) -> float:
        """Probability of the verdict's label."""
        return max(self._leading)

    @property
    def index(self) -> int:
        """Index of the verdict's label among the five classes, or among the stances without an image pair."""
        return self._leading.index(self.confidence)

    @property
    def is_finite(self) -> bool:
        """Whether every figure is a number. NaN passes every comparison by unnoticed and would read as the first label."""
        figures = [*self.stance, *(self.image or ()), *(self.label or ())]
        return all(map(math.isfinite, figures)) and (self.similarity is None or math.isfinite(self.similarity))

    @property
    def is_judged(self) -> bool:
        """Whether the model decided on evidence, so that parts of it can be left out to see what they did."""
        return self.has_evidence and self.is_finite

    def probability_of(self, other: "Decision") -> float:
        """What this decision gives to the label of ``other``."""
        return self._leading[other.index]

    def without_evidence(self) -> "Decision":
        """The decision where nothing bears on the claim: insufficient by definition, whatever the claim sounds like."""
        stance = [float(s is Stance.INSUFFICIENT) for s in STANCES]
        label = None
        if self.image is not None:
            label = [
                self.image[IMAGE_RELATIONS.index(relation_of(x))] if stance_of(x) is Stance.INSUFFICIENT else 0.0
                for x in FACTIFY_LABELS
            ]
        return Decision(stance, self.image, label, self.similarity, has_evidence=False)


def stance_probabilities(output: "VerdictOutput", calibration: "Calibration", tokens: "Tensor") -> "Tensor":
    """Calibrated probabilities (B, 3), order of ``labels.STANCES``, of rows whose texts have so many tokens (B,)."""
    logits = output.stance_logits.float()
    temperatures = torch.from_numpy(calibration.stance_temperatures(tokens.cpu())).to(logits)
    return (logits / temperatures[:, None]).softmax(1)


def decide_rows(
    output: "VerdictOutput", calibration: "Calibration", masks: "tuple[Tensor, Tensor] | None", tokens: "Tensor"
) -> list[Decision]:
    """Calibrated probabilities of every row of a model output.

    Args:
        output: logits of B rows.
        calibration: temperatures of the heads.
        masks: (B,) bool a side, true where a row has that photo; None where no row has one.
        tokens: (B,) length of each row's text.
    """
    stance = stance_probabilities(output, calibration, tokens).tolist()
    if masks is None or output.label_logits is None:
        return [Decision(row) for row in stance]
    pair = (masks[0] & masks[1]).tolist()
    image = (output.image_logits.float() / calibration.image).softmax(1).tolist()
    label = (output.label_logits.float() / calibration.label).softmax(1).tolist()
    similarity = output.image_similarity.float().tolist()
    return [
        Decision(stance[i], image[i], label[i], similarity[i]) if pair[i] else Decision(stance[i])
        for i in range(len(stance))
    ]


def verdict_row(row: Any, abstain_below: float, model: str) -> dict[str, Any]:
    """The verdict-table row of a decided pipeline row; one with the status ``error`` where the model's output is no number."""
    decision: Decision = row.decision
    if not decision.is_finite:
        return error_row(row.item, [*row.reasons, NOT_A_NUMBER], model)
    relation = None
    if decision.label is not None:
        label = FACTIFY_LABELS[decision.index]
        stance = stance_of(label)
        # Refute has no image relation of its own; the image head still says what it saw.
        relation = relation_of(label) or IMAGE_RELATIONS[decision.image.index(max(decision.image))]
        name = label.value
    else:
        stance = STANCES[decision.index]
        name = STANCE_LABELS[stance]
    photos = row.photo_attributions
    evidence = [
        {
            "document_id": hit.document_id,
            "sentence": hit.sentence,
            "start": hit.start,
            "end": hit.end,
            "text": hit.text,
            "score": hit.score,
            "attribution": _number(row.attributions[i]) if row.attributions is not None else None,
        }
        for i, hit in enumerate(row.evidence)
    ]
    shown = row.photo_evidence
    found = shown and [
        {"document_id": hit.document_id, "text": hit.text, "score": hit.score}
        | {key: (hit.metadata or {}).get(key) for key in ("photo", "date")}
        for hit in shown
    ]
    return {
        "id": row.item["id"],
        "label": name,
        "stance": stance.value,
        "image_relation": relation.value if relation is not None else None,
        "confidence": decision.confidence,
        # Without evidence nothing was judged, however certain "insufficient" is then.
        "abstained": not decision.has_evidence or decision.confidence < abstain_below,
        "probabilities": _named(FACTIFY_LABELS, decision.label),
        "stance_probabilities": _named(STANCES, decision.stance),
        "image_similarity": decision.similarity,
        "evidence": evidence,
        "status": "degraded" if row.reasons else "ok",
        "reason": join_reasons(row.reasons),
        "model": model,
        "photo_attribution": photos and {"claim_image": _number(photos[0]), "document_image": _number(photos[1])},
        "photo_evidence": found,
    }


def error_row(item: dict[str, Any], reasons: Sequence[str], model: str) -> dict[str, Any]:
    """The verdict-table row of an input row that cannot be verified."""
    return {
        "id": item["id"],
        "abstained": True,
        "evidence": [],
        "status": "error",
        "reason": join_reasons(reasons),
        "model": model,
    }


def _number(value: float | None) -> float | None:
    """``value``, or None where it is no number: that of a row whose output was one with all its evidence, but not without some."""
    return None if value is None or not math.isfinite(value) else value


def _named(names: Any, values: list[float] | None) -> dict[str, float] | None:
    return None if values is None else {name.value: value for name, value in zip(names, values, strict=True)}
