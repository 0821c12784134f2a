"""What is said of a decided row beside its verdict: its language, its differences, what is known of its photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from factcheck.verification.decide import Decision
from factcheck.verification.rows import Row

__all__ = ["Annotator", "Notes", "merged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Columns of the verdict table that no judge fills, and what follows from them for the row.

    Attributes:
        language, differences, explanation, photo_context: the columns of these names; None leaves them to another annotator.
        reasons: what is wrong with the row, each opening with its column or subject and a colon (``language: de; …``); a row
            that has any is ``degraded``.
        abstain: whether the verdict counts as abstained whatever its confidence. One of the reasons must then open with a word
            of :data:`factcheck.verification.verdict_table.ABSTAINING`, by which another threshold finds such rows again.
    """

    language: str | None = None
    differences: Sequence[Mapping[str, Any]] | None = None
    explanation: str | None = None
    photo_context: Mapping[str, Any] | None = None
    reasons: tuple[str, ...] = ()
    abstain: bool = False


class Annotator(Protocol):
    """Says something of a decided row. Depends on that row alone, and raises nothing for it.

    ``row.item["claim"]`` is the claim as it stands, ``row.claim`` and ``row.cleaned`` what the model reads,
    ``row.evidence[i].text`` a sentence as it stands in its document.
    """

    def __call__(self, row: Row, decision: Decision) -> Notes:
        """What it has to say; ``Notes()`` for nothing."""
        ...


def merged(notes: Sequence[Notes]) -> Notes:
    """One of several: of each column the first that is given, all reasons, abstaining if any says so."""
    columns: dict[str, Any] = {}
    for field in fields(Notes):
        if field.name not in ("reasons", "abstain"):
            given = (getattr(note, field.name) for note in notes)
            columns[field.name] = next((value for value in given if value is not None), None)
    return Notes(
        **columns,
        reasons=tuple(reason for note in notes for reason in note.reasons),
        abstain=any(note.abstain for note in notes),
    )
