"""Evidence retrieval: sentence splitting, encoders, indexes and an evidence store. Usable on its own.

Importing this package is cheap: names are loaded when they are first used, so that nothing here pulls in torch or FAISS
before it is needed.
"""

from retrieval.lazy import lazy_names

_HOMES = {
    "EvidenceSearch": "search",
    "Hit": "hits",
    "InputError": "errors",
    "Sentence": "sentences",
    "TextEncoder": "encoders",
    "build_index": "build",
    "load_encoder": "encoders",
    "open_index": "search",
    "select_evidence": "select",
    "split_sentences": "sentences",
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

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
