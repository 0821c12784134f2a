"""Scoring of a verdict table: join with gold labels, all figures in one place."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from factcheck.errors import InputError
from factcheck.evaluation.examples import Example, choose_examples
from factcheck.evaluation.matching import Joined, join_tables
from factcheck.evaluation.metrics import (
    Classification,
    OperatingPoint,
    accuracy_at_coverage,
    area_under_risk_coverage,
    brier_score,
    calibrated_ece,
    classification,
    expected_calibration_error,
    operating_point,
)
from factcheck.labels import (
    FACTIFY_LABELS,
    IMAGE_RELATIONS,
    STANCES,
    five_class_labels,
    relation_of,
    stance_of,
)

__all__ = ["Calibrated", "Scores", "SourceScores", "score"]

_COVERAGES = (0.5, 0.7, 0.8, 0.9, 1.0)
_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True)
class Calibrated:
    """How far the confidence can be trusted, over the rows of one task that were judged by evidence.

    Without evidence a verdict is insufficient by definition, always abstained, and its confidence says nothing.

    Attributes:
        task: whose confidence it is, ``five classes`` or ``stance``.
        rows: number of these rows.
        ece: expected calibration error, 15 bins, in [0, 1].
        calibrated_ece: the mean ECE of a perfectly calibrated forecast with these confidences: what few rows do to it.
        brier: Brier score in [0, 2].
        aurc: area under the risk–coverage curve, in [0, 1].
        accuracy_at: accuracy over the most confident share of rows, by share.
        thresholds: what withholding verdicts would do at several thresholds of confidence.
        confidence, correct: what the figures were made from, row by row, for plots.
    """

    task: str
    rows: int
    ece: float
    calibrated_ece: float
    brier: float
    aurc: float
    accuracy_at: Mapping[float, float]
    thresholds: tuple[OperatingPoint, ...]
    confidence: tuple[float, ...] = field(repr=False)
    correct: tuple[bool, ...] = field(repr=False)


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
        abstained: rows whose verdict was withheld.
        unscored: labelled rows of the truth table that no verdict is of.
        five_class: over rows whose gold label is one of the five classes; None if there is none.
        stance: over all rows with a gold label.
        image_relation: over rows whose gold label has one; None if there is none, or no verdict saw two images.
        calibration: of the five-class confidence where there are such rows, else of the stance.
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
    calibration: Calibrated | None
    by_source: Mapping[str, SourceScores] = field(default_factory=dict)
    without_pair: int = 0
    unscored: int = 0
    models: tuple[str, ...] = ()
    by_position: bool = False
    other_documents: int = 0
    examples: tuple[Example, ...] = field(default=(), repr=False)

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
        c = self.calibration
        parts = {"five_class": self.five_class, "stance": self.stance, "image_relation": self.image_relation}
        return {
            "rows": self.rows,
            "statuses": dict(self.statuses),
            "abstained": self.abstained,
            "labelled_rows_without_verdict": self.unscored,
            "models": list(self.models),
            "matched_by_position": self.by_position,
            "other_documents": self.other_documents,
            "five_class_rows_without_pair": self.without_pair,
            **{name: part.to_dict() if part else None for name, part in parts.items()},
            "by_source": {source: asdict(part) for source, part in self.by_source.items()},
            "calibration": c
            and {
                "task": c.task,
                "rows": c.rows,
                "ece": c.ece,
                "ece_if_calibrated": c.calibrated_ece,
                "brier": c.brier,
                "aurc": c.aurc,
                "accuracy_at_coverage": dict(c.accuracy_at),
                "thresholds": [point.to_dict() for point in c.thresholds],
            },
        }


def score(
    verdicts: str | Path | pa.Table, truth: str | Path | pa.Table, *, columns: Mapping[str, str] | None = None
) -> Scores:
    """Score a verdict table against the labels of a claims table.

    Rows are matched by position where both tables hold the same ids in the same order, else by id. Where the truth table has no
    ids, it must have as many rows as there are verdicts, and the evidence that most of them quote from their claims' own documents
    must be in the documents that the truth table has, if any: otherwise the verdicts are of another table.

    Args:
        verdicts: a verdict table on disk, or the table that :meth:`factcheck.Verifier.verify_batch` returned.
        truth: the claims table with labels, a file or a table.
        columns: names of columns in ``truth``, as ``{"label": "verdict"}``.

    Raises:
        InputError: a table cannot be read, a label is none, rows cannot be matched or are of other documents, or there is no
            label at all.
    """
    joined = join_tables(verdicts, truth, columns=columns)
    rows = joined.rows
    judged = [(row, label) for row, label in zip(rows, joined.labels, strict=True) if label]
    claims = [claim for claim, label in zip(joined.claims, joined.labels, strict=True) if label]
    if not judged:
        where = "the truth table" if isinstance(truth, pa.Table) else truth
        raise InputError(
            f"{where}: no row has a label", field="truth", hint="give the table with gold labels as `truth`"
        )
    classes = five_class_labels(label for _, label in judged)
    five = [(row, label) for (row, _), label in zip(judged, classes, strict=True) if label is not None]
    related = [(row, relation) for row, label in five if (relation := relation_of(label))]
    if all(row["image_relation"] is None for row, _ in related):
        related = []
    return Scores(
        rows=len(rows),
        statuses=Counter(row["status"] for row in rows),
        abstained=sum(bool(row["abstained"]) for row in rows),
        five_class=_classes([(row["label"], label.value) for row, label in five], FACTIFY_LABELS) if five else None,
        stance=_classes([(row["stance"], stance_of(label).value) for row, label in judged], STANCES),
        image_relation=_classes([(row["image_relation"], relation.value) for row, relation in related], IMAGE_RELATIONS)
        if related
        else None,
        calibration=_calibration("five classes", five, "probabilities", "label", FACTIFY_LABELS, lambda label: label)
        or _calibration("stance", judged, "stance_probabilities", "stance", STANCES, stance_of),
        by_source=_by_source(joined),
        without_pair=sum(row["probabilities"] is None and row["status"] != "error" for row, _ in five),
        unscored=joined.unscored,
        by_position=joined.by_position,
        other_documents=joined.other_documents,
        models=tuple(sorted({row["model"] for row in rows if row["model"]})),
        examples=choose_examples(judged, claims),
    )


def _classes(pairs: list[tuple[str | None, str]], labels: Any) -> Classification:
    predicted = [guess or "(none)" for guess, _ in pairs]
    return classification([gold for _, gold in pairs], predicted, [label.value for label in labels])


def _calibration(task: str, pairs: list, column: str, answer: str, names: Any, gold_of: Any) -> Calibrated | None:
    pairs = [(row, gold_of(label)) for row, label in pairs if row[column] is not None and row["evidence"]]
    if not pairs:
        return None
    vectors = [[row[column][name.value] for name in names] for row, _ in pairs]
    correct = [row[answer] == gold.value for row, gold in pairs]
    # With a pair of images the verdict's own confidence is that of its five-class label.
    confidence = [row["confidence"] if answer == "label" else row[column][row[answer]] for row, _ in pairs]
    return Calibrated(
        task=task,
        rows=len(pairs),
        ece=expected_calibration_error(confidence, correct),
        calibrated_ece=calibrated_ece(confidence),
        brier=brier_score(vectors, [list(names).index(gold) for _, gold in pairs]),
        aurc=area_under_risk_coverage(confidence, correct),
        accuracy_at={share: accuracy_at_coverage(confidence, correct, share) for share in _COVERAGES},
        thresholds=tuple(operating_point(confidence, correct, threshold) for threshold in _THRESHOLDS),
        confidence=tuple(confidence),
        correct=tuple(correct),
    )


def _by_source(joined: Joined) -> dict[str, SourceScores]:
    groups: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for row, label, source in zip(joined.rows, joined.labels, joined.sources or [], strict=joined.sources is not None):
        if label:
            groups.setdefault(source, []).append((row, stance_of(label).value))
    result = {}
    for source, pairs in sorted(groups.items()):
        part = _classes([(row["stance"], gold) for row, gold in pairs], STANCES)
        forecasts = [
            (row["stance_probabilities"], gold)
            for row, gold in pairs
            if row["stance_probabilities"] and row["evidence"]
        ]
        ece = None
        if forecasts:
            ece = expected_calibration_error(
                [max(p.values()) for p, _ in forecasts], [max(p, key=p.get) == gold for p, gold in forecasts]
            )
        result[source] = SourceScores(part.rows, part.accuracy, part.macro_f1, ece)
    return result
