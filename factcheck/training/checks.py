"""What a training refuses: settings out of range, losses and weights that are no numbers, a run's checkpoints overwritten unsaid."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from factcheck.errors import InputError
from factcheck.models.folder import check_weights

__all__ = ["FiniteLoss", "OverwriteWarning", "check_before_saving", "check_range", "planned_steps"]

_ADVICE = (
    "lower the learning rates, or clip gradients (trainer.gradient_clip_val), and start again or from a checkpoint"
)


def check_range(least: float = 0.0, below: float = math.inf, **settings: float) -> None:
    """Refuse settings outside [least, below): what is not a number, too.

    Raises:
        InputError: names the first of them and its value.
    """
    for name, value in settings.items():
        if not least <= value < below:
            wanted = f"lie in [{least:g}, {below:g})" if below < math.inf else f"be a number of at least {least:g}"
            raise InputError(f"{name} must {wanted}, found {value}")


def check_before_saving(state: Mapping[str, Tensor], step: int) -> None:
    """Refuse to write a checkpoint of a run that has diverged, so that ``best.ckpt`` and ``last.ckpt`` stay what they were.

    Raises:
        InputError: a tensor holds NaN or infinity after ``step`` steps.
    """
    check_weights(state, f"training diverged by step {step}, so no checkpoint is written", _ADVICE)


def planned_steps(trainer: pl.Trainer) -> int:
    """Optimiser steps of the whole training, at least 1.

    Raises:
        InputError: neither epochs nor steps are bounded, so that no schedule of the learning rate can be made.
    """
    steps = trainer.estimated_stepping_batches
    if not math.isfinite(steps):
        raise InputError(
            "the learning rates follow the number of steps, which is unknown with max_epochs -1 and max_steps -1; give "
            "--trainer.max_steps or --trainer.max_epochs (max_time may end the training earlier)"
        )
    return max(1, int(steps))


class FiniteLoss(Callback):
    """Stops a training whose loss is NaN or infinite, before the step that would spoil the weights."""

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Look at the loss of one batch (on a GPU that waits for it: little beside a step)."""
        if not torch.isfinite(loss):
            raise InputError(f"the training loss is {float(loss.detach())} at step {trainer.global_step}; {_ADVICE}")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the loss of a validation, before checkpoints are written of it."""
        loss = trainer.callback_metrics.get("val/loss")
        if loss is not None and not torch.isfinite(loss):
            raise InputError(f"the validation loss is {float(loss)} after {trainer.global_step} steps; {_ADVICE}")


class OverwriteWarning(Callback):
    """Says on standard error which checkpoints of an earlier run this one is going to replace."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look into the folders whose files get no number when they are there already."""
        if not trainer.is_global_zero:
            return
        named = (c.dirpath for c in trainer.checkpoint_callbacks if not getattr(c, "_enable_version_counter", True))
        for folder in dict.fromkeys(Path(path) for path in named if path):
            found = sorted(path.name for path in folder.glob("*.ckpt"))
            if found and not _within(trainer.ckpt_path, folder):
                print(
                    f"factcheck: warning: {str(folder)!r} holds checkpoints of an earlier run ({', '.join(found)}), which this one "
                    "replaces; to keep them, stop it now and move them away, or give ModelCheckpoint another dirpath "
                    "(--trainer.callbacks.dirpath FOLDER sets that of the last callback)",
                    file=sys.stderr,
                )


def _within(path: Any, folder: Path) -> bool:
    return bool(path) and Path(path).resolve().parent == folder.resolve()
