"""From rows to decisions: photos encoded once, any part of the evidence put to the judge, and what each part did."""

import math
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from factcheck.errors import InputError
from factcheck.judges.base import Judge, Judgement, RowWithImages
from factcheck.judges.fusion import EncodedImages, FusionJudge, JointJudgement
from factcheck.labels import FACTIFY_LABELS, IMAGE_RELATIONS, STANCES, Stance, relation_of, stance_of
from factcheck.models.inputs import TextRow
from factcheck.verification.once import ImageStore
from factcheck.verification.rows import IMAGES, Row, Variant

__all__ = ["DecidedRows", "Decision", "EncodedRows", "attribute_images", "attribute_sentences", "decide_rows"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The calibrated probabilities of one row.

    Attributes:
        stance: three probabilities, order of ``labels.STANCES``.
        image: two probabilities, order of ``labels.IMAGE_RELATIONS``; None without an image pair.
        label: five probabilities, order of ``labels.FACTIFY_LABELS``; None without an image pair.
        similarity: cosine of the photos; None without an image pair.
        has_evidence: false where no sentence was there to decide on.
        explanation: the judge's own, None where it gives none.
        cited: indexes of the evidence sentences that the judge says it rests on, None where it does not say.
        problem: what the judge says went wrong.
    """

    stance: tuple[float, ...]
    image: tuple[float, ...] | None = None
    label: tuple[float, ...] | None = None
    similarity: float | None = None
    has_evidence: bool = True
    explanation: str | None = None
    cited: tuple[int, ...] | None = None
    problem: str | None = None

    @property
    def _leading(self) -> tuple[float, ...]:
        return self.label or self.stance

    @property
    def confidence(self) -> float:
        """Probability of the verdict's label."""
        return max(self._leading)

    @property
    def index(self) -> int:
        """Index of the verdict's label among the five classes, or among the stances without an image pair."""
        return self._leading.index(self.confidence)

    @property
    def verdict_stance(self) -> Stance:
        """The stance of the verdict's label."""
        return STANCES[self.index] if self.label is None else stance_of(FACTIFY_LABELS[self.index])

    @property
    def is_finite(self) -> bool:
        """Whether every figure is a number. NaN passes every comparison by unnoticed and would read as the first label."""
        figures = [*self.stance, *(self.image or ()), *(self.label or ())]
        return all(map(math.isfinite, figures)) and (self.similarity is None or math.isfinite(self.similarity))

    @property
    def is_judged(self) -> bool:
        """Whether the judge decided on evidence, so that parts of it can be left out to see what they did."""
        return self.has_evidence and self.is_finite

    def probability_of(self, other: "Decision") -> float:
        """What this decision gives to the label of ``other``."""
        return self._leading[other.index]

    def without_evidence(self) -> "Decision":
        """The decision where nothing bears on the claim: insufficient by definition, whatever the claim sounds like."""
        stance = tuple(float(s is Stance.INSUFFICIENT) for s in STANCES)
        label = None if self.image is None else composed(stance, self.image)
        return Decision(stance, self.image, label, self.similarity, has_evidence=False)


def composed(stance: Sequence[float], image: Sequence[float]) -> tuple[float, ...]:
    """Five probabilities of a stance and an image relation taken as independent, as ``VerdictModel.compose`` does in logs."""
    label = []
    for name in FACTIFY_LABELS:
        relation = relation_of(name)
        share = 1.0 if relation is None else image[IMAGE_RELATIONS.index(relation)]
        label.append(stance[STANCES.index(stance_of(name))] * share)
    return tuple(label)


class EncodedRows:
    """A batch of rows whose photos have been encoded; evidence can be left out without encoding them again.

    Args:
        fusion: the verdict model, which reads the photos; its own judgement counts where no other judge is given.
        rows: the rows, with evidence.
        judge: decides the stance in the model's place; the image relation stays with the model, and the five classes are
            composed of both.
        store: photos that are encoded already, and where those of these rows are kept; None for none.
        decoded: pixels of photos by key, or why there are none; what is used is taken out. Others are decoded here.

    Attributes:
        rows: as given.
        has_images: of each row, whether the claim's and the document's photo could be read.
        reasons: of each row, its own and why a photo could not be read.
    """

    def __init__(
        self,
        fusion: FusionJudge,
        rows: Sequence[Row],
        judge: Judge | None = None,
        *,
        store: ImageStore | None = None,
        decoded: MutableMapping[bytes, Tensor | InputError] | None = None,
    ) -> None:
        self._fusion, self._judge = fusion, judge
        self.rows = tuple(rows)
        store = store or ImageStore(fusion)
        self._images: EncodedImages | None = None
        found: list[list[str | None]] = [[None, None] for _ in rows]
        shown = [(i, side) for i, row in enumerate(rows) for side in (0, 1) if row.source.has_images[side]]
        if fusion.image_size is None:
            shown = []
        photos: dict[bytes, Callable[[], Tensor]] = {}
        for i, side in shown:
            key = rows[i].source.image_keys[side]
            if key is None:
                found[i][side] = "not loaded (factcheck.data.load_images reads files)"
            else:
                photos.setdefault(key, partial(_pixels, rows[i], side, store, {} if decoded is None else decoded))
        tokens, vectors, places, reasons = store.encoded(photos)
        where = torch.full((len(rows), 2), len(places), dtype=torch.long)
        for i, side in shown:
            if (key := rows[i].source.image_keys[side]) is not None:
                found[i][side] = reasons.get(key)
                where[i, side] = places.get(key, len(places))
        if places:
            self._images = EncodedImages(tokens, vectors, where.to(fusion.device))
        self.has_images = [(first < len(places), second < len(places)) for first, second in where.tolist()]
        self.reasons = [_joined(row, sides) for row, sides in zip(rows, found, strict=True)]

    def decide(self, variants: Sequence[Variant]) -> list[Decision]:
        """What the judge says of each variant.

        Of a variant that leaves no evidence the verdict model decides by claim and photos alone; another judge is not asked, and it
        is insufficient. Whether the row had any to begin with is the caller's knowledge (see :meth:`Decision.without_evidence`).
        """
        texts = [self.rows[v.row].text(v.sentences) for v in variants]
        if self._judge is None:
            return [
                _joint_decision(judgement) for judgement in self._fusion.judge_together(texts, self._taken(variants))
            ]
        pairs = [
            i for i, v in enumerate(variants) if all(self.has_images[v.row]) and v.claim_image and v.document_image
        ]
        for i in pairs:
            texts[i] = replace(texts[i], has_pair=True)
        judgements = self._judgements(self._judge, variants, texts)
        joint = self._fusion.judge_together([texts[i] for i in pairs], self._taken([variants[i] for i in pairs]))
        photos = dict(zip(pairs, joint, strict=True))
        return [_decision(judgement, photos.get(i)) for i, judgement in enumerate(judgements)]

    def _judgements(self, judge: Judge, variants: Sequence[Variant], texts: Sequence[TextRow]) -> list[Judgement]:
        """Another judge's judgements; it is not asked about rows without evidence, which are insufficient by definition."""
        asked = [i for i, text in enumerate(texts) if text.evidence]
        rows = [texts[i] for i in asked]
        if judge.reads_images:
            rows = [self._with_images(variants[i], texts[i]) for i in asked]
        found = dict(zip(asked, judge.judge(rows), strict=True))
        return [found.get(i) or Judgement(stance=(0.0, 1.0, 0.0)) for i in range(len(texts))]

    def _with_images(self, variant: Variant, text: TextRow) -> RowWithImages:
        source = self.rows[variant.row].source
        wanted = (variant.claim_image, variant.document_image)
        first, second = (
            (source.image(name) or {}).get("bytes") if readable and keep else None
            for name, readable, keep in zip(IMAGES, self.has_images[variant.row], wanted, strict=True)
        )
        sides = (text.claim_ocr, text.document_ocr)
        return RowWithImages(text.claim, text.evidence, *sides, text.has_pair, (first, second))

    def can_leave_out(self) -> bool:
        """Whether the judge may be asked again without parts of the evidence."""
        return self._judge is None or self._judge.leave_one_out

    def _taken(self, variants: Sequence[Variant]) -> EncodedImages | None:
        if self._images is None or not variants:
            return None
        return self._images.take([v.row for v in variants], [(v.claim_image, v.document_image) for v in variants])


@dataclass(frozen=True, slots=True)
class DecidedRows:
    """A batch of rows with their decisions.

    Attributes:
        encoded: the rows; :meth:`EncodedRows.decide` says what the judge makes of any part of a row's evidence.
        decisions: one a row.
    """

    encoded: EncodedRows
    decisions: tuple[Decision, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows."""
        return self.encoded.rows


def decide_rows(encoded: EncodedRows) -> DecidedRows:
    """Decide every row on all that it has; a row without evidence is insufficient by definition."""
    decisions = encoded.decide([Variant(i) for i in range(len(encoded.rows))])
    return DecidedRows(
        encoded,
        tuple(
            decision if row.has_evidence else decision.without_evidence()
            for row, decision in zip(encoded.rows, decisions, strict=True)
        ),
    )


def attribute_sentences(decided: DecidedRows) -> list[tuple[float, ...] | None]:
    """The drop of each verdict's probability without each of its sentences, in [-1, 1]; None for a row that was not judged.

    Leave-one-out (Li, Monroe & Jurafsky, arXiv 1612.08220). One more pass of the text model a sentence.
    """
    rows = decided.rows
    judged = [i for i, decision in enumerate(decided.decisions) if decision.is_judged]
    variants = [
        Variant(i, tuple(k for k in range(len(rows[i].cleaned)) if k != j))
        for i in judged
        for j in range(len(rows[i].cleaned))
    ]
    others = iter(decided.encoded.decide(variants))
    drops: list[tuple[float, ...] | None] = [None] * len(rows)
    for i in judged:
        verdict = decided.decisions[i]
        drops[i] = tuple(verdict.confidence - next(others).probability_of(verdict) for _ in rows[i].cleaned)
    return drops


def attribute_images(decided: DecidedRows) -> list[tuple[float | None, float | None] | None]:
    """The drop of each stance's probability without either photo, in [-1, 1]; None for a row that was not judged.

    The stance and not the label, because without a pair of photos there is no image relation, hence no five-class label, to
    compare with. None for a photo that the row does not have. Photos are not encoded again.
    """
    has_images = decided.encoded.has_images
    judged = [i for i, decision in enumerate(decided.decisions) if decision.is_judged]
    present = [(i, side) for i in judged for side in (0, 1) if has_images[i][side]]
    variants = [Variant(i, claim_image=side != 0, document_image=side != 1) for i, side in present]
    drops: dict[tuple[int, int], float] = {}
    for (i, side), other in zip(present, decided.encoded.decide(variants), strict=True):
        verdict = decided.decisions[i]
        stance = STANCES.index(verdict.verdict_stance)
        drops[i, side] = verdict.stance[stance] - other.stance[stance]
    return [
        (drops.get((i, 0)), drops.get((i, 1))) if decision.is_judged else None
        for i, decision in enumerate(decided.decisions)
    ]


def _joint_decision(judgement: JointJudgement) -> Decision:
    return Decision(_known(judgement.stance), judgement.relation, judgement.label, judgement.similarity)


def _decision(judgement: Judgement, photos: JointJudgement | None) -> Decision:
    """The judge's stance, the photos' relation, and the five classes composed of them."""
    stance = _known(judgement.stance)
    relation = photos.relation if photos is not None else None
    return Decision(
        stance,
        relation,
        None if relation is None else composed(stance, relation),
        photos.similarity if photos is not None else None,
        explanation=judgement.explanation,
        cited=judgement.cited,
        problem=judgement.problem,
    )


def _known(stance: tuple[float, float, float] | None) -> tuple[float, ...]:
    return (math.nan,) * len(STANCES) if stance is None else stance


def _joined(row: Row, found: Sequence[str | None]) -> tuple[str, ...]:
    """The row's reasons, and those of its photos that the reader has not named already."""
    reasons = list(row.reasons)
    for name, reason in zip(IMAGES, found, strict=True):
        if reason is not None and not any(known.startswith(name) for known in reasons):
            reasons.append(f"{name}: {reason}")
    return tuple(reasons)


def _pixels(row: Row, side: int, store: ImageStore, decoded: MutableMapping[bytes, Tensor | InputError]) -> Tensor:
    """The pixels of a row's photo, decoded ahead or now."""
    found = decoded.pop(row.source.image_keys[side] or b"", None)
    if found is None:
        return store.pixels((row.source.image(IMAGES[side]) or {}).get("bytes") or b"")
    if isinstance(found, InputError):
        raise found
    return found
