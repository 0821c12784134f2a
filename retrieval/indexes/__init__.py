"""Indexes over passages: FAISS (vectors), BM25 (words), both together, and a Qdrant server."""

from typing import TYPE_CHECKING

from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from retrieval.indexes.base import EvidenceIndex, Passages
    from retrieval.indexes.bm25 import BM25Index
    from retrieval.indexes.faiss import FaissIndex
    from retrieval.indexes.hybrid import HybridIndex
    from retrieval.indexes.qdrant import QdrantIndex

__all__ = [
    "BM25Index",
    "EvidenceIndex",
    "FaissIndex",
    "HybridIndex",
    "Passages",
    "QdrantIndex",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BM25Index": ".bm25",
        "EvidenceIndex": ".base",
        "FaissIndex": ".faiss",
        "HybridIndex": ".hybrid",
        "Passages": ".base",
        "QdrantIndex": ".qdrant",
    },
)
