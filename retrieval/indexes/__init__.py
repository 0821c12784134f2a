"""Indexes over passages: FAISS (vectors), BM25 (words), both together, and a Qdrant server."""

from retrieval.lazy import lazy_names

_HOMES = {
    "BM25Index": "bm25_index",
    "EvidenceIndex": "base",
    "FaissIndex": "faiss_index",
    "HybridIndex": "hybrid",
    "Passages": "base",
    "QdrantIndex": "qdrant_index",
}

__all__ = ["BM25Index", "EvidenceIndex", "FaissIndex", "HybridIndex", "Passages", "QdrantIndex"]

__getattr__ = lazy_names(__name__, _HOMES)
