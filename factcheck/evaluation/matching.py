"""Whose rows the verdicts are: a verdict table joined with the claims table that it is scored against."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from factcheck.data import normalize_claims, open_claims, row_fields
from factcheck.data.claims import check_labels
from factcheck.data.columns import resolve_columns
from factcheck.errors import InputError
from factcheck.labels import FactifyLabel, Stance, parse_label
from factcheck.records import verdict_schema
from factcheck.verification.verdict_table import read_verdicts

__all__ = ["Joined", "join_tables"]

_REMEDY = "give the table that was verified as `truth`"


@dataclass(frozen=True)
class Joined:
    """N verdicts, each beside the row of the truth table that it is of.

    Attributes:
        rows: rows of the verdict table, in its order.
        labels: the gold label of each, None where the truth table has none.
        claims: the claim of each, as far as the truth table has it.
        sources: the data set of each (a further field ``source`` of the truth table); None where it has no such field.
        unscored: labelled rows of the truth table that no verdict is of.
        by_position: the truth table has no ids, so that rows were matched by their place alone.
        other_documents: verdicts whose quoted evidence is not in the document that the truth table has for them.
    """

    rows: list[dict[str, Any]]
    labels: list[FactifyLabel | Stance | None]
    claims: list[str | None]
    sources: list[str] | None
    unscored: int
    by_position: bool
    other_documents: int


def join_tables(
    verdicts: str | Path | pa.Table, truth: str | Path | pa.Table, *, columns: Mapping[str, str] | None = None
) -> Joined:
    """Find the row of a claims table that each verdict is of; see :func:`factcheck.evaluation.scoring.score` for the rules.

    Raises:
        InputError: a table cannot be read, a label is unknown, or rows cannot be matched or are of other documents.
    """
    rows = (_checked(verdicts) if isinstance(verdicts, pa.Table) else read_verdicts(verdicts)).to_pylist()
    batches: Iterable[pa.Table]
    if isinstance(truth, pa.Table):
        by_position = "id" not in resolve_columns(truth.column_names, columns, where="the truth table")
        batches = [normalize_claims(truth, columns=columns, where="the truth table")]
        sources = truth["source"].to_pylist() if "source" in truth.column_names else None
    else:
        source = open_claims(truth, columns=columns, on_error="mark")
        by_position, batches = "id" not in source.columns, source.batches(2048)
        sources = row_fields(truth, "source", columns=columns)
    names = ("the verdict table", "the truth table")
    verdicts, truth = (
        name if isinstance(table, pa.Table) else table for table, name in zip((verdicts, truth), names, strict=True)
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
    places = _match_rows(ids, truth_ids, verdicts, truth)
    if by_position:  # ids that agree outweigh documents that were edited since
        quotes.refuse_most(verdicts, truth)
    labels = [gold[place][1] for place in places]
    return Joined(
        rows=rows,
        labels=[parse_label(label) if label else None for label in labels],
        claims=[gold[place][2] for place in places],
        sources=[str(sources[place]) for place in places] if sources else None,
        unscored=sum(gold[place][1] is not None for place in set(range(len(gold))) - set(places)),
        by_position=by_position,
        other_documents=len(quotes.foreign),
    )


def _checked(verdicts: pa.Table) -> pa.Table:
    """A verdict table in memory.

    Raises:
        InputError: it lacks columns of :func:`factcheck.records.verdict_schema`.
    """
    schema = verdict_schema()
    if missing := sorted(set(schema.names) - set(verdicts.column_names)):
        raise InputError(f"not a table of verdicts: it lacks the columns {', '.join(missing)}")
    return verdicts.select(schema.names)


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
                f"is not in the document of its row (the first is row {self.foreign[0]!r})",
                hint=_REMEDY,
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
