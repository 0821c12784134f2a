"""The data module of verdict training: one or many labelled sets, mixed by weight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from factcheck.errors import InputError
from factcheck.models.inputs import InputBuilder
from factcheck.training.options import group_of
from factcheck.training.sampler import MixtureBatchSampler
from factcheck.training.verdict.augment import Augmentation, Augmenter
from factcheck.training.verdict.checks import check_images, check_monitors
from factcheck.training.verdict.loading import Batches, Collate, MixedBatches, RowDataset, batches_by_length
from factcheck.training.verdict.rows import (
    EvidenceSelection,
    Reading,
    TrainingRow,
    made_rows,
    read_training_rows,
    with_evidence,
    with_soft_labels,
)
from factcheck.training.verdict.tokens import cached_tokens
from retrieval.arguments import checked_int, checked_share

__all__ = ["Mixture", "PredictOptions", "VerdictDataModule"]


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What a training reads of its files."""

    source_weights: dict[str, float] = field(default_factory=dict)
    """Further factor on the draws of rows of a ``source`` (as named in the files)."""
    made: int = 0
    """Claims with evidence made from templates (:mod:`factcheck.training.facts`), as further rows of weight 1; their sources are
    called ``made-quantity``, ``made-role`` and so on."""
    retrieval_method: str | None = None
    """How sentences of training files are selected, where it is not as in ``selection``; ``bm25`` reads a quarter of a million rows
    in a minute."""
    max_tokens: int | None = None
    """Longest text of a training row, claim and evidence; null is the model's own limit. What is read in training need not be as
    long as what is read later, and its length is what a step costs."""

    def __post_init__(self) -> None:
        checked_int("made", self.made, 0)


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What ``predict`` verifies: see :func:`factcheck.training.verdict.predict.predict`."""

    claims: str | None = None
    """The claims table to verify."""
    out: str = "verdicts.parquet"
    """The verdict table to write."""
    evidence: str | None = None
    """Evidence index (a folder) for claims that bring no document."""
    abstain_below: float | None = None
    """Confidence under which a verdict counts as abstained, in [0, 1]; null takes the model's threshold."""

    def __post_init__(self) -> None:
        if self.abstain_below is not None:
            checked_share("abstain_below", self.abstain_below)


_SELECTION, _AUGMENTATION, _MIXTURE, _PREDICT = EvidenceSelection(), Augmentation(), Mixture(), PredictOptions()
_READING = Reading()


