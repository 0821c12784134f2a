"""Scoring of a verdict table: all figures in one place."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factcheck.errors import InputError
from factcheck.evaluation.confidence import TARGETS, Confidence, confidence_by_kind
from factcheck.evaluation.examples import Example, choose_examples
from factcheck.evaluation.judged import Judged, judge
from factcheck.evaluation.matching import Joined, Progress, join_tables
from factcheck.evaluation.metrics import Classification, classification_of, expected_calibration_error
from factcheck.evaluation.slices import Slice, score_slices, slices_of
from factcheck.labels import FACTIFY_LABELS, IMAGE_RELATIONS, STANCES, relation_of

__all__ = ["Scores", "SourceScores", "score", "score_joined"]


@dataclass(frozen=True)
class SourceScores:
    """The stance over the rows of one source, which may have no images: rows, accuracy, macro F1 and ECE, in [0, 1].

    ECE is that of the stance probabilities; None where no row has any.
    """

    rows: int
    accuracy: float
    macro_f1: float
    ece: float | None


@dataclass(frozen=True)
class Scores:
    """Everything that is known of a verdict table's quality.

    Attributes:
        rows: rows in the verdict table.
        statuses: rows by status.
        abstained: rows whose verdict was withheld; rows in error, which have none, are not among them.
        unscored: labelled rows of the truth table that no verdict is of.
        five_class: over rows whose gold label is one of the five classes; None if there is none.
        stance: over all rows with a gold label.
        image_relation: over rows whose gold label has one; None if there is none, or no verdict saw two images.
        confidence: how far confidence can be trusted, by kind of row (see :data:`factcheck.evaluation.confidence.KINDS`); where
            there is one kind alone, it stands for all rows.
        undecided: labelled rows that no evidence was found for, or with an error: always withheld, whatever the threshold.
        slices: figures of parts of the table.
        by_source: the stance by the truth table's ``source`` (a further field of it); empty without one.
        without_pair: of the five-class rows, those whose verdict saw no pair of images. It names a stance alone, which is wrong
            among the five classes unless it is ``Refute``.
        models: fingerprints of the models that gave the verdicts.
        by_position: verdicts and truth were matched by their place alone: the truth table has no ids.
        other_documents: verdicts whose quoted evidence is not in the document that the truth table has for them.
        examples: verdicts to read first (see :func:`factcheck.evaluation.examples.choose_examples`).
    """

    rows: int
    statuses: Mapping[str, int]
    abstained: int
    five_class: Classification | None
    stance: Classification
    image_relation: Classification | None
    confidence: Mapping[str, Confidence]
    undecided: int = 0
    slices: tuple[Slice, ...] = ()
    by_source: Mapping[str, SourceScores] = field(default_factory=dict)
    without_pair: int = 0
    unscored: int = 0
    models: tuple[str, ...] = ()
    by_position: bool = False
    other_documents: int = 0
    examples: tuple[Example, ...] = field(default=(), repr=False)

    @property
    def operating(self) -> Confidence | None:
        """The confidence over all rows that an abstention threshold acts on; None where there is no such row."""
        return next(iter(self.confidence.values()), None)

    @property
    def image_remark(self) -> str | None:
        """Why the five-class figures are lower than the stance's, where images are missing; None where none is."""
        if not self.five_class or not self.without_pair:
            return None
        return (
            f"{self.without_pair} of these {self.five_class.rows} rows have no pair of photos: their verdict names the stance "
            "alone, which counts as wrong among the five classes unless it is Refute"
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        parts = {"five_class": self.five_class, "stance": self.stance, "image_relation": self.image_relation}
        return {
            "rows": self.rows,
            "statuses": dict(self.statuses),
            "abstained": self.abstained,
            "labelled_rows_without_verdict": self.unscored,
            "labelled_rows_without_evidence": self.undecided,
            "models": list(self.models),
            "matched_by_position": self.by_position,
            "other_documents": self.other_documents,
            "five_class_rows_without_pair": self.without_pair,
            **{name: part.to_dict() if part else None for name, part in parts.items()},
            "confidence": {name: part.to_dict() for name, part in self.confidence.items()},
            "slices": [part.to_dict() for part in self.slices],
            "by_source": {source: asdict(part) for source, part in self.by_source.items()},
        }


def score(
    verdicts: Any,
    truth: Any,
    *,
    columns: Mapping[str, str] | None = None,
    targets: Sequence[float] = TARGETS,
    progress: Progress | None = None,
) -> Scores:
    """Score a verdict table against the labels of a claims table.

    Rows are matched by position where both tables hold the same ids in the same order, else by id. Where the truth table has no
    ids, it must have as many rows as there are verdicts, and the evidence that most of them quote from their claims' own documents
    must be in the documents that the truth table has, if any: otherwise the verdicts are of another table.

    Args:
        verdicts: a verdict table on disk, or the table that :meth:`factcheck.Verifier.verify_batch` returned, also as a pandas or
            Polars data frame.
        truth: the claims table with labels: a file, or a table of pyarrow, pandas, Polars or ``datasets``, or a list of Claims.
        columns: names of columns in ``truth``, as ``{"label": "verdict"}``.
        targets: precisions in (0, 1] that thresholds are wanted for.
        progress: called with the number of truth rows read and of all.

    Raises:
        InputError: a table cannot be read, a label is none, rows cannot be matched or are of other documents, or there is no
            label at all.
    """
    joined = join_tables(verdicts, truth, columns=columns, progress=progress)
    if not any(label is not None for label in joined.labels):
        where = truth if isinstance(truth, str | Path) else "the truth table"
        found = f"{where}: no row has a label" if joined.labels else f"{where}: there are no verdicts to score (0 rows)"
        raise InputError(
            found, field="truth", hint="give the table with gold labels as `truth`" if joined.labels else None
        )
    return score_joined(joined, judge(joined.verdicts, joined.labels, joined.classes), targets=targets)


def score_joined(joined: Joined, judged: Judged, *, targets: Sequence[float] = TARGETS) -> Scores:
    """The figures of verdicts that are joined with at least one gold label."""
    labelled, five = judged.labelled, judged.gold_class >= 0
    gold_relation = np.array([_relation(label) for label in FACTIFY_LABELS])[judged.gold_class]
    related = five & (gold_relation >= 0)
    names = [[label.value for label in labels] for labels in (FACTIFY_LABELS, STANCES, IMAGE_RELATIONS)]
    errors = np.array(joined.verdicts["status"].to_pylist(), dtype=object) == "error"
    return Scores(
        rows=len(labelled),
        statuses=Counter(joined.verdicts["status"].to_pylist()),
        abstained=int(judged.abstained.sum()),
        five_class=_classes(judged.gold_class[five], judged.label[five], names[0]) if five.any() else None,
        stance=_classes(judged.gold_stance[labelled], judged.stance[labelled], names[1]),
        image_relation=_classes(gold_relation[related], judged.relation[related], names[2])
        if (judged.relation[related] >= 0).any()
        else None,
        confidence=confidence_by_kind(judged, targets=targets),
        undecided=int((labelled & ~judged.decided).sum()),
        slices=tuple(score_slices(judged, slices_of(joined, judged))),
        by_source=_by_source(joined, judged),
        without_pair=int((five & ~judged.pair & ~errors).sum()),
        unscored=joined.unscored,
        by_position=joined.by_position,
        other_documents=joined.other_documents,
        models=tuple(sorted({model for model in joined.verdicts["model"].unique().to_pylist() if model})),
        examples=choose_examples(joined, judged),
    )


def _relation(label: Any) -> int:
    relation = relation_of(label)
    return -1 if relation is None else IMAGE_RELATIONS.index(relation)


def _classes(gold: NDArray[np.integer], said: NDArray[np.integer], names: Sequence[str]) -> Classification:
    size = len(names)
    cells = gold.astype(np.int64) * (size + 1) + np.where(said < 0, size, said)
    return classification_of(np.bincount(cells, minlength=size * (size + 1)).reshape(size, size + 1), names)


def _by_source(joined: Joined, judged: Judged) -> dict[str, SourceScores]:
    sources = np.array(joined.sources or [], dtype=object)
    result = {}
    for source in sorted(set(joined.sources or ())):
        rows = (sources == source) & judged.labelled
        if not rows.any():
            continue
        part = _classes(judged.gold_stance[rows], judged.stance[rows], STANCES)
        vectors = judged.stance_probabilities[rows & judged.decided]
        gold = judged.gold_stance[rows & judged.decided][np.isfinite(vectors).all(1)]
        vectors = vectors[np.isfinite(vectors).all(1)]
        ece = expected_calibration_error(vectors.max(1), vectors.argmax(1) == gold) if len(vectors) else None
        result[source] = SourceScores(part.rows, part.accuracy, part.macro_f1, ece)
    return result
