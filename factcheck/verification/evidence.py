"""Evidence for the rows of a batch: from each row's own document, else from an index."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from factcheck.data import clean_text, document_sentences
from factcheck.errors import InputError
from factcheck.verification.rows import Row

if TYPE_CHECKING:
    from retrieval import Hit
    from retrieval.encoders.transformers import TextEncoder
    from retrieval.search.images import PhotoSearch

__all__ = ["PHOTO_SIMILARITY", "EvidenceSource", "find_evidence"]

#: Cosine from which two photos count as copies of one. In 400 rows of flickr-factify's training split pairs of different photos
#: stayed below 0.65 and 87% of the altered copies reached 0.75 (bundled photo encoder); the bound is strict because a large index
#: holds many look-alikes. The reader sees the cosine.
PHOTO_SIMILARITY = 0.75
#: Places at most where a claim's photo is shown again.
PHOTOS_SHOWN = 5


class EvidenceSource(Protocol):
    """Where evidence for a claim without a document comes from; an open index of :mod:`retrieval` is one.

    A source may have an attribute ``photos`` like :class:`retrieval.search.images.PhotoSearch`: where that is ready, the claims'
    photos are looked for in it.
    """

    def search(self, queries: Sequence[str], *, top_k: int, filters: Any = None) -> "list[list[Hit]]":
        """The ``top_k`` best hits of each query, best first."""
        ...


def find_evidence(
    rows: Sequence[Row],
    encoder: "TextEncoder",
    *,
    top_k: int,
    method: str,
    min_share: float,
    source: EvidenceSource | None,
) -> None:
    """Fill in ``evidence`` and ``cleaned`` of each row, and the reason where it has none.

    Args:
        rows: rows with a claim.
        encoder: text encoder of the selection inside documents.
        top_k: most sentences a row.
        method: ``hybrid``, ``dense`` or ``bm25``, inside documents.
        min_share: see :func:`retrieval.select_evidence`, inside documents.
        source: searched for the rows without a document; None leaves them without evidence.
    """
    from retrieval import select_evidence

    own: list[Row] = []
    documents = []
    searched: list[Row] = []
    for row in rows:
        text = row.item["document"]
        if text is None and source is not None:
            searched.append(row)
        elif text is None or not text.strip():
            row.reasons.append("document: missing" if text is None else "document: empty")
        else:
            own.append(row)
            documents.append(document_sentences(text, row.item["document_spans"]))
    if own:
        claims, ids = [row.claim for row in own], [row.item["id"] for row in own]
        found = select_evidence(claims, documents, ids, encoder, top_k=top_k, method=method, min_share=min_share)
        for row, hits in zip(own, found, strict=True):
            # The encoder read clean text; the verdict quotes the document as it stands.
            row.cleaned = [hit.text for hit in hits]
            row.evidence = [replace(hit, text=row.item["document"][hit.start : hit.end]) for hit in hits]
    if source is None:
        return
    for date in sorted({row.item["date"] or "" for row in searched}):
        group = [row for row in searched if (row.item["date"] or "") == date]
        # What was published after the claim was made may be the fact check itself.
        filters = {"date_before": date} if date else None
        found = source.search([row.claim for row in group], top_k=top_k, filters=filters)
        for row, hits in zip(group, found, strict=True):
            row.evidence, row.cleaned = list(hits), [clean_text(hit.text) for hit in hits]
            if not hits:
                row.reasons.append("evidence: nothing found")
        photos = getattr(source, "photos", None)
        if photos is not None and photos.ready:
            _find_photos(group, photos, filters)


def _find_photos(rows: Sequence[Row], photos: "PhotoSearch", filters: dict[str, str] | None) -> None:
    """Fill in ``photo_evidence`` of the rows whose claim has a photo."""
    for row in rows:
        image = row.image("claim_image")
        if image is None or not image["bytes"]:
            continue
        try:
            # One by one: a photo that cannot be decoded must not cost the others theirs, and the row says so elsewhere.
            (hits,) = photos.search([image["bytes"]], top_k=PHOTOS_SHOWN, filters=filters)
        except InputError:
            continue
        row.photo_evidence = [hit for hit in hits if hit.score >= PHOTO_SIMILARITY]
