"""What happens to training rows on their way into a batch: images dropped, evidence or claim changed.

Drawing and doing are apart: :meth:`Augmentation.draw` decides in the training process, from numbers that a resumed run draws
again, and :class:`Augmenter` does it where the rows are loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from factcheck.labels import FACTIFY_LABELS, IMAGE_RELATIONS, STANCES, FactifyLabel, Stance, compose_label
from factcheck.models.inputs import TextRow
from factcheck.training.facts import furnish
from factcheck.training.verdict.contrasts import make_contrast
from factcheck.training.verdict.losses import NOT_SUPPORT, UNLABELLED
from factcheck.training.verdict.rows import TrainingRow
from retrieval.arguments import checked_number
from retrieval.text.words import words

__all__ = ["Augmentation", "Augmenter", "Change"]


class Change(NamedTuple):
    """What happens to one row; a seed says that it does and how."""

    images: bool = True
    distractors: int | None = None
    own_evidence: bool = False
    contrast: int | None = None
    unrelated: int | None = None
    furniture: int | None = None


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Shares of the training rows, each in [0, 1), that are changed."""

    modality_dropout: float = 0.0
    """Rows whose images are both left out, whatever their class."""
    distractors: float = 0.0
    """Batches whose rows get sentences of other rows of their source among their evidence: one or more, after the best, ``top_k`` at
    most in all. Claims stay what they are when something irrelevant stands beside the evidence, and sentence pairs come to look
    like claims with a document."""
    own_evidence: float = 0.0
    """Rows whose claim comes first among its evidence, and is supported by it."""
    unrelated_evidence: float = 0.0
    """Rows whose evidence is that of another row, of any source, and which it therefore leaves undecided: a document that says
    nothing of the claim does not refute it."""
    furniture: float = 0.0
    """Rows whose claim gets what news and social media put around a sentence."""
    contrasts: dict[str, float] = field(default_factory=dict)
    """By ``source`` (as named in the files), rows that become claims made of their evidence, some with one number, name or word
    altered (:mod:`factcheck.training.verdict.contrasts`)."""

    def __post_init__(self) -> None:
        for name in ("modality_dropout", "distractors", "own_evidence", "unrelated_evidence", "furniture"):
            checked_number(name, getattr(self, name), below=1.0)
        for source, share in self.contrasts.items():
            checked_number(f"contrasts.{source}", share, below=1.0)

    def draw(self, sources: Sequence[str], rng: np.random.Generator) -> list[Change]:
        """What happens to the rows of one batch, whose sources these are."""
        count = len(sources)
        # Dropping is drawn for every row alike, whatever its class or images: absence must carry no label.
        images = (rng.random(count) >= self.modality_dropout).tolist()
        # Whole batches, because one lengthened row would pad the others.
        distract = rng.random() < self.distractors
        distractors = rng.integers(2**31, size=count).tolist() if distract else [None] * count
        own = (rng.random(count) < self.own_evidence).tolist()
        contrast = rng.random(count) < [self.contrasts.get(source, 0.0) for source in sources]
        contrasts = _seeds(rng, contrast)
        unrelated = rng.random(count) < self.unrelated_evidence
        unrelateds = _seeds(rng, unrelated)
        furniture = _seeds(rng, rng.random(count) < self.furniture)
        return list(map(Change, images, distractors, own, contrasts, unrelateds, furniture))


