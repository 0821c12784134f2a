"""The data module of verdict training: one or many labelled sets, mixed by weight."""

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
from factcheck.training.files import check_monitors, check_photos, training_messages
from factcheck.training.sampler import MixtureBatchSampler
from factcheck.training.verdict.augment import Augmentation, Augmenter, Change
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.predict import ClaimChunks
from factcheck.training.verdict.rows import TrainingRow, made_rows, read_training_rows, with_evidence, with_soft_labels

__all__ = ["VerdictDataModule"]


class _Item(NamedTuple):
    """A row to be drawn, and what happens to it on the way."""

    row: int
    change: Change = Change()


class VerdictDataModule(pl.LightningDataModule):
    """Labelled claims for the verdict model.

    The tokenizer and the photo transform come from the module that is trained, so that data and model cannot disagree.

    Args:
        root: folder that the file names are relative to.
        train: training files; a mapping gives each the expected draws of its rows in an epoch (1.0 = every row once).
        val: validation files.
        test: test files; empty uses ``val``.
        soft_labels: by training file, the verdict table that ``factcheck verify`` of another model (a larger teacher) made of the
            same file: the stance head learns its probabilities, too (see ``soft_label_weight`` of the module). Rows of such a
            claims table need no label.
        source_weights: further factor on the draws of rows of a ``source`` (as named in the files).
        languages: keep only rows of these languages (ISO 639-1), and those of files that state none; null keeps all.
        image_root: folder that image paths are relative to; by default each file's own folder.
        columns: names of columns in the files, as ``{"claim": "text"}``, for tables with names of their own.
        top_k: evidence sentences selected for a row.
        min_share: for ``factcheck predict`` and exported models, see :func:`retrieval.select_evidence`. Training leaves no
            sentence out.
        retrieval_encoder: text encoder for the selection (``bundled``, folder or id).
        retrieval_method: ``hybrid``, ``dense`` or ``bm25``.
        training_retrieval_method: another one for the training files; ``bm25`` reads a quarter of a million rows in a minute.
        training_tokens: longest text of a training row, claim and evidence; null is the model's own limit. What is read in training need
            not be as long as what is read later, and its length is what a step costs.
        batch_size: rows a step and process.
        modality_dropout: probability that a training row's photos are both left out, whatever its class, in [0, 1).
        distractors: share of the training batches whose rows get sentences of other rows of their source among their
            evidence, in [0, 1): one or more, after the best, ``top_k`` at most in all. Claims stay what they are when
            something irrelevant stands beside the evidence, and sentence pairs come to look like claims with a document.
        own_evidence: share of the training rows whose claim comes first among its evidence, and is supported by it, in [0, 1).
        unrelated_evidence: share of the training rows whose evidence is that of another row, of any source, and which it therefore
            leaves undecided, in [0, 1): a document that says nothing of the claim does not refute it.
        furniture: share of the training rows whose claim gets what news and social media put around a sentence, in [0, 1).
        made: claims with evidence made from templates (:mod:`factcheck.training.facts`), as further rows of weight 1; their sources
            are called ``made-quantity``, ``made-role`` and so on.
        contrasts: by ``source`` (as named in the files), the share of the training rows, in [0, 1), that become claims made of
            their evidence, some with one number, name or word altered (:mod:`factcheck.training.verdict.contrasts`).
        num_workers: loader processes; 0 loads in the training process.
        predict: claims table for ``factcheck predict``.
        predict_out: verdict table that ``factcheck predict`` writes.
        abstain_below: confidence under which ``factcheck predict`` marks a verdict as abstained.
        seed: order of the rows.
    """

    def __init__(
        self,
        root: str,
        train: dict[str, float] | list[str] | str = "train.csv",
        val: list[str] | str = "val.csv",
        test: list[str] | str | None = None,
        soft_labels: dict[str, str] | None = None,
        source_weights: dict[str, float] | None = None,
        languages: list[str] | None = None,
        image_root: str | None = None,
        columns: dict[str, str] | None = None,
        top_k: int = 5,
        min_share: float = 0.0,
        retrieval_encoder: str = "bundled",
        retrieval_method: str = "hybrid",
        training_retrieval_method: str | None = None,
        training_tokens: int | None = None,
        batch_size: int = 32,
        modality_dropout: float = 0.0,
        distractors: float = 0.0,
        own_evidence: float = 0.0,
        unrelated_evidence: float = 0.0,
        furniture: float = 0.0,
        made: int = 0,
        contrasts: dict[str, float] | None = None,
        num_workers: int = 0,
        predict: str | None = None,
        predict_out: str = "verdicts.parquet",
        abstain_below: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()  # `factcheck export` stores the evidence selection with the model
        self.augmentation = Augmentation(
            modality_dropout, distractors, own_evidence, unrelated_evidence, furniture, contrasts or {}
        )
        for name, number, least in (
            ("top_k", top_k, 1),
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers, 0),
            ("made", made, 0),
        ):
            if number < least:
                raise InputError(f"{name} must be at least {least}, found {number}")
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise InputError(f"data root {root!r} is no folder; give the folder that holds the training files")
        self.train_files = _weights(train)
        self.val_files = list(_weights(val))
        self.test_files = list(_weights(test)) if test else self.val_files
        self.soft_labels = soft_labels or {}
        if unknown := sorted(set(self.soft_labels) - set(self.train_files)):
            raise InputError(f"soft_labels names {unknown}, which train does not; it has {sorted(self.train_files)}")
        self.made = made
        self.source_weights, self.languages = source_weights or {}, languages
        self.image_root = Path(image_root).expanduser() if image_root else None
        self.columns, self.top_k, self.min_share = columns, top_k, min_share
        self.retrieval_encoder, self.retrieval_method = retrieval_encoder, retrieval_method
        self.training_tokens = training_tokens
        self.training_retrieval_method = training_retrieval_method or retrieval_method
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.predict, self.predict_out, self.abstain_below = predict, predict_out, abstain_below
        self._rows: dict[str, list[TrainingRow]] = {}
        self._sampler: MixtureBatchSampler | None = None
        self._resume: dict[str, Any] | None = None

    def setup(self, stage: str) -> None:
        """Forget where an earlier training of this process was; keep Lightning from dealing out batches a second time.

        Between several processes the loaders here deal them out themselves: ``use_distributed_sampler=False`` goes without saying.
        """
        self._sampler = self._resume = None
        if self.trainer is not None:
            # No public name for it. Were it another one day, Lightning would ask the user for the flag, as it does without this.
            self.trainer._accelerator_connector.use_distributed_sampler = False

    def prepare_data(self) -> None:
        """Read every file once and select its evidence, so that other processes find it done; look for photos that are missing.

        Raises:
            InputError: a file cannot be read, has a bad row or none of its photos, or a callback monitors what validation will not
                measure.
        """
        names = dict.fromkeys([*self.train_files, *self.val_files, *self.test_files])
        for name in names:
            self.rows(name)
        if self.trainer is None or self.trainer.predicting:
            return
        reads_photos = self._builder().transform is not None
        for name in names if reads_photos else ():
            check_photos(self.root / name, self.rows(name), self._images(name))
        if self.trainer.training:
            val = [(self._images(name), row) for name in self.val_files for row in self.rows(name)]
            check_monitors(self.trainer, val, reads_photos)

    def rows(self, name: str) -> list[TrainingRow]:
        """The rows of one file with their evidence selected."""
        if name not in self._rows:
            path = self.root / name
            verdicts = self.soft_labels.get(name)
            with training_messages():
                rows = read_training_rows(path, columns=self.columns, unlabelled=verdicts is not None)
            if verdicts is not None:
                rows = with_soft_labels(rows, self.root / Path(verdicts).expanduser())
            if self.languages is not None:
                rows = [row for row in rows if row.language is None or row.language in self.languages]
            method = self.training_retrieval_method if name in self.train_files else self.retrieval_method
            self._rows[name] = with_evidence(rows, self.top_k, self.retrieval_encoder, method)
        return self._rows[name]

    def train_dataloader(self) -> DataLoader:
        """Weighted mixture of the training files."""
        rows, weights = [], []
        for name, weight in self.train_files.items():
            rows += [(self._images(name), row) for row in self.rows(name)]
            weights += [weight * self.source_weights.get(row.source, 1.0) for row in self.rows(name)]
        for row in made_rows(self.made, self.seed):
            rows.append((self.root, row))
            weights.append(self.source_weights.get(row.source, 1.0))
        known = {row.source for _, row in rows}
        for option, named in (("source_weights", self.source_weights), ("contrasts", self.augmentation.contrasts)):
            if unknown := sorted(set(named) - known):
                raise InputError(f"{option} names {unknown}, which no training row has; sources are {sorted(known)}")
        # Characters: the tokens of a quarter of a million rows would take minutes to count and make the batches no shorter.
        builder = self._builder()
        if self.training_tokens is not None:
            builder = builder.shorter(self.training_tokens)
        longest = 5 * builder.max_length
        self._sampler = MixtureBatchSampler(
            [min(_cost(row), longest) for _, row in rows],
            weights,
            self.batch_size,
            self.seed,
            rank=self.trainer.global_rank,
            replicas=self.trainer.world_size,
        )
        self._take_up()
        dataset = _RowDataset(rows, Augmenter([row for _, row in rows], self.top_k))
        batches = _Epochs(self._sampler, self.trainer, self.augmentation, [row.source for _, row in rows])
        return _ResumableLoader(dataset, batch_sampler=batches, collate_fn=_Collate(builder), **self._workers())

    def val_dataloader(self) -> DataLoader:
        """Every validation row once, in order of length."""
        return self._eval_loader(self.val_files)

    def test_dataloader(self) -> DataLoader:
        """Every test row once, in order of length."""
        return self._eval_loader(self.test_files)

    def predict_dataloader(self) -> DataLoader:
        """The claims of ``predict`` in chunks, as :meth:`VerdictModule.predict_step` takes them."""
        if self.predict is None:
            raise InputError("factcheck predict needs --data.predict CLAIMS, the claims table to verify")
        path = Path(self.predict).expanduser()
        chunks = ClaimChunks(
            path,
            self.image_root or path.parent,
            self.columns,
            size=256,
            rank=self.trainer.global_rank,
            world=self.trainer.world_size,
        )
        return DataLoader(chunks, batch_size=None)

    def state_dict(self) -> dict[str, Any]:
        """Epoch and number of batches taken in it, so that a resumed run goes on with the next one, and what both depend on."""
        loop = self.trainer.fit_loop.epoch_loop
        # "Processed" and not "completed": a checkpoint written at the end of a batch counts that batch.
        done = loop.batch_progress.current.processed
        epoch = self.trainer.current_epoch
        # At the end of an epoch the counters still speak of the epoch that has just ended.
        if self._sampler is not None and done >= len(self._sampler):
            epoch, done = epoch + 1, 0
        return {"epoch": epoch, "batches": done, **self._layout()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where :meth:`state_dict` was taken.

        Raises:
            InputError: batches are no longer what they were, so that their number says nothing (here, or once the training
                files are read).
        """
        self._resume = state_dict
        self._take_up()

    def _take_up(self) -> None:
        """Move the sampler to where the checkpoint was written, once both are there: either may come first."""
        if self._resume is None or self._sampler is None:
            return
        for name, now in self._layout().items():
            was = self._resume.get(name, now)  # checkpoints of earlier releases do not tell
            if was != now:
                raise InputError(
                    f"the checkpoint was written with {was} {name} and this run has {now}: it cannot go on where that one stopped. "
                    "Resume with the same data and settings, or start a new training from its weights (--model.init_from FILE.ckpt)"
                )
        self._sampler.set_epoch(self._resume["epoch"], self._resume["batches"])

    def _layout(self) -> dict[str, int]:
        """What the batches of an epoch depend on, by the names that messages use."""
        if self._sampler is None:
            return {}
        sampler = self._sampler
        return {
            "rows a batch": sampler.batch_size,
            "processes": sampler.replicas,
            "training rows": len(sampler.weights),
            "draws an epoch": sampler.rows,
        }

    def _eval_loader(self, names: Sequence[str]) -> DataLoader:
        rows = [(self._images(name), row) for name in names for row in self.rows(name)]
        if len(rows) < self.trainer.world_size:
            # A process without rows would skip the validation, and the others wait for it for ever.
            raise InputError(
                f"{', '.join(names)}: {len(rows)} rows for {self.trainer.world_size} processes; each needs at least one: give more "
                "rows, or fewer --trainer.devices"
            )
        order = sorted(range(len(rows)), key=lambda i: _cost(rows[i][1]))
        order = order[self.trainer.global_rank :: self.trainer.world_size]
        order = [_Item(i) for i in order]
        batches = [order[i : i + 2 * self.batch_size] for i in range(0, len(order), 2 * self.batch_size)]
        return DataLoader(
            _RowDataset(rows), batch_sampler=batches, collate_fn=_Collate(self._builder()), **self._workers()
        )

    def _images(self, name: str) -> Path:
        return self.image_root or (self.root / name).parent

    def _builder(self) -> InputBuilder:
        return self.trainer.lightning_module.input_builder

    def _workers(self) -> dict[str, Any]:
        # Each iterator draws a number, and a resumed run makes other iterators than the run it goes on with: from a generator
        # of their own they leave dropout's alone.
        generator = torch.Generator()
        return {"num_workers": self.num_workers, "persistent_workers": self.num_workers > 0, "generator": generator}


def _weights(files: dict[str, float] | Sequence[str] | str) -> dict[str, float]:
    if isinstance(files, str):
        files = [files]
    return dict(files) if isinstance(files, dict) else dict.fromkeys(files, 1.0)


def _cost(row: TrainingRow) -> int:
    return len(row.text.claim) + sum(map(len, row.text.evidence))


class _Epochs:
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

    def __iter__(self) -> Iterator[list[_Item]]:
        # A run that resumes at the end of an epoch makes its first iterator before the trainer counts that epoch.
        epoch = max(self.trainer.current_epoch, self.mixture.epoch)
        skip = self.mixture.skip if epoch == self.mixture.epoch else 0
        self.mixture.set_epoch(epoch, skip)
        for number, batch in enumerate(self.mixture, start=skip):
            rng = np.random.default_rng((self.mixture.seed, epoch, number, self.mixture.rank))
            yield list(map(_Item, batch, self.augmentation.draw([self.sources[row] for row in batch], rng)))


class _ResumableLoader(DataLoader):
    """Tells Lightning that this loader can resume: the data module keeps its place (see its ``state_dict``)."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


class _RowDataset(Dataset):
    def __init__(self, rows: Sequence[tuple[Path, TrainingRow]], augmenter: Augmenter | None = None) -> None:
        self.rows, self.augmenter = rows, augmenter

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: _Item) -> tuple[Path, TrainingRow, bool]:
        root, row = self.rows[item.row]
        if self.augmenter is not None:
            row = self.augmenter(row, item.change)
        return root, row, item.change.photos


_NO_SOFT = (float("nan"),) * len(STANCES)


class _Collate:
    """Rows → the batch dictionary of :class:`~factcheck.training.verdict.module.VerdictModule`."""

    def __init__(self, builder: InputBuilder) -> None:
        self.builder = builder

    def __call__(self, items: Sequence[tuple[Path, TrainingRow, bool]]) -> dict[str, Any]:
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
        # Without both photos there is no relation to learn, and no five-class label.
        batch["relation"] = batch["relation"].masked_fill(~pair, UNLABELLED)
        batch["label"] = batch["label"].masked_fill(~pair, UNLABELLED)
        return batch


def _open(image: str | bytes | None, root: Path, min_size: int) -> Any:
    """The decoded photo, or None where verification would not have it: training goes on without it, as verification does."""
    from factcheck.data.images import decode_image, read_image

    if image is None:
        return None
    content, path = (image, None) if isinstance(image, bytes) else (None, image)
    data, _ = read_image(content, path, os.path.abspath(root))
    try:
        return None if data is None else decode_image(data, min_size=min_size)
    except InputError:
        return None
