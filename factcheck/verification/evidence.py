"""Evidence for the rows of a batch: from each row's own document, else from an index."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from factcheck.data import clean_text
from factcheck.errors import InputError
from factcheck.verification.rows import ClaimRow, Row

if TYPE_CHECKING:
    from retrieval import Hit
    from retrieval.encoders.base import TextEncoder
    from retrieval.search.images import ImageSearch

__all__ = ["IMAGE_SIMILARITY", "EvidenceSource", "find_evidence"]

#: Cosine from which two photos count as copies of one. In 400 rows of flickr-factify's training split pairs of different photos
#: stayed below 0.65 and 87% of the altered copies reached 0.75 (bundled photo encoder); the bound is strict because a large index
#: holds many look-alikes. The reader sees the cosine.
IMAGE_SIMILARITY = 0.75
#: Places at most where a claim's photo is shown again.
IMAGES_SHOWN = 5


class EvidenceSource(Protocol):
    """Where evidence for a claim without a document comes from; an open index of :mod:`retrieval` is one.

    A source may have an attribute ``images`` like :class:`retrieval.search.images.ImageSearch`: where that is ready, the claims'
    photos are looked for in it.
    """

    def search(self, queries: Sequence[str], *, top_k: int, filters: Any = None) -> "list[list[Hit]]":
        """The ``top_k`` best hits of each query, best first."""
        ...


def find_evidence(
    claims: Sequence[ClaimRow],
    encoder: "TextEncoder",
    *,
    top_k: int,
    method: str,
    min_share: float,
    source: EvidenceSource | None,
) -> list[Row]:
    """Each claim with its evidence, or with the reason why it has none, in order.

    Args:
        claims: rows with a claim.
        encoder: text encoder of the selection inside documents.
        top_k: most sentences a row.
        method: ``hybrid``, ``dense`` or ``bm25``, inside documents.
        min_share: see :func:`retrieval.select_evidence`, inside documents.
        source: searched for the rows without a document; None leaves them without evidence.
    """
    own: list[ClaimRow] = []
    searched: list[ClaimRow] = []
    rows: dict[int, Row] = {}
    for claim in claims:
        text = claim.item["document"]
        if text is None and source is not None:
            searched.append(claim)
        elif text is None or not text.strip():
            reason = "document: missing" if text is None else "document: empty"
            rows[claim.number] = Row(claim, reasons=(*claim.reasons, reason))
        else:
            own.append(claim)
    found = _selected(own, encoder, top_k, method, min_share) if own else []
    if source is not None:
        found += _searched(searched, source, top_k)
    rows |= {row.number: row for row in found}
    return [rows[claim.number] for claim in claims]


def _selected(
    claims: Sequence[ClaimRow], encoder: "TextEncoder", top_k: int, method: str, min_share: float
) -> list[Row]:
    """Claims with the sentences of their own documents."""
    from retrieval import select_evidence

    found = select_evidence(
        [claim.claim for claim in claims],
        [claim.sentences or () for claim in claims],
        [claim.item["id"] for claim in claims],
        encoder,
        top_k=top_k,
        method=method,
        min_share=min_share,
    )
    rows = []
    for claim, hits in zip(claims, found, strict=True):
        # The encoder read clean text; the verdict quotes the document as it stands.
        quoted = tuple(replace(hit, text=claim.item["document"][hit.start : hit.end]) for hit in hits)
        row = Row(claim, quoted, tuple(hit.text for hit in hits), reasons=claim.reasons)
        # Where the reader has found the document at fault, that is why nothing can be read.
        told = any(reason.startswith(("document:", "evidence:")) for reason in row.reasons)
        if not row.has_evidence and not told:
            row = replace(row, reasons=(*row.reasons, "document: no readable sentence"))
        rows.append(row)
    return rows


def _searched(claims: Sequence[ClaimRow], source: EvidenceSource, top_k: int) -> list[Row]:
    """Claims with what an index holds on them."""
    rows = []
    for date in sorted({claim.item["date"] or "" for claim in claims}):
        group = [claim for claim in claims if (claim.item["date"] or "") == date]
        # What was published after the claim was made may be the fact check itself.
        filters = {"date_before": date} if date else None
        found = source.search([claim.claim for claim in group], top_k=top_k, filters=filters)
        photos = getattr(source, "images", None)
        for claim, hits in zip(group, found, strict=True):
            readable = [(hit, text) for hit in hits if (text := clean_text(hit.text))]
            missing = "evidence: no readable sentence" if hits else "evidence: nothing found"
            reasons = claim.reasons if readable else (*claim.reasons, missing)
            seen = _image_evidence(claim, photos, filters) if photos is not None and photos.ready else None
            rows.append(Row(claim, tuple(h for h, _ in readable), tuple(t for _, t in readable), seen, reasons))
    return rows


def _image_evidence(claim: ClaimRow, photos: "ImageSearch", filters: dict[str, str] | None) -> "tuple[Hit, ...] | None":
    """Where the claim's photo was found again; None for a claim without one, or one that cannot be decoded."""
    image = claim.image("claim_image")
    if image is None or not image["bytes"]:
        return None
    try:
        # One by one: a photo that cannot be decoded must not cost the others theirs, and the row says so elsewhere.
        (hits,) = photos.search([image["bytes"]], top_k=IMAGES_SHOWN, filters=filters)
    except InputError:
        return None
    return tuple(hit for hit in hits if hit.score >= IMAGE_SIMILARITY)
