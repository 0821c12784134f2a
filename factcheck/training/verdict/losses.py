"""The loss of the three heads under partial supervision."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from factcheck.labels import STANCES, Stance
from factcheck.models.verdict import VerdictOutput
from retrieval.arguments import checked_number, checked_share

__all__ = ["NOT_SUPPORT", "UNLABELLED", "LossOptions", "stance_loss", "supervised_loss", "verdict_loss"]

#: Target of a row that does not supervise a head.
UNLABELLED = -100
#: Stance target of a two-way row that only says "not supported": insufficient and refute together.
NOT_SUPPORT = len(STANCES)

_SUPPORT = STANCES.index(Stance.SUPPORT)


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """What the loss is made of."""

    label_smoothing: float = 0.0
    """In [0, 1)."""
    soft_label_weight: float = 0.5
    """Share of another model's probabilities, in [0, 1], in the stance loss of rows that have them beside a label (``soft_labels``
    of the data)."""
    stance_weight: float = 1.0
    """Factor of the stance loss."""
    image_weight: float = 1.0
    """Factor of the image-relation loss."""
    label_weight: float = 1.0
    """Factor of the five-class loss."""

    def __post_init__(self) -> None:
        checked_number("label_smoothing", self.label_smoothing, below=1.0)
        checked_share("soft_label_weight", self.soft_label_weight)
        for name in ("stance_weight", "image_weight", "label_weight"):
            checked_number(name, getattr(self, name))


def verdict_loss(output: VerdictOutput, batch: Mapping[str, Any], options: LossOptions) -> Tensor:
    """The weighted sum of the losses of the three heads.

    Args:
        output: what the model says of B rows.
        batch: targets ``stance``, ``relation`` and ``label`` (each (B,)), and ``soft`` (B, 3) where another model's are known.
        options: the weights.
    """
    smoothing = options.label_smoothing
    stance = stance_loss(output.stance_logits, batch["stance"], smoothing, batch.get("soft"), options.soft_label_weight)
    loss = options.stance_weight * stance
    if output.image_logits is not None and output.label_logits is not None:
        loss = loss + options.image_weight * supervised_loss(output.image_logits, batch["relation"], smoothing)
        loss = loss + options.label_weight * supervised_loss(output.label_logits, batch["label"], smoothing)
    return loss


def stance_loss(
    logits: Tensor,
    targets: Tensor,
    label_smoothing: float = 0.0,
    soft: Tensor | None = None,
    soft_weight: float = 0.5,
) -> Tensor:
    """Mean cross entropy of the stance head over the supervised rows; 0 where there is none.

    Args:
        logits: (B, 3).
        targets: (B,) stance index, ``NOT_SUPPORT`` for rows that only say "not supported" (they are charged
            −log(1 − p_support)), or ``UNLABELLED``.
        label_smoothing: in [0, 1), for rows with a full label.
        soft: (B, 3) probabilities of another model (Hinton et al. 2015, at temperature 1); NaN in rows that have none.
        soft_weight: their share, in [0, 1], in the loss of a row that has a label, too; a row without one has the whole.
    """
    full = (targets >= 0) & (targets < NOT_SUPPORT)
    partial = targets == NOT_SUPPORT
    # In single precision at least, which is what autocast makes of the terms.
    loss = logits.new_zeros(len(logits), dtype=torch.promote_types(logits.dtype, torch.float32))
    if full.any():
        cross = F.cross_entropy(logits[full], targets[full], reduction="none", label_smoothing=label_smoothing)
        loss = loss.masked_scatter(full, cross.to(loss.dtype))
    if partial.any():
        log_p = F.log_softmax(logits[partial], dim=1)
        others = [i for i in range(len(STANCES)) if i != _SUPPORT]
        loss = loss.masked_scatter(partial, -torch.logsumexp(log_p[:, others], dim=1).to(loss.dtype))
    labelled = full | partial
    rows = labelled
    if soft is not None:
        taught = ~soft.isnan().any(1)
        if taught.any():
            share = torch.where(labelled, soft_weight, 1.0).to(loss.dtype) * taught
            cross = -(soft.nan_to_num() * F.log_softmax(logits, dim=1)).sum(1)
            loss = (1 - share) * loss + share * cross
            rows = labelled | taught
    # The product with 0 keeps a gradient (of zeros) where no row is supervised.
    return (loss.sum() + logits.sum() * 0.0) / rows.sum().clamp(min=1)


def supervised_loss(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy over the rows whose target is not ``UNLABELLED``; 0 where there is none.

    Args:
        logits: (B, C).
        targets: (B,) class index or ``UNLABELLED``.
    """
    keep = targets != UNLABELLED
    if not keep.any():
        return logits.sum() * 0.0
    return F.cross_entropy(logits[keep], targets[keep], label_smoothing=label_smoothing)
