"""Evidence retrieval: sentence splitting, encoders, indexes and an evidence store. Usable on its own.

Importing this package is cheap: names are loaded when they are first used, so that nothing here pulls in torch or FAISS
before it is needed.
"""

from importlib import import_module
from typing import Any

_LAZY = {
    "EvidenceSearch": "retrieval.search",
    "Hit": "retrieval.hits",
    "InputError": "retrieval.errors",
    "Sentence": "retrieval.sentences",
    "TextEncoder": "retrieval.encoders",
    "build_index": "retrieval.build",
    "load_encoder": "retrieval.encoders",
    "open_index": "retrieval.search",
    "select_evidence": "retrieval.select",
    "split_sentences": "retrieval.sentences",
}

__all__ = [
    "EvidenceSearch",
    "Hit",
    "InputError",
    "Sentence",
    "TextEncoder",
    "build_index",
    "load_encoder",
    "open_index",
    "select_evidence",
    "split_sentences",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
