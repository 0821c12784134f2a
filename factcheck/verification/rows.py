"""A row on its way through verification: parts that are made once, each from the one before, and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from factcheck.models.inputs import TextRow

if TYPE_CHECKING:
    import pyarrow as pa

    from retrieval import Hit
    from retrieval.text.sentences import Sentence

__all__ = ["IMAGES", "ClaimRow", "Row", "Variant"]

#: Columns of the photos, in the order in which pairs hold them.
IMAGES = ("claim_image", "document_image")


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A row of the claims table that can be verified.

    Attributes:
        number: its place in the table.
        item: its cells, as of :func:`factcheck.records.claims_schema`, but for the photos.
        claim: the cleaned claim.
        ocr: cleaned text read off the claim's and the document's photo.
        images: the table's columns of photos, from which :meth:`image` takes this row's.
        has_images: whether the claim and the document have a photo.
        image_keys: what the photos are known by, None where their bytes are not there.
        sentences: those of its document, cleaned for the encoders; None without one.
        reasons: what the reader found wrong with it.
        ocr_sources: where either text of ``ocr`` comes from, ``given`` or ``read``; None where there is none.
    """

    number: int
    item: Mapping[str, Any]
    claim: str
    ocr: tuple[str, str] = ("", "")
    images: "Mapping[str, pa.ChunkedArray]" = field(default_factory=dict, repr=False)
    has_images: tuple[bool, bool] = (False, False)
    image_keys: tuple[bytes | None, bytes | None] = (None, None)
    sentences: "Sequence[Sentence] | None" = None
    reasons: tuple[str, ...] = ()
    ocr_sources: tuple[str | None, str | None] = (None, None)

    def image(self, name: str) -> dict[str, Any] | None:
        """The cell ``claim_image`` or ``document_image`` as ``{bytes, path}``, or None.

        Copied out of the table each time it is asked for: the photos of all rows together can be gigabytes.
        """
        column = self.images.get(name)
        return None if column is None else column[self.number].as_py()


@dataclass(frozen=True, slots=True)
class Row:
    """A claim with its evidence.

    Attributes:
        source: the claim.
        evidence: selected sentences, best first, as they stand in their documents.
        cleaned: the same sentences as the encoders read them.
        image_evidence: where the claim's photo was found again, nearest first; None where it was not looked for.
        reasons: what is missing, the source's reasons included.
    """

    source: ClaimRow
    evidence: "tuple[Hit, ...]" = ()
    cleaned: tuple[str, ...] = ()
    image_evidence: "tuple[Hit, ...] | None" = None
    reasons: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """Its place in the table."""
        return self.source.number

    @property
    def item(self) -> Mapping[str, Any]:
        """Its cells but for the photos."""
        return self.source.item

    @property
    def claim(self) -> str:
        """The cleaned claim."""
        return self.source.claim

    @property
    def has_evidence(self) -> bool:
        """Whether any sentence holds something to read."""
        return any(self.cleaned)

    def text(self, sentences: tuple[int, ...] | None = None) -> TextRow:
        """The text that a judge reads, with all or some of the evidence sentences (always best first)."""
        evidence = [text for i, text in enumerate(self.cleaned) if text and (sentences is None or i in sentences)]
        return TextRow(self.claim, evidence, *self.source.ocr)


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
