"""One sentence on what the claim and the document say differently."""

from collections.abc import Iterable

from factcheck.differences.records import Difference, Kind, Relation

__all__ = ["explain"]

#: The kinds from the one that tells a reader most.
_TELLING = (Kind.MONEY, Kind.QUANTITY, Kind.PERCENTAGE, Kind.NUMBER, Kind.SCORE, Kind.ORDINAL, Kind.DURATION, Kind.DATE, Kind.TIME,
            Kind.ROLE, Kind.DIRECTION, Kind.NEGATION, Kind.HEDGE, Kind.NAME)  # fmt: skip


def explain(differences: Iterable[Difference]) -> str | None:
    """ "The claim says 69 million, the document 67 million."; None where no difference says anything.

    Conflicts come first (up to two are named), then what the evidence only plans, alleges or denies, then values that it says in
    other words, then the same ones.
    """
    ranked = sorted(differences, key=lambda d: (_TELLING.index(d.kind), d.claim_start))
    conflicts = [d for d in ranked if d.relation is Relation.CONFLICTING]
    if conflicts:
        text = "; ".join(_conflict(d) for d in conflicts[:2])
        return f"{text[0].upper()}{text[1:]}."
    hedges = [d for d in ranked if d.kind is Kind.HEDGE]
    if hedges:
        return f"The claim says “{hedges[0].claim_value}”, the document only “{hedges[0].value}”."
    met = [d for d in ranked if d.relation is not Relation.ABSENT and d.value and d.kind not in (Kind.NAME, Kind.ROLE)]
    for difference in met:
        mine, theirs = _said(difference)
        if mine.casefold() == theirs.casefold():
            continue
        if difference.relation is Relation.EQUAL:
            return f"The claim says {mine}, the document {theirs}, which is the same."
        return f"The claim says {mine}, and the document’s {theirs} agrees with it."
    return f"Claim and document both say {_said(met[0])[0]}." if met else None


def _conflict(difference: Difference) -> str:
    mine, theirs = _said(difference)
    if difference.kind in (Kind.ROLE, Kind.DIRECTION, Kind.NEGATION, Kind.HEDGE):
        return f"the claim says “{mine}”, the document “{theirs}”"
    return f"the claim says {mine}, the document {theirs}"


def _said(difference: Difference) -> tuple[str, str]:
    """Both values as they stand within a sentence: "More than 500" at the head of one is "more than 500"."""
    values = difference.claim_value, difference.value or ""
    if difference.kind in (Kind.NAME, Kind.DATE, Kind.ROLE):
        return values
    return _lowered(values[0]), _lowered(values[1])


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:] if text[:2].istitle() or text[:2] == "A " else text
