"""What watches over a training: it diverges, it is about to replace another's checkpoints, it goes on where it stopped, how far it is."""

import logging
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from torch import Tensor

from factcheck.errors import InputError
from factcheck.training.distributed import gathered
from factcheck.weights import check_weights

__all__ = [
    "FiniteLoss",
    "OverwriteWarning",
    "ProgressLines",
    "RandomStates",
    "RunCheckpoint",
    "StopWhenAsked",
    "TrainingStopped",
    "check_before_saving",
    "planned_steps",
]

_LOG = logging.getLogger("factcheck")
_ADVICE = "lower the learning rates, or clip gradients (`gradient_clip_val`), and start again or from a checkpoint"


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
            "the learning rates follow the number of steps, which is unknown with max_epochs -1 and max_steps -1",
            field="max_steps",
            hint="give `max_steps` or `max_epochs` (max_time may end the training earlier)",
        )
    return max(1, int(steps))


class FiniteLoss(Callback):
    """Stops a training whose loss is NaN or infinite, before the step that would spoil the weights."""

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Look at the loss of one batch (on a GPU that waits for it: little beside a step)."""
        _check_loss(loss, "training", f"at step {trainer.global_step}")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the loss of a validation, before checkpoints are written of it."""
        loss = trainer.callback_metrics.get("val/loss")
        if loss is not None:
            _check_loss(loss, "validation", f"after {trainer.global_step} steps")


def _check_loss(loss: Tensor, name: str, when: str) -> None:
    if not torch.isfinite(loss):
        raise InputError(f"the {name} loss is {float(loss.detach())} {when}", hint=_ADVICE)


class RandomStates(Callback):
    """Keeps the random states of every process in checkpoints: dropout after a resume with as many is what it would have been."""

    def __init__(self) -> None:
        self._states: list[dict[str, Tensor]] = []

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store them, in order of rank."""
        states = {"cpu": torch.get_rng_state()}
        if pl_module.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(pl_module.device)
        checkpoint["rng_states"] = gathered(states)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remember them until training starts (loading and validation draw numbers, too)."""
        self._states = checkpoint.get("rng_states", [])

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Restore them: only here has everything that draws numbers on the way been done."""
        states, self._states = self._states, []
        if trainer.global_rank >= len(states):
            return
        own = states[trainer.global_rank]
        torch.set_rng_state(own["cpu"].cpu())
        if "cuda" in own and pl_module.device.type == "cuda":
            torch.cuda.set_rng_state(own["cuda"].cpu(), pl_module.device)


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ``ModelCheckpoint`` that writes to the folder of the run (``default_root_dir``), under the same name each time.

    Args:
        filename: name of the file, without its ending.
        monitor: figure by which the best is kept; None for the latest.
        mode: ``max`` or ``min``.
        every_n_train_steps: write after so many steps; None for the end of a validation, or of an epoch without one.
        at_epoch_end: write at the end of every epoch and of training, whether or not it is validated then.
    """

    def __init__(
        self,
        filename: str,
        monitor: str | None = None,
        mode: str = "max",
        every_n_train_steps: int | None = None,
        at_epoch_end: bool = False,
    ) -> None:
        super().__init__(
            filename=filename,
            monitor=monitor,
            mode=mode,
            every_n_train_steps=every_n_train_steps,
            save_on_train_epoch_end=at_epoch_end or None,
            enable_version_counter=False,
        )

    @property
    def state_key(self) -> str:
        """Where its state lies in a checkpoint: the file's name tells one from the other."""
        return self._generate_state_key(filename=self.filename)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the folder of the run."""
        self.dirpath = self.dirpath or trainer.default_root_dir
        super().setup(trainer, pl_module, stage)


class TrainingStopped(Exception):
    """A training was asked to stop, and did after the step in hand.

    Attributes:
        checkpoint: where it can go on from.
        step: steps done.
    """

    def __init__(self, checkpoint: Path, step: int) -> None:
        super().__init__(f"stopped after {step} steps")
        self.checkpoint, self.step = checkpoint, step


class StopWhenAsked(Callback):
    """Ends a training after the step in hand with a checkpoint, ``stopped.ckpt`` in the folder of the run, from which it can go on.

    Args:
        should_stop: asked after each step, and each batch of a validation; where several processes train, one that says so ends all.
    """

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.should_stop = should_stop
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nothing is done yet."""
        self._step = trainer.global_step

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop if asked to and the batch before ended a step; not at its end, where a validation may be due.

        Raises:
            TrainingStopped: see above.
        """
        ended, self._step = trainer.global_step > self._step, trainer.global_step
        if ended:
            self._stop_if_asked(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop if asked to: a validation may take longer than whoever asks is willing to wait (TrainingStopped)."""
        if trainer.training and not trainer.sanity_checking:
            self._stop_if_asked(trainer)

    def _stop_if_asked(self, trainer: pl.Trainer) -> None:
        asked = self.should_stop()
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if asked:
            path = Path(trainer.default_root_dir) / "stopped.ckpt"
            trainer.save_checkpoint(path)
            raise TrainingStopped(path, trainer.global_step)


class OverwriteWarning(Callback):
    """Warns of the checkpoints of an earlier run that this one is going to replace."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look into the folders whose files get no number when they are there already."""
        if not trainer.is_global_zero:
            return
        kept = (c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint))
        named = (c.dirpath for c in kept if not c._enable_version_counter)
        for folder in dict.fromkeys(Path(path) for path in named if path):
            found = sorted(path.name for path in folder.glob("*.ckpt"))
            if found and not _within(trainer.ckpt_path, folder):
                _LOG.warning(
                    "%r holds checkpoints of an earlier run (%s), which this one replaces; to keep them, stop it now and move them "
                    "away, or give another folder as `default_root_dir`",
                    str(folder),
                    ", ".join(found),
                )


class ProgressLines(Callback):
    """Logs ``step 120 of 580 (epoch 0), train/loss 0.612, 31 min left`` now and then, and every validation's figures.

    On a terminal it says nothing: Lightning's bar says the same.

    Args:
        seconds: least time between two lines.
    """

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._start = self._last = 0.0
        self._first_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; a resumed run counts from where it resumed."""
        self._start = self._last = time.monotonic()
        self._first_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A line if the last one is old enough."""
        now = time.monotonic()
        if now - self._last < self.seconds:
            return
        self._last = now
        total, step = trainer.estimated_stepping_batches, trainer.global_step
        of = left = ""
        if math.isfinite(total):  # not where max_time alone ends the training
            seconds = (now - self._start) / max(1, step - self._first_step) * (total - step)
            of, left = f" of {int(total)}", f", {seconds / 60:.0f} min left"
        loss = trainer.callback_metrics.get("train/loss")
        shown = "" if loss is None else f", train/loss {float(loss):.4g}"
        self._say(trainer, f"step {step}{of} (epoch {trainer.current_epoch}){shown}{left}")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The figures of a validation."""
        if trainer.sanity_checking:
            return
        figures = [f"{k} {float(v):.4f}" for k, v in sorted(trainer.callback_metrics.items()) if k.startswith("val/")]
        self._say(trainer, f"step {trainer.global_step}: {', '.join(figures)}")

    def _say(self, trainer: pl.Trainer, line: str) -> None:
        if trainer.is_global_zero and not sys.stderr.isatty():
            _LOG.info(line)


def _within(path: Any, folder: Path) -> bool:
    return bool(path) and Path(path).resolve().parent == folder.resolve()
