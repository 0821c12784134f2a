"""How two values of one kind stand to each other, whatever they are of."""

from factcheck.differences.records import Kind, Relation, Value

__all__ = ["comparable", "relate"]

_CURRENCY_KINDS = frozenset((Kind.MONEY,))
#: Share of a value within which "about" holds, and beyond which it surely does not.
_ABOUT, _NOT_ABOUT = 0.1, 0.3
#: Temperatures are about something on the scale that people use.
_FREEZING = 273.15


def comparable(claim: Value, evidence: Value) -> bool:
    """Whether the two measure the same: kind and base unit agree (of money also other currencies; of dates any with a shared part)."""
    if claim.kind is not evidence.kind:
        return False
    if claim.kind in (Kind.MONEY, Kind.DATE, Kind.TIME):
        return True
    return claim.unit == evidence.unit


def relate(claim: Value, evidence: Value) -> Relation | None:
    """The relation of two comparable values; None where it is not sure that one excludes the other.

    ``Relation.ABSENT`` is never returned.
    """
    if claim.kind is Kind.DATE:
        return _dates(claim, evidence)
    if claim.kind is Kind.SCORE:
        if sorted((claim.low, claim.high)) == sorted((evidence.low, evidence.high)):
            return Relation.EQUAL
        return Relation.CONFLICTING
    if claim.kind is Kind.TIME:
        if claim.low == evidence.low:
            return Relation.EQUAL
        sure = claim.unit == evidence.unit == "minute"
        return Relation.CONFLICTING if sure or claim.low % 720 != evidence.low % 720 else None
    if claim.unit != evidence.unit:
        return _currencies(claim, evidence)
    return _intervals(claim, evidence)


def _exact(value: Value) -> bool:
    return value.low == value.high


def _intervals(claim: Value, evidence: Value) -> Relation | None:
    if _exact(claim) and _exact(evidence):
        return _exact_pair(claim, evidence)
    same = (
        claim.low == evidence.low
        and claim.high == evidence.high
        and (claim.open_low, claim.open_high) == (evidence.open_low, evidence.open_high)
    )
    if same:
        return Relation.EQUAL
    if _exact(evidence):
        return _within(claim, evidence)
    if _exact(claim):
        # "500" of "more than 500": said loosely, neither confirmed nor denied.
        inside = _within(evidence, claim)
        return inside if inside is Relation.CONFLICTING else None
    gap = max(claim.low, evidence.low) - min(claim.high, evidence.high)
    if gap > 0:
        return Relation.CONFLICTING
    if evidence.low >= claim.low and evidence.high <= claim.high:
        return Relation.COMPATIBLE
    return None


def _within(bound: Value, exact: Value) -> Relation | None:
    """Whether an exact value satisfies a bound or range."""
    value = exact.low
    slack = exact.step / 2 + abs(value) * (0.01 if exact.written_unit != bound.written_unit else 1e-9)
    if exact.about or bound.about:
        slack += abs(value) * _ABOUT
    above = value > bound.low if bound.open_low else value >= bound.low
    below = value < bound.high if bound.open_high else value <= bound.high
    if above and below:
        return Relation.COMPATIBLE
    if value < bound.low - slack or value > bound.high + slack:
        return Relation.CONFLICTING
    # "Over 20 years" is loosely said of 20 years; "more than 14 districts" is not of 14.
    strict = value in (bound.low, bound.high) and not (exact.step or exact.about or exact.kind is Kind.DURATION)
    return Relation.CONFLICTING if strict else None


def _exact_pair(claim: Value, evidence: Value) -> Relation | None:
    one, two = claim.low, evidence.low
    difference, size = abs(one - two), max(abs(one), abs(two))
    if claim.unit == "K":
        size = max(abs(one - _FREEZING), abs(two - _FREEZING))
    if difference <= 1e-9 * size:
        return Relation.EQUAL if not (claim.about and not evidence.about) else Relation.COMPATIBLE
    converted = claim.written_unit != evidence.written_unit
    if claim.about or evidence.about:
        if difference <= _ABOUT * size:
            return Relation.COMPATIBLE
        return Relation.CONFLICTING if difference > _NOT_ABOUT * size else None
    if claim.kind is Kind.ORDINAL:
        return Relation.CONFLICTING
    rounding = max(claim.step, evidence.step) / 2
    if converted:
        long = claim.kind is Kind.DURATION and size > 2e6
        if difference <= max(rounding, (0.035 if long else 0.015) * size) and difference <= 0.06 * size:
            return Relation.COMPATIBLE
        return Relation.CONFLICTING if difference > 0.15 * size else None
    if difference <= rounding * (1 + 1e-9) and difference <= 0.06 * size:
        return Relation.COMPATIBLE
    # "500" beside "527": perhaps rounded, perhaps wrong
    return Relation.CONFLICTING if difference > max(claim.step, evidence.step) or difference > 0.06 * size else None


def _currencies(claim: Value, evidence: Value) -> Relation | None:
    """Amounts in two currencies: the same figure in another one is another amount; other figures may be a conversion."""
    dollars = ("$", "AUD", "CAD", "NZD", "HKD")
    if claim.unit in dollars and evidence.unit in dollars and "$" in (claim.unit, evidence.unit):
        return _intervals(claim, evidence)
    if (
        "/" in claim.unit
        or "/" in evidence.unit
        or "cent" in claim.unit + evidence.unit
        or "pence" in claim.unit + evidence.unit
    ):
        return None
    return Relation.CONFLICTING if claim.low == evidence.low and claim.high == evidence.high else None


def _dates(claim: Value, evidence: Value) -> Relation | None:
    if "weekday" in (claim.unit, evidence.unit):
        if claim.unit != evidence.unit:
            return None
        return Relation.EQUAL if claim.low == evidence.low else Relation.CONFLICTING
    if claim.parts is None or evidence.parts is None:
        return _spans(claim, evidence)
    shared = [(a, b) for a, b in zip(claim.parts, evidence.parts, strict=True) if a is not None and b is not None]
    if not shared:
        return None
    if any(a != b for a, b in shared):
        return Relation.CONFLICTING
    return Relation.EQUAL if claim.parts == evidence.parts else Relation.COMPATIBLE


def _spans(claim: Value, evidence: Value) -> Relation | None:
    """Decades, centuries and ranges of years beside each other or a date with a year."""
    if any(value.parts is not None and value.parts[0] is None for value in (claim, evidence)):
        return None
    if claim.low == evidence.low and claim.high == evidence.high and claim.parts is evidence.parts:
        return Relation.EQUAL
    if claim.low > evidence.high or evidence.low > claim.high:
        return Relation.CONFLICTING
    return Relation.COMPATIBLE if evidence.low >= claim.low and evidence.high <= claim.high else None