class Augmenter:
    """Does to rows what was drawn for them.

    Args:
        rows: all training rows, whose evidence the others may get.
        top_k: evidence sentences a row has at most.
    """

    def __init__(self, rows: Sequence[TrainingRow], top_k: int) -> None:
        self._rows, self._top_k = rows, top_k
        self._by_source: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            if row.text.evidence:
                self._by_source.setdefault(row.source, []).append(number)

    def __call__(self, row: TrainingRow, change: Change) -> TrainingRow:
        """The changed row; its images are the loader's business."""
        row = self._evidence(row, change)
        if change.furniture is not None:
            claim = furnish(row.text.claim, np.random.default_rng(change.furniture))
            row = replace(row, text=replace(row.text, claim=claim))
        return row

    def _evidence(self, row: TrainingRow, change: Change) -> TrainingRow:
        if change.unrelated is not None:
            return self._unrelated(row, np.random.default_rng(change.unrelated))
        if change.contrast is not None:
            row = self._contrast(row, np.random.default_rng(change.contrast))
        if change.distractors is not None:
            row = self._distracted(row, np.random.default_rng(change.distractors))
        if change.own_evidence and change.contrast is None:
            row = self._own_evidence(row)
        return row

    def _unrelated(self, row: TrainingRow, rng: np.random.Generator) -> TrainingRow:
        """The row with the evidence of another one that shares no word of its claim worth naming, or the row itself."""
        claim = _content_words(row.text.claim)
        for _ in range(5):
            other = self._rows[int(rng.integers(len(self._rows)))].text.evidence
            if other and not claim & _content_words(" ".join(other)):
                return _with_stance(row, replace(row.text, evidence=other), Stance.INSUFFICIENT)
        return row

    def _contrast(self, row: TrainingRow, rng: np.random.Generator) -> TrainingRow:
        """A claim made of the row's, or the row itself where nothing can be made of it."""
        others = self._by_source.get(row.source)
        if not others or not row.text.evidence or row.stance == UNLABELLED:
            return row
        other = self._rows[others[rng.integers(len(others))]].text.evidence
        # "Not supported" is enough to know of a claim that will not be altered.
        stance = Stance.INSUFFICIENT if row.stance == NOT_SUPPORT else STANCES[row.stance]
        made = make_contrast(row.text.claim, row.text.evidence, stance, rng, " ".join(other))
        if made is None:
            return row
        claim, evidence, stance = made
        return _with_stance(row, replace(row.text, claim=claim, evidence=evidence), stance)

    def _distracted(self, row: TrainingRow, rng: np.random.Generator) -> TrainingRow:
        """The row with sentences of other rows of its source among its evidence, the best sentence still first."""
        evidence = list(row.text.evidence)
        room = self._top_k - len(evidence)
        if not evidence or room < 1:
            return row
        others = self._by_source[row.source]
        for other in rng.integers(len(others), size=rng.integers(1, room + 1)):
            sentences = self._rows[others[other]].text.evidence
            sentence = sentences[rng.integers(len(sentences))]
            if sentence not in evidence:
                evidence.insert(int(rng.integers(1, len(evidence) + 1)), sentence)
        return replace(row, text=replace(row.text, evidence=tuple(evidence)))

    def _own_evidence(self, row: TrainingRow) -> TrainingRow:
        """The row with its claim as its best evidence, which supports it."""
        evidence = (row.text.claim, *row.text.evidence)[: self._top_k]
        return _with_stance(row, replace(row.text, evidence=evidence), Stance.SUPPORT)


def _seeds(rng: np.random.Generator, chosen: np.ndarray) -> list[int | None]:
    """A seed for each row that is chosen; as many numbers are drawn whichever rows are."""
    drawn = rng.integers(2**31, size=len(chosen)).tolist()
    return [seed if yes else None for seed, yes in zip(drawn, chosen, strict=True)]


def _content_words(text: str) -> frozenset[str]:
    """Its words of four letters and more, in lower case."""
    return frozenset(word for word in words(text) if len(word) > 3)


def _with_stance(row: TrainingRow, text: TextRow, stance: Stance) -> TrainingRow:
    """The row with another text and the stance that goes with it; its images stay what they are."""
    label = UNLABELLED
    if row.label != UNLABELLED:
        if stance is Stance.REFUTE:
            label = FACTIFY_LABELS.index(FactifyLabel.REFUTE)
        elif row.relation != UNLABELLED:  # of a row that was refuted the relation is not known
            label = FACTIFY_LABELS.index(compose_label(stance, IMAGE_RELATIONS[row.relation]))
    # What another model said was of the other text.
    return replace(row, text=text, stance=STANCES.index(stance), label=label, soft=None)
