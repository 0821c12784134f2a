"""Reading claims, images and text: everything between a file and the canonical claims table."""

from typing import TYPE_CHECKING

from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from factcheck.data.claim_text import clean_claim
    from factcheck.data.claims import ClaimsFormat, ClaimsSource, open_claims
    from factcheck.data.evidence import document_sentences
    from factcheck.data.images import ImageError, check_image, decode_image, load_images
    from factcheck.data.normalize import normalize_claims
    from factcheck.data.text import clean_text
    from factcheck.data.text_sets import read_claims_text, read_entailment

__all__ = [
    "ClaimsFormat",
    "ClaimsSource",
    "ImageError",
    "check_image",
    "clean_claim",
    "clean_text",
    "decode_image",
    "document_sentences",
    "load_images",
    "normalize_claims",
    "open_claims",
    "read_claims_text",
    "read_entailment",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClaimsFormat": ".claims",
        "ClaimsSource": ".claims",
        "ImageError": ".images",
        "check_image": ".images",
        "clean_claim": ".claim_text",
        "clean_text": ".text",
        "decode_image": ".images",
        "document_sentences": ".evidence",
        "load_images": ".images",
        "normalize_claims": ".normalize",
        "open_claims": ".claims",
        "read_claims_text": ".text_sets",
        "read_entailment": ".text_sets",
    },
)
