"""From training rows to batches: which rows, what happens to them on the way, and the tensors of a batch."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from factcheck.errors import InputError
from factcheck.labels import STANCES
from factcheck.models.inputs import InputBuilder
from factcheck.training.sampler import MixtureBatchSampler
from factcheck.training.verdict.augment import Augmentation, Augmenter, Change
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.rows import TrainingRow

__all__ = ["Batches", "Collate", "MixedBatches", "RowDataset", "batches_by_length"]

_NO_SOFT = (float("nan"),) * len(STANCES)


class Item(NamedTuple):
    """A row to be drawn, and what happens to it on the way."""

    row: int
    change: Change = Change()


class MixedBatches:
    """The sampler's batches of the trainer's epoch, and what happens to each of their rows.

    All are functions of seed, epoch and place alone, so that a resumed run sees what the interrupted one would have seen.
    """

    # Not called "sampler": Lightning would find that attribute and set its epoch, forgetting the place in it.
    def __init__(
        self, mixture: MixtureBatchSampler, trainer: pl.Trainer, augmentation: Augmentation, sources: Sequence[str]
    ) -> None:
        self.mixture, self.trainer = mixture, trainer
        self.augmentation, self.sources = augmentation, sources

    def __len__(self) -> int:
        return len(self.mixture)

    def __iter__(self) -> Iterator[list[Item]]:
        # A run that resumes at the end of an epoch makes its first iterator before the trainer counts that epoch.
        epoch = max(self.trainer.current_epoch, self.mixture.epoch)
        skip = self.mixture.skip if epoch == self.mixture.epoch else 0
        self.mixture.set_epoch(epoch, skip)
        for number, batch in enumerate(self.mixture, start=skip):
            rng = np.random.default_rng((self.mixture.seed, epoch, number, self.mixture.rank))
            yield list(map(Item, batch, self.augmentation.draw([self.sources[row] for row in batch], rng)))


def batches_by_length(rows: Sequence[TrainingRow], size: int, rank: int, replicas: int) -> list[list[Item]]:
    """Every row once, those of like length together; of ``replicas`` processes each has every ``replicas``-th row."""
    order = sorted(range(len(rows)), key=lambda i: rows[i].characters)
    items = [Item(i) for i in order[rank::replicas]]
    return [items[i : i + size] for i in range(0, len(items), size)]


class RowDataset(Dataset[tuple[Path, TrainingRow, bool]]):
    """Rows by number, changed as drawn: ``(folder of its images, row, whether it keeps them)``."""

    def __init__(self, rows: Sequence[tuple[Path, TrainingRow]], augmenter: Augmenter | None = None) -> None:
        self.rows, self.augmenter = rows, augmenter

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: Item) -> tuple[Path, TrainingRow, bool]:
        root, row = self.rows[item.row]
        if self.augmenter is not None:
            row = self.augmenter(row, item.change)
        return root, row, item.change.images


class Collate:
    """Rows to the batch dictionary of :class:`~factcheck.training.verdict.module.VerdictModule`."""

    def __init__(self, builder: InputBuilder) -> None:
        self.builder = builder

    def __call__(self, items: Sequence[tuple[Path, TrainingRow, bool]]) -> dict[str, Any]:
        """The tensors of the rows of one batch, and the names in ``source``."""
        rows = [row for _, row, _ in items]
        batch: dict[str, Any] = dict(self.builder.texts([row.text for row in rows]))
        batch["stance"] = torch.tensor([row.stance for row in rows])
        batch["relation"] = torch.tensor([row.relation for row in rows])
        batch["label"] = torch.tensor([row.label for row in rows])
        batch["source"] = [row.source for row in rows]
        if any(row.soft is not None for row in rows):
            batch["soft"] = torch.tensor([row.soft or _NO_SOFT for row in rows])
        if self.builder.transform is None or not any(row.claim_image or row.document_image for row in rows):
            return batch
        size = self.builder.transform.size
        for side in ("claim", "document"):
            images = [_open(getattr(row, f"{side}_image"), root, size) if keep else None for root, row, keep in items]
            batch[f"{side}_pixels"], batch[f"{side}_image_mask"] = self.builder.photos(images)
        pair = batch["claim_image_mask"] & batch["document_image_mask"]
        # Without both images there is no relation to learn, and no five-class label.
        batch["relation"] = batch["relation"].masked_fill(~pair, UNLABELLED)
        batch["label"] = batch["label"].masked_fill(~pair, UNLABELLED)
        return batch


class Batches:
    """What the trainer iterates over: a PyTorch loader in a plain iterable.

    To Lightning an iterable that is no ``DataLoader`` is dealt out as it is: between several processes the batches here are shared
    out already. Its state tells Lightning that it can resume; the data module keeps the place.
    """

    def __init__(self, dataset: RowDataset, batches: Any, collate: Collate, workers: int) -> None:
        # Each iterator draws a number, and a resumed run makes other iterators than the run it goes on with: from a generator
        # of their own they leave dropout's alone.
        self.loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        # Nothing happens before the first batch is asked for: Lightning makes an iterator only to see that it can, and worker
        # processes would begin to take batches for it.
        yield from self.loader

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing."""


def _open(image: str | bytes | None, root: Path, min_size: int) -> Any:
    """The decoded image, or None where verification would not have it: training goes on without it, as verification does."""
    from factcheck.data.images import decode_image, read_image

    if image is None:
        return None
    content, path = (image, None) if isinstance(image, bytes) else (None, image)
    data, _ = read_image(content, path, os.path.abspath(root))
    try:
        return None if data is None else decode_image(data, min_size=min_size)
    except InputError:
        return None
