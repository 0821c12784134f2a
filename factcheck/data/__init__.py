"""Reading claims, photos and text: everything between a file and the canonical claims table."""

from importlib import import_module
from typing import Any

_HOMES = {
    "ClaimsSource": "claims",
    "ImageError": "images",
    "check_image": "images",
    "clean_text": "text",
    "decode_image": "images",
    "load_images": "photos",
    "normalize_claims": "normalize",
    "open_claims": "claims",
    "read_claims_text": "text_sets",
    "read_entailment": "text_sets",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    # Lazy, because these modules import pyarrow and Pillow.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
