"""Scoring of a verdict table: join with gold labels, all figures in one place."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from factcheck.data import normalize_claims, open_claims, row_fields
from factcheck.data.columns import resolve_columns
from factcheck.data.reasons import check_labels
from factcheck.errors import InputError
from factcheck.evaluation.examples import Example, choose_examples
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
    parse_label,
    relation_of,
    stance_of,
)
from factcheck.records import verdict_schema
from factcheck.verification.verdict_table import read_verdicts

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
        thresholds: what ``--abstain-below`` would do at several thresholds of confidence.
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
    """The stance over the rows of one source, which may have no photos: rows, accuracy, macro F1 and ECE, in [0, 1].

    ECE is that of the stance probabilities; None where no row has any.
    """

    rows: int
    accuracy: float
    macro_f1: float
    ece: float | None


@dataclass(frozen=True)
class Scores:
    """Everything ``factcheck evaluate`` reports.

    Attributes:
        rows: rows in the verdict table.
        statuses: rows by status.
        abstained: rows whose verdict was withheld.
        unscored: labelled rows of the truth table that no verdict is of.
        five_class: over rows whose gold label is one of the five classes; None if there is none.
        stance: over all rows with a gold label.
        image_relation: over rows whose gold label has one; None if there is none, or no verdict saw two photos.
        calibration: of the five-class confidence where there are such rows, else of the stance.
        by_source: the stance by the truth table's ``source`` (a further field of it); empty without one.
        without_pair: of the five-class rows, those whose verdict saw no pair of photos. It names a stance alone, which is wrong
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
    def photo_remark(self) -> str | None:
        """Why the five-class figures are lower than the stance's, where photos are missing; None where none is."""
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
        verdicts: what ``factcheck verify`` wrote, or the table that :meth:`factcheck.Verifier.verify_batch` returned.
        truth: the claims table with labels, a file or a table.
        columns: names of columns in ``truth``, as ``{"label": "verdict"}``.

    Raises:
        InputError: a table cannot be read, a label is none, rows cannot be matched or are of other documents, or there is no
            label at all.
    """
    rows = (_checked(verdicts) if isinstance(verdicts, pa.Table) else read_verdicts(verdicts)).to_pylist()
    if isinstance(truth, pa.Table):
        by_position = "id" not in resolve_columns(truth.column_names, columns, where="the truth table")
        batches, sources = [normalize_claims(truth, columns=columns, where="the truth table")], _sources(truth)
    else:
        source = open_claims(truth, columns=columns, on_error="mark")
        by_position, batches = "id" not in source.columns, source.batches(2048)
        sources = row_fields(truth, "source", columns=columns)
    verdicts, truth = (
        name if isinstance(table, pa.Table) else table
        for table, name in ((verdicts, "the verdict table"), (truth, "the truth table"))
    )
    quotes = _Quotes(rows)
    gold: list[tuple[str, str | None, str | None]] = []
    for table in batches:
        check_labels(table, str(truth), len(gold))
        quotes.look_up(table, len(gold))
        gold += list(zip(*(table[name].to_pylist() for name in ("id", "label", "claim")), strict=True))
    ids, truth_ids = [row["id"] for row in rows], [identifier for identifier, _, _ in gold]
    if by_position:
        _check_positions(ids, truth_ids, verdicts, truth)
    places = _match(ids, truth_ids, verdicts, truth)
    if by_position:  # ids that agree outweigh documents that were edited since
        quotes.refuse_most(verdicts, truth)
    labels = [gold[place][1] for place in places]
    judged = [(row, parse_label(label)) for row, label in zip(rows, labels, strict=True) if label]
    claims = [gold[place][2] for place in places if gold[place][1]]
    if not judged:
        raise InputError(f"{truth}: no row has a label; give the table with gold labels as --truth")
    classes = five_class_labels(label for _, label in judged)
    five = [(row, label) for (row, _), label in zip(judged, classes, strict=True) if label is not None]
    related = [(row, relation_of(label)) for row, label in five if relation_of(label)]
    if all(row["image_relation"] is None for row, _ in related):
        related = []
    return Scores(
        rows=len(rows),
        statuses=Counter(row["status"] for row in rows),
        abstained=sum(bool(row["abstained"]) for row in rows),
        five_class=_classes([(row["label"], label.value) for row, label in five], FACTIFY_LABELS),
        stance=_classes([(row["stance"], stance_of(label).value) for row, label in judged], STANCES),
        image_relation=_classes(
            [(row["image_relation"], relation.value) for row, relation in related], IMAGE_RELATIONS
        ),
        calibration=_calibration("five classes", five, "probabilities", "label", FACTIFY_LABELS, lambda label: label)
        or _calibration("stance", judged, "stance_probabilities", "stance", STANCES, stance_of),
        by_source=_by_source(rows, labels, [str(sources[place]) for place in places]) if sources else {},
        without_pair=sum(row["probabilities"] is None and row["status"] != "error" for row, _ in five),
        unscored=sum(gold[place][1] is not None for place in set(range(len(gold))) - set(places)),
        by_position=by_position,
        other_documents=len(quotes.foreign),
        models=tuple(sorted({row["model"] for row in rows if row["model"]})),
        examples=choose_examples(judged, claims),
    )


def _checked(verdicts: pa.Table) -> pa.Table:
    """A verdict table in memory.

    Raises:
        InputError: it has other columns than :func:`factcheck.records.verdict_schema`.
    """
    schema = verdict_schema()
    if missing := sorted(set(schema.names) - set(verdicts.column_names)):
        raise InputError(f"the table of verdicts is none: it lacks the columns {', '.join(missing)}")
    return verdicts.select(schema.names)


def _sources(truth: pa.Table) -> list[str | None] | None:
    return truth["source"].to_pylist() if "source" in truth.column_names else None


def _fold(text: str) -> str:
    return " ".join(text.split())


class _Quotes:
    """Whether the sentences that verdicts quote from their claims' own documents are there in the truth table.

    Args:
        rows: the verdict table.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows
        ids = [row["id"] for row in rows]
        self._by_id = dict(zip(ids, rows, strict=True))
        self._unique = len(self._by_id) == len(rows)
        self.compared = 0
        self.foreign: list[str] = []

    def look_up(self, table: pa.Table, first: int) -> None:
        """Compare a batch of the truth table, whose first row has this number; what has no document is passed over."""
        pairs = zip(table["id"].to_pylist(), table["document"].to_pylist(), strict=True)
        for place, (identifier, document) in enumerate(pairs, start=first):
            row = self._row(identifier, place)
            # Evidence out of an index has the id of its document.
            if row is None or not document or not row["evidence"]:
                continue
            if any(sentence["document_id"] != identifier for sentence in row["evidence"]):
                continue
            self.compared += 1
            # Other line ends, or sentences joined by another space, are no other document.
            folded = _fold(document)
            if not all(_fold(sentence["text"] or "") in folded for sentence in row["evidence"]):
                self.foreign.append(identifier)

    def refuse_most(self, verdicts: str | Path, truth: str | Path) -> None:
        """Refuse verdicts of which more than half quote other documents.

        Raises:
            InputError: see above; names the tables.
        """
        if 2 * len(self.foreign) > self.compared:
            raise InputError(
                f"{verdicts} is not of the rows of {truth}: the evidence of {len(self.foreign)} of {self.compared} verdicts compared "
                f"is not in the document of its row (the first is row {self.foreign[0]!r}); evaluate against the table that was verified"
            )

    def _row(self, identifier: str, place: int) -> dict[str, Any] | None:
        if self._unique:
            return self._by_id.get(identifier)
        found = self._rows[place] if place < len(self._rows) else None
        return found if found and found["id"] == identifier else None


