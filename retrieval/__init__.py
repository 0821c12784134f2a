"""Evidence retrieval: sentence splitting, encoders, indexes and an evidence store. Usable on its own.

Importing this package is cheap: names are loaded when they are first used, so that nothing here pulls in torch or FAISS
before it is needed.
"""

from typing import TYPE_CHECKING

from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from retrieval.build.build import build_index
    from retrieval.encoders.base import TextEncoder
    from retrieval.encoders.load import load_encoder
    from retrieval.errors import InputError
    from retrieval.search.hits import Hit
    from retrieval.search.search import EvidenceSearch, open_index
    from retrieval.search.select import select_evidence
    from retrieval.text.sentences import Sentence, split_sentences

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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "EvidenceSearch": ".search.search",
        "Hit": ".search.hits",
        "InputError": ".errors",
        "Sentence": ".text.sentences",
        "TextEncoder": ".encoders.base",
        "build_index": ".build.build",
        "load_encoder": ".encoders.load",
        "open_index": ".search.search",
        "select_evidence": ".search.select",
        "split_sentences": ".text.sentences",
    },
)
