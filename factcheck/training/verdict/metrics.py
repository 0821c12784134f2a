"""The figures of a validation: accuracy of stance and image relation, weighted F1 of the five classes."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torchmetrics.functional.classification import multiclass_f1_score

from factcheck.labels import FACTIFY_LABELS, STANCES, Stance
from factcheck.models.verdict import VerdictOutput
from factcheck.training.distributed import Tallies, gathered
from factcheck.training.verdict.losses import NOT_SUPPORT, UNLABELLED

__all__ = ["VerdictMetrics"]


class VerdictMetrics(pl.Callback):
    """Logs ``val/stance_accuracy`` (over all rows), ``val/stance_accuracy/<source>``, ``val/image_accuracy`` and
    ``val/weighted_f1``, the last two where rows have both images and such labels; ``test/…`` in a test.

    Reads what ``validation_step`` and ``test_step`` of :class:`~factcheck.training.verdict.module.VerdictModule` return. Figures
    are those of the rows of all processes.
    """

    def __init__(self) -> None:
        self._tallies = Tallies()
        self._labels: list[tuple[int, int]] = []  # five-class guess and target of each row that has one

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Count the rows of one batch."""
        self.add(outputs["output"], batch)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Count the rows of one batch."""
        self.add(outputs["output"], batch)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the figures of the validation."""
        self._log(pl_module, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the figures of the test."""
        self._log(pl_module, "test")

    def add(self, output: VerdictOutput, batch: Mapping[str, Any]) -> None:
        """Count the rows of a batch with the targets ``stance``, ``relation``, ``label`` and the names in ``source``."""
        predicted = output.stance_logits.argmax(1)
        for guess, target, source in zip(predicted.tolist(), batch["stance"].tolist(), batch["source"], strict=True):
            if target == UNLABELLED:
                continue
            right = guess != STANCES.index(Stance.SUPPORT) if target == NOT_SUPPORT else guess == target
            self._tallies.add("stance_accuracy", float(right))
            self._tallies.add(f"stance_accuracy/{source}", float(right))
        if output.label_logits is None or output.image_logits is None:
            return
        keep = batch["label"] != UNLABELLED
        self._labels += zip(output.label_logits[keep].argmax(1).tolist(), batch["label"][keep].tolist(), strict=True)
        keep = batch["relation"] != UNLABELLED
        hits = (output.image_logits[keep].argmax(1) == batch["relation"][keep]).sum()
        self._tallies.add("image_accuracy", float(hits), int(keep.sum()))

    def figures(self) -> dict[str, float]:
        """The figures of everything counted since the last call, in all processes, each of which must call it."""
        # Which figures there are must not depend on a process's own rows: the others would wait for it, or fail.
        whole = self._tallies.over_processes()
        labels = [pair for pairs in gathered(self._labels) for pair in pairs]
        self._tallies.clear()
        self._labels = []
        by_source = [name for name in whole if name.startswith("stance_accuracy/")]
        names = ("stance_accuracy", *(by_source if len(by_source) > 1 else ()), "image_accuracy")
        found = {name: whole.mean(name) for name in names if name in whole}
        if labels:
            guesses, targets = torch.tensor(labels).T
            f1 = multiclass_f1_score(guesses, targets, len(FACTIFY_LABELS), average="weighted")
            found["weighted_f1"] = float(f1)
        return found

    def _log(self, pl_module: pl.LightningModule, stage: str) -> None:
        for name, value in self.figures().items():
            pl_module.log(f"{stage}/{name}", value, prog_bar="/" not in name, sync_dist=True)
