"""What a row's claim and evidence say differently, for the columns ``differences`` and ``explanation``."""

from dataclasses import asdict

from factcheck.differences import compare, explain
from factcheck.verification.decide import Decision
from factcheck.verification.notes import Notes
from factcheck.verification.rows import Row

__all__ = ["DifferenceNotes"]


class DifferenceNotes:
    """An annotator: the values of the claim as it stands beside those of its evidence sentences as they stand.

    ``sentence`` is then the sentence's index in its document, as in the ``evidence`` column, ``start`` and ``end`` characters of the
    sentence's text.
    """

    #: Changes with what the rules find, so that tables made by other rules are told apart.
    fingerprint = "differences 1"

    def __call__(self, row: Row, decision: Decision) -> Notes:
        """Nothing where the claim has no value, or there is no evidence."""
        if not row.has_evidence:
            return Notes()
        found = compare(row.item["claim"], [hit.text for hit in row.evidence])
        if not found:
            return Notes()
        told = []
        for difference in found:
            cells = asdict(difference)
            if difference.sentence is not None:
                cells["sentence"] = row.evidence[difference.sentence].sentence
            told.append({**cells, "kind": difference.kind.value, "relation": difference.relation.value})
        return Notes(differences=told, explanation=explain(found))
