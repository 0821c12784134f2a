"""Whose rows the verdicts are: a verdict table joined with the claims table that it is scored against."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from factcheck.data import normalize_claims, open_claims
from factcheck.data.canonical import names_pairs
from factcheck.data.claims import check_labels
from factcheck.data.columns import resolve_columns
from factcheck.data.memory import as_table
from factcheck.errors import InputError
from factcheck.labels import FactifyLabel, Stance, five_class_labels, parse_label
from factcheck.records import Claim, verdict_schema
from factcheck.verification.single import claims_table
from factcheck.verification.verdict_table import completed, read_verdicts
from retrieval.errors import first_line

__all__ = ["Joined", "Progress", "TruthRow", "join_tables", "verdict_table", "without_truth"]

_REMEDY = "give the table that was verified as `truth`"

#: Called with the number of rows done and of all rows, None where that is not known.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class TruthRow:
    """What is kept of a row of the truth table; of a million rows documents and images would not fit.

    Attributes:
        id, label, claim, date: as the table has them.
        document_words: words of its document; 0 without one.
        has_ocr: whether text was read off either image.
        has_pair: whether it names an image on both sides.
    """

    id: str
    label: str | None
    claim: str | None
    date: str | None
    document_words: int
    has_ocr: bool
    has_pair: bool


@dataclass(frozen=True)
class Joined:
    """N verdicts, each beside the row of the truth table that it is of.

    Attributes:
        verdicts: the verdict table.
        places: (N,) the row of the truth table that each is of.
        truth: those rows, in the order of the verdicts.
        labels: the gold label of each, None where the truth table has none.
        classes: those labels that are of the five classes, None in the place of others (:func:`factcheck.labels.five_class_labels`).
        sources: the data set of each (a further field ``source`` of the truth table); None where it has no such field.
        unscored: labelled rows of the truth table that no verdict is of.
        by_position: the truth table has no ids, so that rows were matched by their place alone.
        other_documents: verdicts whose quoted evidence is not in the document that the truth table has for them.
    """

    verdicts: pa.Table
    places: NDArray[np.int64]
    truth: list[TruthRow]
    labels: list[FactifyLabel | Stance | None]
    classes: list[FactifyLabel | None]
    sources: list[str] | None
    unscored: int
    by_position: bool
    other_documents: int


def join_tables(
    verdicts: Any,
    truth: Any,
    *,
    columns: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Joined:
    """Find the row of a claims table that each verdict is of; see :func:`factcheck.evaluation.scoring.score` for the rules.

    Raises:
        InputError: a table cannot be read, a label is unknown, or rows cannot be matched or are of other documents.
    """
    table = verdict_table(verdicts)
    batches: Iterable[pa.Table]
    total: int | None = None
    if not isinstance(truth, str | Path):
        by_position, batches, sources = _truth_in_memory(truth, columns)
    else:
        source = open_claims(truth, columns=columns, on_error="mark")
        by_position, batches = "id" not in source.columns, source.batches(2048)
        total = source.count() if progress else None
        sources = source.fields("source")
        truth = source.where
    names = ("the verdict table", "the truth table")
    verdicts, truth = (
        given if isinstance(given, str | Path) else name for given, name in zip((verdicts, truth), names, strict=True)
    )
    quotes = _Quotes(table)
    gold: list[TruthRow] = []
    for batch in batches:
        check_labels(batch, str(truth), len(gold))
        quotes.look_up(batch, len(gold))
        gold += _truth_rows(batch)
        if progress:
            progress(len(gold), total)
    ids, truth_ids = table["id"].to_pylist(), [row.id for row in gold]
    if by_position:
        _check_positions(ids, truth_ids, verdicts, truth)
    places = _match_rows(ids, truth_ids, verdicts, truth)
    if by_position:  # ids that agree outweigh documents that were edited since
        quotes.refuse_most(verdicts, truth)
    matched = [gold[place] for place in places]
    labels = [parse_label(row.label) if row.label else None for row in gold]
    classes = five_class_labels(labels, [row.has_pair for row in gold])
    return Joined(
        verdicts=table,
        places=np.array(places, dtype=np.int64),
        truth=matched,
        labels=[labels[place] for place in places],
        classes=[classes[place] for place in places],
        sources=[str(sources[place]) for place in places] if sources else None,
        unscored=sum(row.label is not None for row in gold)
        - sum(gold[place].label is not None for place in set(places)),
        by_position=by_position,
        other_documents=len(quotes.foreign),
    )


def _truth_in_memory(truth: Any, columns: Mapping[str, str] | None) -> tuple[bool, list[pa.Table], list[Any] | None]:
    """Whether the claims have no ids, their canonical table, and the source of each where they have one."""
    if isinstance(truth, list | tuple) and truth and all(isinstance(item, Claim) for item in truth):
        return all(claim.id is None for claim in truth), [claims_table(truth, labels=True)], None
    table = as_table(truth, "truth")
    by_position = "id" not in resolve_columns(table.column_names, columns, where="the truth table")
    sources = table["source"].to_pylist() if "source" in table.column_names else None
    return by_position, [normalize_claims(table, columns=columns, where="the truth table")], sources


def without_truth(verdicts: Any) -> Joined:
    """Verdicts of which no claims table is at hand: nothing is known of the rows but their ids.

    Raises:
        InputError: the verdict table cannot be read.
    """
    table = verdict_table(verdicts)
    truth = [TruthRow(identifier, None, None, None, 0, False, False) for identifier in table["id"].to_pylist()]
    none = [None] * table.num_rows
    return Joined(table, np.arange(table.num_rows), truth, list(none), list(none), None, 0, True, 0)


def verdict_table(verdicts: Any) -> pa.Table:
    """A verdict table out of a file, or one in memory, with the columns of :func:`factcheck.records.verdict_schema`.

    Raises:
        InputError: the file cannot be read, or columns are missing.
    """
    if isinstance(verdicts, str | Path):
        return read_verdicts(verdicts)
    table = as_table(verdicts, "verdicts")
    try:
        return completed(table)
    except (KeyError, pa.ArrowException) as error:
        missing = sorted(set(verdict_schema().names) - set(table.column_names))
        what = f"it lacks the columns {', '.join(missing)}" if missing else first_line(error)
        raise InputError(f"not a table of verdicts: {what}", field="verdicts") from None


def _truth_rows(batch: pa.Table) -> list[TruthRow]:
    words = pc.fill_null(pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(batch["document"]))), 0)
    # What is empty splits into one empty piece.
    words = pc.if_else(pc.greater(pc.fill_null(pc.utf8_length(batch["document"]), 0), 0), words, 0)
    texts = [pc.greater(pc.fill_null(pc.utf8_length(batch[name]), 0), 0) for name in ("claim_ocr", "document_ocr")]
    cells = [batch[name].to_pylist() for name in ("id", "label", "claim", "date")]
    flags = (pc.or_(*texts).to_pylist(), names_pairs(batch))
    return [TruthRow(*row) for row in zip(*cells, words.to_pylist(), *flags, strict=True)]


class _Quotes:
    """Whether the sentences that verdicts quote from their claims' own documents are there in the truth table.

    Args:
        verdicts: the verdict table.
    """

    def __init__(self, verdicts: pa.Table) -> None:
        self._evidence = verdicts["evidence"].combine_chunks()
        self._ids = verdicts["id"].to_pylist()
        self._by_id = {identifier: place for place, identifier in enumerate(self._ids)}
        self._unique = len(self._by_id) == len(self._ids)
        self.compared = 0
        self.foreign: list[str] = []

    def look_up(self, table: pa.Table, first: int) -> None:
        """Compare a batch of the truth table, whose first row has this number; what has no document is passed over."""
        ids, documents = table["id"].to_pylist(), table["document"].to_pylist()
        places = [self._place(identifier, place) for place, identifier in enumerate(ids, start=first)]
        evidence = self._evidence.take(pa.array(places, pa.int64())).to_pylist()
        for identifier, document, sentences in zip(ids, documents, evidence, strict=True):
            # Evidence out of an index has the id of its document.
            if not document or not sentences or any(one["document_id"] != identifier for one in sentences):
                continue
            self.compared += 1
            # Other line ends, or sentences joined by another space, are no other document.
            folded = _fold(document)
            if not all(_fold(sentence["text"] or "") in folded for sentence in sentences):
                self.foreign.append(identifier)

    def refuse_most(self, verdicts: str | Path, truth: str | Path) -> None:
        """Refuse verdicts of which more than half quote other documents.

        Raises:
            InputError: see above; names the tables.
        """
        if 2 * len(self.foreign) > self.compared:
            raise InputError(
                f"{verdicts} is not of the rows of {truth}: the evidence of {len(self.foreign)} of {self.compared} verdicts compared "
                f"is not in the document of its row (the first is row {self.foreign[0]!r})",
                hint=_REMEDY,
            )

    def _place(self, identifier: str, place: int) -> int | None:
        if self._unique:
            return self._by_id.get(identifier)
        return place if place < len(self._ids) and self._ids[place] == identifier else None


def _check_positions(ids: list[str], gold: list[str], verdicts: str | Path, truth: str | Path) -> None:
    """Refuse verdicts that cannot be of a truth table without ids, whose rows are called by their numbers."""
    if len(ids) != len(gold):
        raise InputError(
            f"{truth} has no id column, so that rows can only be matched by position, but {len(gold)} rows for the {len(ids)} "
            f"verdicts of {verdicts}",
            hint=_REMEDY,
        )
    if ids != gold:
        raise InputError(
            f"{truth} has no id column, but the verdicts of {verdicts} have ids (the first is {ids[0]!r})",
            field="truth",
            hint="give `truth` a table with these ids, or name its column (`columns` with id=NAME)",
        )


def _match_rows(ids: list[str], gold: list[str], verdicts: str | Path, truth: str | Path) -> list[int]:
    """For each verdict the row of the truth table."""
    if ids == gold:
        return list(range(len(gold)))
    by_id = {identifier: place for place, identifier in enumerate(gold)}
    if len(by_id) != len(gold):
        raise InputError(
            f"{verdicts} has {len(ids)} rows and {truth} has {len(gold)}, in another order and with repeated ids: "
            "they cannot be matched",
            hint=_REMEDY,
        )
    missing = [identifier for identifier in ids if identifier not in by_id]
    if missing:
        raise InputError(
            f"{truth} has no row with id {missing[0]!r} ({len(missing)} of {len(ids)} verdicts have none)",
            hint=_REMEDY,
        )
    return [by_id[identifier] for identifier in ids]


def _fold(text: str) -> str:
    return " ".join(text.split())
