"""Indexes over passages: FAISS (vectors), BM25 (words), both together, and a Qdrant server."""

from importlib import import_module
from typing import Any

_LAZY = {
    "BM25Index": "retrieval.indexes.bm25_index",
    "EvidenceIndex": "retrieval.indexes.base",
    "FaissIndex": "retrieval.indexes.faiss_index",
    "HybridIndex": "retrieval.indexes.hybrid",
    "Passages": "retrieval.indexes.base",
    "QdrantIndex": "retrieval.indexes.qdrant_index",
}

__all__ = ["BM25Index", "EvidenceIndex", "FaissIndex", "HybridIndex", "Passages", "QdrantIndex"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
