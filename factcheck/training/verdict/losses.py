"""The loss of the three heads under partial supervision."""

import torch
import torch.nn.functional as F
from torch import Tensor

from factcheck.labels import STANCES, Stance

__all__ = ["NOT_SUPPORT", "UNLABELLED", "stance_loss", "supervised_loss"]

#: Target of a row that does not supervise a head.
UNLABELLED = -100
#: Stance target of a two-way row that only says "not supported": insufficient and refute together.
NOT_SUPPORT = len(STANCES)

_SUPPORT = STANCES.index(Stance.SUPPORT)


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
