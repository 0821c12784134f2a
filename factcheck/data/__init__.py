"""Reading claims, photos and text: everything between a file and the canonical claims table."""

from retrieval.lazy import lazy_names

_HOMES = {
    "ClaimsSource": "claims",
    "ImageError": "images",
    "check_image": "images",
    "clean_text": "text",
    "decode_image": "images",
    "document_sentences": "evidence",
    "load_images": "photos",
    "normalize_claims": "normalize",
    "open_claims": "claims",
    "read_claims_text": "text_sets",
    "read_entailment": "text_sets",
    "row_fields": "extras",
}

__all__ = sorted(_HOMES)
# These modules import pyarrow and Pillow.
__getattr__ = lazy_names(__name__, _HOMES)
