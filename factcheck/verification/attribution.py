"""What a verdict rests on: the change of its probability when a sentence or a photo is left out."""

from factcheck.labels import FACTIFY_LABELS, STANCES, Stance, stance_of
from factcheck.verification.decisions import Decision
from factcheck.verification.encoded import EncodedRows
from factcheck.verification.rows import Variant

__all__ = ["attribute_photos", "attribute_sentences"]


def attribute_sentences(encoded: EncodedRows) -> None:
    """Fill in ``attributions`` of decided rows: the drop of the verdict's probability without each sentence, in [-1, 1].

    Leave-one-out (Li, Monroe & Jurafsky, arXiv 1612.08220). One more pass of the text model a sentence.
    """
    rows = encoded.rows
    decided = [i for i, row in enumerate(rows) if row.decision.is_judged]
    variants = [
        Variant(i, tuple(k for k in range(len(rows[i].cleaned)) if k != j))
        for i in decided
        for j in range(len(rows[i].cleaned))
    ]
    others = iter(encoded.decide(variants))
    for i in decided:
        verdict = rows[i].decision
        rows[i].attributions = [verdict.confidence - next(others).probability_of(verdict) for _ in rows[i].cleaned]


def attribute_photos(encoded: EncodedRows) -> None:
    """Fill in ``photo_attributions`` of decided rows: the drop of the stance's probability without either photo, in [-1, 1].

    The stance and not the label, because without a pair of photos there is no image relation, hence no five-class label, to
    compare with. None for a photo that the row does not have. Photos are not encoded again.
    """
    rows = encoded.rows
    present = [
        (i, side) for i, row in enumerate(rows) if row.decision.is_judged for side in (0, 1) if row.has_photos[side]
    ]
    variants = [Variant(i, claim_image=side != 0, document_image=side != 1) for i, side in present]
    drops: dict[tuple[int, int], float] = {}
    for (i, side), other in zip(present, encoded.decide(variants), strict=True):
        verdict = rows[i].decision
        stance = STANCES.index(_stance(verdict))
        drops[i, side] = verdict.stance[stance] - other.stance[stance]
    for i, row in enumerate(rows):
        if row.decision.is_judged:
            row.photo_attributions = (drops.get((i, 0)), drops.get((i, 1)))


def _stance(verdict: Decision) -> Stance:
    return STANCES[verdict.index] if verdict.label is None else stance_of(FACTIFY_LABELS[verdict.index])
