"""Progress of a training whose output goes to a file: a line now and then, where a bar could not be read."""

import math
import sys
import time
from typing import Any

import pytorch_lightning as pl

__all__ = ["ProgressLines"]


class ProgressLines(pl.Callback):
    """Prints ``step 120 of 580 (epoch 0), train/loss 0.612, 31 min left`` to standard error, and every validation's figures.

    On a terminal it prints nothing: Lightning's bar says the same.

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
        self._print(trainer, f"step {step}{of} (epoch {trainer.current_epoch}){shown}{left}")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The figures of a validation."""
        if trainer.sanity_checking:
            return
        figures = [f"{k} {float(v):.4f}" for k, v in sorted(trainer.callback_metrics.items()) if k.startswith("val/")]
        self._print(trainer, f"step {trainer.global_step}: {', '.join(figures)}")

    def _print(self, trainer: pl.Trainer, line: str) -> None:
        if trainer.is_global_zero and not sys.stderr.isatty():
            print(line, file=sys.stderr, flush=True)
