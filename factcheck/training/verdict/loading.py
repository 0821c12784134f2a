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
from factcheck.training.verdict.tokens import TokenCache

__all__ = ["Batches", "Collate", "Item", "Loaded", "MixedBatches", "RowDataset", "batches_by_length"]

_NO_SOFT = (float("nan"),) * len(STANCES)


class Item(NamedTuple):
    """A row to be drawn, and what happens to it on the way."""

    row: int
    change: Change = Change()


class Loaded(NamedTuple):
    """A row on its way into a batch.

    Attributes:
        root: folder of its images.
        row: the row, changed as drawn.
        images: whether it keeps them.
        number: where its tokens are kept; None where its text was changed.
    """

    root: Path
    row: TrainingRow
    images: bool = True
    number: int | None = None


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


class RowDataset(Dataset[Loaded]):
    """Rows by number, changed as drawn."""

    def __init__(self, rows: Sequence[tuple[Path, TrainingRow]], augmenter: Augmenter | None = None) -> None:
        self.rows, self.augmenter = rows, augmenter

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: Item) -> Loaded:
        root, row = self.rows[item.row]
        changed = row if self.augmenter is None else self.augmenter(row, item.change)
        return Loaded(root, changed, item.change.images, item.row if changed.text is row.text else None)


class Collate:
    """Rows to the batch dictionary of :class:`~factcheck.training.verdict.module.VerdictModule`.

    Args:
        builder: makes the inputs of the model.
        tokens: those of rows whose text is as it was read; None makes them for each batch.
    """

    def __init__(self, builder: InputBuilder, tokens: TokenCache | None = None) -> None:
        self.builder, self.tokens = builder, tokens

    def __call__(self, items: Sequence[Loaded]) -> dict[str, Any]:
        """The tensors of the rows of one batch, and the names in ``source``."""
        rows = [item.row for item in items]
        batch: dict[str, Any] = self._texts(items)
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
            images = [_open(getattr(i.row, f"{side}_image"), i.root, size) if i.images else None for i in items]
            batch[f"{side}_pixels"], batch[f"{side}_image_mask"] = self.builder.photos(images)
        pair = batch["claim_image_mask"] & batch["document_image_mask"]
        # Without both images there is no relation to learn, and no five-class label.
        batch["relation"] = batch["relation"].masked_fill(~pair, UNLABELLED)
        batch["label"] = batch["label"].masked_fill(~pair, UNLABELLED)
        return batch

    def _texts(self, items: Sequence[Loaded]) -> dict[str, Any]:
        if self.tokens is None:
            return dict(self.builder.texts([item.row.text for item in items]))
        changed = [item.row.text for item in items if item.number is None]
        made = self.builder.texts(changed) if changed else None
        return dict(self.tokens.batch([item.number for item in items], made))


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
