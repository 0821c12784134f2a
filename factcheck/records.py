"""Claim, Evidence, Verdict: the records every part passes on, and the Arrow schemas of their tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from factcheck.labels import FACTIFY_LABELS, STANCES, FactifyLabel, ImageRelation, Stance

if TYPE_CHECKING:
    import datetime

    import pyarrow as pa

__all__ = ["Claim", "Evidence", "PhotoEvidence", "Verdict", "claims_schema", "verdict_schema"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim and, where the caller has it, the document to check it against.

    Attributes:
        claim: the statement to check.
        document: the evidence text, or its sentences in order; None to check against an index.
        claim_image, document_image: encoded photos (JPEG, PNG, WebP, …) as bytes.
        claim_ocr, document_ocr: text read off the photos.
        id: identifies the row in results, where a number becomes text.
        label: gold label, for training and evaluation only; verification never reads it.
        date: day of the claim, in ISO 8601 where it is text, with which later evidence can be excluded.
    """

    claim: str
    document: str | Sequence[str] | None = None
    claim_image: bytes | None = None
    document_image: bytes | None = None
    claim_ocr: str | None = None
    document_ocr: str | None = None
    id: str | int | None = None
    label: FactifyLabel | Stance | None = None
    date: "str | datetime.date | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A sentence that a verdict rests on.

    Attributes:
        document_id: the document it comes from; the claim's id for the claim's own document.
        sentence: index of the sentence in the document, from 0.
        start, end: characters in the document, end exclusive; a list of sentences counts as joined by one space.
        text: the sentence as it stands in the document.
        score: retrieval score, higher is closer to the claim; comparable within one claim only.
        attribution: how much the probability of the verdict's label drops without this sentence, in [-1, 1].
    """

    document_id: str
    sentence: int
    start: int
    end: int
    text: str
    score: float
    attribution: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoEvidence:
    """The claim's photo, found again in the evidence index: shown to the reader, not read by the model.

    Attributes:
        document_id: the document that shows it.
        photo: its path or URL as the corpus gives it, or None.
        text: its caption there, else alt text, else the text around it, else the document's title or first sentence.
        date: date of the document as the corpus gives it, or None.
        score: cosine of the two photos' descriptors, in [-1, 1].
    """

    document_id: str
    photo: str | None
    text: str
    date: str | None
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one claim; fields are the columns of the verdict table (see :func:`verdict_schema`).

    ``status`` is ``ok``, ``degraded`` or ``error``. In error there is no verdict: ``label``, ``stance`` and ``confidence`` are None and
    ``abstained`` is False, for nothing is withheld.

    ``language`` is the ISO 639-1 code of claim and evidence, None if unknown. ``differences`` are values of the claim beside
    those of the evidence (the fields are :class:`factcheck.differences.Difference`'s), and ``explanation`` is one sentence made of
    them, or the judge's reason.

    ``photo_attribution`` is how much the probability of the stance drops without the photo of either side, in [-1, 1]: keys
    ``claim_image`` and ``document_image``, None for a photo that is not there; None as a whole unless it was asked for.
    ``photo_evidence`` is where the claim's photo was found again in the evidence index, nearest first; None unless it was
    looked for (a claim with a photo and without a document, an index with photos). ``photo_context`` says what is known of either
    photo itself: its dates and edits, as facts with a kind and a value; None where nothing is.
    ``ocr`` says for ``claim`` and ``document`` whether the text of their photo was ``given`` or ``read`` (``source``), and what was
    read (``text``); None where neither has any.
    ``content_hash`` changes with anything that the verdict rests on: the row, the models and the options.
    """

    id: str
    label: str | None
    stance: Stance | None
    image_relation: ImageRelation | None
    confidence: float | None
    abstained: bool
    probabilities: Mapping[str, float] | None
    stance_probabilities: Mapping[str, float] | None
    image_similarity: float | None
    evidence: tuple[Evidence, ...]
    status: str
    reason: str | None
    model: str
    language: str | None = None
    differences: "tuple[Mapping[str, Any], ...] | None" = None
    explanation: str | None = None
    photo_attribution: Mapping[str, float | None] | None = None
    photo_evidence: tuple[PhotoEvidence, ...] | None = None
    photo_context: "Mapping[str, Any] | None" = None
    content_hash: str | None = None
    ocr: "Mapping[str, Mapping[str, str | None] | None] | None" = None

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of plain values, as JSON and data frames take it; figures that are no numbers become None."""
        return _plain(asdict(self))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from factcheck.card import verdict_card

        return verdict_card(self)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def claims_schema() -> "pa.Schema":
    """Schema of a canonical claims table, as readers yield it and ``verify_batch`` takes it.

    ``document`` is the whole text and ``document_spans`` its sentences as character offsets, null where the text is
    still to be split. Images are ``{bytes, path}`` structs like those of ``datasets.Image``: ``load_images`` turns paths into
    bytes. ``status`` is ``ok``, ``degraded`` (an image is missing) or ``error`` (the row cannot be verified), ``reasons`` why, one each.
    """
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    span = pa.struct([("start", pa.int32()), ("end", pa.int32())])
    return pa.schema(
        [
            ("id", pa.string()),
            ("claim", pa.string()),
            ("claim_image", image),
            ("document", pa.string()),
            ("document_spans", pa.list_(span)),
            ("document_image", image),
            ("claim_ocr", pa.string()),
            ("document_ocr", pa.string()),
            ("label", pa.string()),
            ("date", pa.string()),
            ("status", pa.string()),
            ("reasons", pa.list_(pa.string())),
        ]
    )


def verdict_schema() -> "pa.Schema":
    """Schema of the verdict table: one row an input row, in input order."""
    import pyarrow as pa

    evidence, photo, difference = _item_types()
    ocr = pa.struct([("source", pa.string()), ("text", pa.string())])
    facts = pa.list_(pa.struct([("kind", pa.string()), ("value", pa.string())]))
    return pa.schema(
        [
            ("id", pa.string()),
            ("label", pa.string()),
            ("stance", pa.string()),
            ("image_relation", pa.string()),
            ("confidence", pa.float32()),
            ("abstained", pa.bool_()),
            ("probabilities", pa.struct([(label.value, pa.float32()) for label in FACTIFY_LABELS])),
            ("stance_probabilities", pa.struct([(stance.value, pa.float32()) for stance in STANCES])),
            ("image_similarity", pa.float32()),
            ("evidence", pa.list_(evidence)),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("model", pa.string()),
            # From here on columns that are null unless there is something to say, and may be missing from a table that is read.
            ("language", pa.string()),
            ("differences", pa.list_(difference)),
            ("explanation", pa.string()),
            ("photo_attribution", pa.struct([("claim_image", pa.float32()), ("document_image", pa.float32())])),
            ("photo_evidence", pa.list_(photo)),
            ("photo_context", pa.struct([("claim_image", facts), ("document_image", facts)])),
            ("content_hash", pa.string()),
            ("ocr", pa.struct([("claim", ocr), ("document", ocr)])),
        ]
    )


def _item_types() -> "tuple[pa.DataType, pa.DataType, pa.DataType]":
    """What the lists of evidence, of photos found again and of differences hold."""
    import pyarrow as pa

    evidence = pa.struct(
        [
            ("document_id", pa.string()),
            ("sentence", pa.int32()),
            ("start", pa.int32()),
            ("end", pa.int32()),
            ("text", pa.string()),
            ("score", pa.float32()),
            ("attribution", pa.float32()),
        ]
    )
    photo = pa.struct(
        [
            ("document_id", pa.string()),
            ("photo", pa.string()),
            ("text", pa.string()),
            ("date", pa.string()),
            ("score", pa.float32()),
        ]
    )
    difference = pa.struct(
        [
            ("kind", pa.string()),
            ("relation", pa.string()),
            ("claim_start", pa.int32()),
            ("claim_end", pa.int32()),
            ("claim_value", pa.string()),
            ("sentence", pa.int32()),
            ("start", pa.int32()),
            ("end", pa.int32()),
            ("value", pa.string()),
        ]
    )
    return evidence, photo, difference