def _check_positions(ids: list[str], gold: list[str], verdicts: str | Path, truth: str | Path) -> None:
    """Refuse verdicts that cannot be of a truth table without ids, whose rows are called by their numbers."""
    if len(ids) != len(gold):
        raise InputError(
            f"{truth} has no id column, so that rows can only be matched by position, but {len(gold)} rows for the {len(ids)} "
            f"verdicts of {verdicts}; evaluate against the table that was verified"
        )
    if ids != gold:
        raise InputError(
            f"{truth} has no id column, but the verdicts of {verdicts} have ids (the first is {ids[0]!r}); give --truth a table with "
            "these ids, or name its column (--columns id=NAME)"
        )


def _match(ids: list[str], gold: list[str], verdicts: str | Path, truth: str | Path) -> list[int]:
    """For each verdict the row of the truth table."""
    if ids == gold:
        return list(range(len(gold)))
    by_id = {identifier: place for place, identifier in enumerate(gold)}
    if len(by_id) != len(gold):
        raise InputError(
            f"{verdicts} has {len(ids)} rows and {truth} has {len(gold)}, in another order and with repeated ids: "
            "they cannot be matched; evaluate against the table that was verified"
        )
    missing = [identifier for identifier in ids if identifier not in by_id]
    if missing:
        raise InputError(
            f"{truth} has no row with id {missing[0]!r} ({len(missing)} of {len(ids)} verdicts have none); "
            "evaluate against the table that was verified"
        )
    return [by_id[identifier] for identifier in ids]


def _classes(pairs: list[tuple[str | None, str]], labels: Any) -> Classification | None:
    if not pairs:
        return None
    predicted = [guess or "(none)" for guess, _ in pairs]
    return classification([gold for _, gold in pairs], predicted, [label.value for label in labels])


def _calibration(task: str, pairs: list, column: str, answer: str, names: Any, gold_of: Any) -> Calibrated | None:
    pairs = [(row, gold_of(label)) for row, label in pairs if row[column] is not None and row["evidence"]]
    if not pairs:
        return None
    vectors = [[row[column][name.value] for name in names] for row, _ in pairs]
    correct = [row[answer] == gold.value for row, gold in pairs]
    # With a pair of photos the verdict's own confidence is that of its five-class label.
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


def _by_source(rows: list[dict[str, Any]], labels: list[str | None], sources: list[str]) -> dict[str, SourceScores]:
    groups: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for row, label, source in zip(rows, labels, sources, strict=True):
        if label:
            groups.setdefault(source, []).append((row, stance_of(parse_label(label)).value))
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
