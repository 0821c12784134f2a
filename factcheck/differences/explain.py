"""One sentence on what the claim and the document say differently."""

from collections.abc import Iterable

from factcheck.differences.records import Difference, Kind, Relation

__all__ = ["explain"]

#: The kinds from the one that tells a reader most.
_TELLING = (Kind.MONEY, Kind.QUANTITY, Kind.PERCENTAGE, Kind.NUMBER, Kind.SCORE, Kind.ORDINAL, Kind.DURATION, Kind.DATE, Kind.TIME,
            Kind.ROLE, Kind.DIRECTION, Kind.NEGATION, Kind.HEDGE, Kind.NAME)  # fmt: skip


def explain(differences: Iterable[Difference]) -> str | None:
    """ "The claim says 69 million, the document 67 million."; None where no difference says anything.

    Conflicts come first, then what the evidence only hedges, then values that are met in other words. Up to two are named.
    """
    ranked = sorted(differences, key=lambda d: (_TELLING.index(d.kind), d.claim_start))
    conflicts = [d for d in ranked if d.relation is Relation.CONFLICTING]
    if conflicts:
        return _sentence([_conflict(d) for d in conflicts[:2]])
    hedges = [d for d in ranked if d.kind is Kind.HEDGE]
    if hedges:
        return f"The claim says “{hedges[0].claim_value}”, the document only “{hedges[0].value}”."
    met = [
        d
        for d in ranked
        if d.relation in (Relation.EQUAL, Relation.COMPATIBLE) and d.kind not in (Kind.NAME, Kind.ROLE) and d.value
    ]
    other = [d for d in met if d.value and d.value.casefold() != d.claim_value.casefold()]
    if other:
        return (
            f"The claim’s {_quoted(other[0].claim_value)} agrees with the document’s {_quoted(other[0].value or '')}."
        )
    if met:
        return f"The document also says {_quoted(met[0].claim_value)}."
    return None


def _conflict(difference: Difference) -> str:
    mine, theirs = difference.claim_value, difference.value or ""
    if difference.kind in (Kind.ROLE, Kind.DIRECTION, Kind.NEGATION, Kind.HEDGE):
        return f"the claim says “{mine}”, the document “{theirs}”"
    return f"the claim says {mine}, the document {theirs}"


def _sentence(parts: list[str]) -> str:
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _quoted(text: str) -> str:
    return text
