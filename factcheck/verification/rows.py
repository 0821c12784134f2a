"""A row on its way through verification, and what may be left out of it to see what it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from factcheck.data import clean_text
from factcheck.models.inputs import TextRow
from factcheck.verification.decisions import Decision

if TYPE_CHECKING:
    import pyarrow as pa

    from retrieval import Hit

__all__ = ["PHOTOS", "Row", "Variant"]

#: Columns of the photos, in the order in which pairs hold them.
PHOTOS = ("claim_image", "document_image")


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of a batch with parts of its evidence left out.

    Attributes:
        row: index of the row in its batch.
        sentences: indexes of the evidence sentences that stay; None for all.
        claim_image, document_image: whether that photo stays.
    """

    row: int
    sentences: tuple[int, ...] | None = None
    claim_image: bool = True
    document_image: bool = True


@dataclass
class Row:
    """What is known of a row so far.

    Attributes:
        number: its place in the table.
        item: its cells, as of :func:`factcheck.records.claims_schema`, but for the photos.
        claim: the cleaned claim.
        evidence: selected sentences, best first, as they stand in their documents.
        cleaned: the same sentences as the encoders read them.
        photo_evidence: where the claim's photo was found again, nearest first; None where it was not looked for.
        images: the table's columns of photos, from which :meth:`image` takes this row's.
        has_photos: whether the claim and the document have a photo; false from when it turns out that it cannot be read.
        reasons: what is missing, for the verdict table.
        decision: the verdict; not there before the row is decided.
        attributions: drop of the verdict's probability without each sentence, in [-1, 1].
        photo_attributions: drop of the stance's probability without the claim's and the document's photo, in [-1, 1].
    """

    number: int
    item: dict[str, Any]
    claim: str
    evidence: "list[Hit]" = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    photo_evidence: "list[Hit] | None" = None
    images: "Mapping[str, pa.ChunkedArray]" = field(default_factory=dict, repr=False)
    has_photos: tuple[bool, bool] = (False, False)
    reasons: list[str] = field(default_factory=list)
    decision: Decision = field(init=False, repr=False, compare=False)
    attributions: list[float] | None = None
    photo_attributions: tuple[float | None, float | None] | None = None

    def image(self, name: str) -> dict[str, Any] | None:
        """The cell ``claim_image`` or ``document_image`` as ``{bytes, path}``, or None.

        Copied out of the table each time it is asked for: the photos of all rows together can be gigabytes.
        """
        column = self.images.get(name)
        return None if column is None else column[self.number].as_py()

    def text(self, sentences: tuple[int, ...] | None = None) -> TextRow:
        """The text that the model reads, with all or some of the evidence sentences (always best first)."""
        evidence = [text for i, text in enumerate(self.cleaned) if text and (sentences is None or i in sentences)]
        ocr = [clean_text(self.item[name] or "") for name in ("claim_ocr", "document_ocr")]
        return TextRow(self.claim, evidence, *ocr)
