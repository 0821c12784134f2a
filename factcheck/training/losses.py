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


def stance_loss(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy of the stance head over the supervised rows; 0 where there is none.

    Args:
        logits: (B, 3).
        targets: (B,) stance index, ``NOT_SUPPORT`` for rows that only say "not supported" (they are charged
            −log(1 − p_support)), or ``UNLABELLED``.
        label_smoothing: in [0, 1), for rows with a full label.
    """
    full = (targets >= 0) & (targets < NOT_SUPPORT)
    partial = targets == NOT_SUPPORT
    rows = full.sum() + partial.sum()
    total = logits.sum() * 0.0
    if full.any():
        total = total + F.cross_entropy(logits[full], targets[full], reduction="sum", label_smoothing=label_smoothing)
    if partial.any():
        log_p = F.log_softmax(logits[partial], dim=1)
        others = [i for i in range(len(STANCES)) if i != _SUPPORT]
        total = total - torch.logsumexp(log_p[:, others], dim=1).sum()
    return total / rows.clamp(min=1)


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
