"""What there is to review: verdicts beside their claims, in the order in which a look is worth most."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from factcheck.app.decisions import Decision, DecisionLog
from factcheck.data import load_images, open_claims
from factcheck.errors import InputError
from factcheck.evaluation.report.cases import Case, case_of
from factcheck.evaluation.report.images import ImageStore, SmallImage, image_note
from factcheck.verification.verdict_table import read_verdicts

__all__ = ["ReviewQueue"]

_SIDES = ("claim", "document")


class ReviewQueue:
    """The rows of a verdict table with the claims that they are of.

    Both tables are held in memory but for images in files, which are read when a case is looked at.

    Args:
        verdicts: the verdict table.
        claims: the claims table that was verified.
        columns: names of its columns, as ``{"claim": "text"}``.
        image_root: folder that image paths are relative to; by default that of ``claims``.

    Raises:
        InputError: a table cannot be read, or a verdict is of no row of ``claims``.
    """

    def __init__(
        self,
        verdicts: str | Path,
        claims: str | Path,
        *,
        columns: Mapping[str, str] | None = None,
        image_root: str | Path | None = None,
    ) -> None:
        self.verdicts = read_verdicts(verdicts)
        batches = list(open_claims(claims, columns=columns, on_error="mark").batches(512))
        if not len(self.verdicts) or not batches:
            raise InputError(
                f"{str(verdicts)!r} or {str(claims)!r} has no rows: there is nothing to review", field="verdicts"
            )
        self.claims = pa.concat_tables(batches)
        self.image_root = Path(image_root) if image_root is not None else Path(claims).parent
        self.ids: list[str] = self.verdicts["id"].to_pylist()
        self._places = _matched(self.ids, self.claims["id"].to_pylist())
        self._by_id = {identifier: n for n, identifier in enumerate(self.ids)}
        self._confidence = self.verdicts["confidence"].to_pylist()
        self._abstained = self.verdicts["abstained"].to_pylist()
        self._status = self.verdicts["status"].to_pylist()

    def __len__(self) -> int:
        return len(self.ids)

    def order(self, decisions: Sequence[Decision], reviewer: str) -> list[int]:
        """Rows that the reviewer has not decided, by what a look is worth.

        First those that other reviewers disagree on, then those that the model abstained on, then the least confident; rows that
        could not be verified come last, for there is no verdict to correct.
        """
        mine = {d.id for d in decisions if d.reviewer == reviewer and d.stance is not None}
        stances: dict[str, set[Any]] = {}
        for decision in decisions:
            if decision.stance is not None:
                stances.setdefault(decision.id, set()).add(decision.stance)

        def worth(n: int) -> tuple[bool, bool, bool, float, int]:
            disputed = len(stances.get(self.ids[n], ())) > 1
            return (self._status[n] == "error", not disputed, not self._abstained[n], self._confidence[n] or 0.0, n)

        return sorted((n for n in range(len(self)) if self.ids[n] not in mine), key=worth)

    def number_of(self, identifier: str) -> int | None:
        """The row with that id."""
        return self._by_id.get(identifier)

    def place_of(self, n: int) -> int:
        """The row of the claims table that a verdict is of."""
        return self._places[n]

    def summary(self, n: int) -> dict[str, Any]:
        """A row in a list."""
        return {
            "n": n,
            "id": self.ids[n],
            "label": self.verdicts["label"][n].as_py(),
            "confidence": self._confidence[n],
            "abstained": self._abstained[n],
            "status": self._status[n],
            "claim": (self.claims["claim"][self._places[n]].as_py() or "")[:160],
        }

    def case(self, n: int) -> tuple[Case, dict[str, Any]]:
        """What is shown of a row, and its images as data URIs or ``{"note": why not}`` by side."""
        verdict = self.verdicts.slice(n, 1).to_pylist()[0]
        place = self._places[n]
        table = load_images(self.claims.slice(place, 1), self.image_root)
        row = table.to_pylist()[0]
        given = {side: self.claims[f"{side}_image"][place].is_valid for side in _SIDES}
        images: dict[str, Any] = {}
        store = ImageStore(most=2)
        for side in _SIDES:
            cell = row.pop(f"{side}_image") or {}
            found = (
                store.shrink(cell["bytes"])
                if cell.get("bytes")
                else image_note(side, row["reasons"] or [], given[side])
            )
            images[side] = found.uri if isinstance(found, SmallImage) else {"note": found}
        return case_of(verdict, row), images


def progress(log: DecisionLog, queue: ReviewQueue, reviewer: str) -> dict[str, Any]:
    """How far a reviewer and all of them together are."""
    decisions = list(log.current().values())
    decided = {d.id for d in decisions if d.stance is not None}
    return {
        "rows": len(queue),
        "decided": len(decided & set(queue.ids)),
        "mine": sum(d.reviewer == reviewer and d.stance is not None for d in decisions),
        "reviewers": sorted({d.reviewer for d in decisions}),
    }


def _matched(verdict_ids: Sequence[str], claim_ids: Sequence[str]) -> list[int]:
    """The row of the claims table that each verdict is of.

    Raises:
        InputError: a verdict's id is not among the claims, or is twice among them.
    """
    if list(verdict_ids) == list(claim_ids):
        return list(range(len(claim_ids)))
    places = {identifier: n for n, identifier in enumerate(claim_ids)}
    missing = [identifier for identifier in verdict_ids if identifier not in places]
    if missing:
        raise InputError(
            f"{len(missing)} verdicts are of no row of the claims table, the first is {missing[0]!r}",
            field="claims",
            hint="give the table that was verified",
        )
    if len(places) < len(claim_ids):
        raise InputError("the claims table has an id twice, so that verdicts cannot be matched", field="claims")
    return [places[identifier] for identifier in verdict_ids]