class VerdictDataModule(pl.LightningDataModule):
    """Labelled claims for the verdict model.

    The tokenizer and the image transform come from the module that is trained, so that data and model cannot disagree.

    Args:
        root: folder that the file names are relative to.
        train: training files; a mapping gives each the expected draws of its rows in an epoch (1.0 = every row once).
        val: validation files.
        test: test files; empty uses ``val``.
        soft_labels: by training file, the verdict table that another model (a larger teacher) made of the same file: the stance head
            learns its probabilities, too (see ``loss.soft_label_weight`` of the module). Rows of such a claims table need no label.
        languages: keep only rows of these languages (ISO 639-1), and those of files that state none; null keeps all.
        image_root: folder that image paths are relative to; by default each file's own folder.
        columns: names of columns in the files, as ``{"claim": "text"}``, for tables with names of their own.
        reading: how the files are written, as far as they do not say so themselves.
        selection: which sentences of a document are its evidence.
        mixture: what a training reads of its files.
        augmentation: what happens to training rows on their way into a batch.
        batch_size: rows a step and process.
        num_workers: loader processes; 0 loads in the training process.
        cache_tokens: tokenize rows once and keep that on disk; null does so where they are read for more than one epoch. Rows whose
            text is changed on the way are tokenized each time.
        predict: what ``predict`` verifies.
        seed: order of the rows.

    Raises:
        InputError: a setting is out of range, or names a folder or file that is not there.
    """

    def __init__(
        self,
        root: str,
        train: dict[str, float] | list[str] | str = "train.csv",
        val: list[str] | str = "val.csv",
        test: list[str] | str | None = None,
        soft_labels: dict[str, str] | None = None,
        languages: list[str] | None = None,
        image_root: str | None = None,
        columns: dict[str, str] | None = None,
        reading: Reading = _READING,
        selection: EvidenceSelection = _SELECTION,
        mixture: Mixture = _MIXTURE,
        augmentation: Augmentation = _AUGMENTATION,
        batch_size: int = 32,
        num_workers: int = 0,
        cache_tokens: bool | None = None,
        predict: PredictOptions = _PREDICT,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()  # an export stores the evidence selection with the model
        self.selection, self.augmentation = group_of(EvidenceSelection, selection), group_of(Augmentation, augmentation)
        self.mixture, self.predict = group_of(Mixture, mixture), group_of(PredictOptions, predict)
        self.batch_size = checked_int("batch_size", batch_size, 1)
        self.num_workers, self.cache_tokens = checked_int("num_workers", num_workers, 0), cache_tokens
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise InputError(
                f"data root {root!r} is not a folder",
                field="root",
                hint="give the folder that holds the training files",
            )
        self.train_files = _weights(train)
        self.val_files = list(_weights(val))
        self.test_files = list(_weights(test)) if test else self.val_files
        self.soft_labels = soft_labels or {}
        if unknown := sorted(set(self.soft_labels) - set(self.train_files)):
            raise InputError(
                f"`soft_labels` names {unknown}, which `train` does not; it has {sorted(self.train_files)}",
                field="soft_labels",
            )
        self.image_root = Path(image_root).expanduser() if image_root else None
        self.claims_format = group_of(Reading, reading).claims_format(columns)
        self.languages, self.seed = languages, seed
        self._rows: dict[str, list[TrainingRow]] = {}
        self._sampler: MixtureBatchSampler | None = None
        self._resume: dict[str, Any] | None = None

    def setup(self, stage: str) -> None:
        """Forget where an earlier training of this process was."""
        self._sampler = self._resume = None

    def prepare_data(self) -> None:
        """Read every file once and select its evidence, so that other processes find it done; look for images that are missing.

        Raises:
            InputError: a file cannot be read, has a bad row or none of its images, or a callback monitors what validation will not
                measure.
        """
        names = dict.fromkeys([*self.train_files, *self.val_files, *self.test_files])
        for name in names:
            self.rows(name)
        if self.trainer is None:
            return
        reads_images = self._builder().transform is not None
        for name in names if reads_images else ():
            check_images(self.root / name, self.rows(name), self._images(name))
        if self.trainer.training:
            val = self._numbered(self.val_files)
            check_monitors(self.trainer, val, reads_images)
            self._collate(self._training_builder(), self._training_rows()[0])  # tokens for the loaders of all processes
            self._collate(self._builder(), val)

    def rows(self, name: str) -> list[TrainingRow]:
        """The rows of one file with their evidence selected."""
        if name not in self._rows:
            verdicts = self.soft_labels.get(name)
            rows = read_training_rows(self.root / name, columns=self.claims_format, unlabelled=verdicts is not None)
            if verdicts is not None:
                rows = with_soft_labels(rows, self.root / Path(verdicts).expanduser())
            if self.languages is not None:
                rows = [row for row in rows if row.language is None or row.language in self.languages]
            selection = self.selection
            if name in self.train_files and self.mixture.retrieval_method is not None:
                selection = replace(selection, retrieval_method=self.mixture.retrieval_method)
            self._rows[name] = with_evidence(rows, selection)
        return self._rows[name]

    def train_dataloader(self) -> Batches:
        """Weighted mixture of the training files.

        Raises:
            InputError: a source that is named is no row's.
        """
        rows, weights = self._training_rows()
        sources = [row.source for _, row in rows]
        by_source = self.mixture.source_weights
        named = {"source_weights": by_source, "contrasts": self.augmentation.contrasts}
        for option, values in named.items():
            if unknown := sorted(set(values) - set(sources)):
                raise InputError(
                    f"`{option}` names {unknown}, which no training row has; sources are {sorted(set(sources))}",
                    field=option,
                )
        trainer, builder = self._running(), self._training_builder()
        self._sampler = MixtureBatchSampler(
            # Characters: to count the tokens of a quarter of a million rows takes minutes and makes the batches no shorter.
            [min(row.characters, 5 * builder.max_length) for _, row in rows],
            [weight * by_source.get(source, 1.0) for weight, source in zip(weights, sources, strict=True)],
            self.batch_size,
            self.seed,
            rank=trainer.global_rank,
            replicas=trainer.world_size,
        )
        self._take_up()
        dataset = RowDataset(rows, Augmenter([row for _, row in rows], self.selection.top_k))
        batches = MixedBatches(self._sampler, trainer, self.augmentation, sources)
        return Batches(dataset, batches, self._collate(builder, rows), self.num_workers)

    def val_dataloader(self) -> Batches:
        """Every validation row once, in order of length."""
        return self._eval_loader(self.val_files)

    def test_dataloader(self) -> Batches:
        """Every test row once, in order of length."""
        return self._eval_loader(self.test_files)

    def state_dict(self) -> dict[str, Any]:
        """Epoch and number of batches taken in it, so that a resumed run goes on with the next one, and what both depend on."""
        trainer = self._running()
        # "Processed" and not "completed": a checkpoint written at the end of a batch counts that batch.
        progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current
        done = progress.processed
        epoch = trainer.current_epoch
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
            was = self._resume.get(name)
            if was != now:
                raise InputError(
                    f"the checkpoint was written with {was} {name} and this run has {now}: it cannot go on where that one stopped",
                    hint="resume with the same data and settings, or start a new training from its weights (as `init_from`)",
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

    def _eval_loader(self, names: Sequence[str]) -> Batches:
        rows, trainer = self._numbered(names), self._running()
        if len(rows) < trainer.world_size:
            # A process without rows would skip the validation, and the others wait for it for ever.
            raise InputError(
                f"{', '.join(names)}: {len(rows)} rows for {trainer.world_size} processes; each needs at least one",
                hint="give more rows, or fewer `devices`",
            )
        batches = batches_by_length(
            [row for _, row in rows], 2 * self.batch_size, trainer.global_rank, trainer.world_size
        )
        return Batches(RowDataset(rows), batches, self._collate(self._builder(), rows), self.num_workers)

    def _collate(self, builder: InputBuilder, rows: Sequence[tuple[Path, TrainingRow]]) -> Collate:
        trainer = self._running()
        once = not trainer.training or trainer.max_epochs == 1
        if self.cache_tokens is False or (self.cache_tokens is None and once):
            return Collate(builder)
        return Collate(builder, cached_tokens([row.text for _, row in rows], builder, self.num_workers))

    def _training_rows(self) -> tuple[list[tuple[Path, TrainingRow]], list[float]]:
        """The rows to draw from, each with the folder of its images, and the draws of each by its file."""
        rows = self._numbered(self.train_files)
        weights = [weight for name, weight in self.train_files.items() for _ in self.rows(name)]
        made = made_rows(self.mixture.made, self.seed)
        return rows + [(self.root, row) for row in made], weights + [1.0] * len(made)

    def _training_builder(self) -> InputBuilder:
        most = self.mixture.max_tokens
        return self._builder() if most is None else self._builder().shorter(most)

    def _numbered(self, names: Mapping[str, float] | Sequence[str]) -> list[tuple[Path, TrainingRow]]:
        """The rows of several files, each with the folder of its images."""
        return [(self._images(name), row) for name in names for row in self.rows(name)]

    def _images(self, name: str) -> Path:
        return self.image_root or (self.root / name).parent

    def _running(self) -> pl.Trainer:
        if self.trainer is None:
            raise RuntimeError("the loaders are made for a trainer; give the data module to Trainer.fit")
        return self.trainer

    def _builder(self) -> InputBuilder:
        module: Any = self._running().lightning_module
        return module.input_builder


def _weights(files: dict[str, float] | Sequence[str] | str) -> dict[str, float]:
    if isinstance(files, str):
        files = [files]
    return dict(files) if isinstance(files, dict) else dict.fromkeys(files, 1.0)
