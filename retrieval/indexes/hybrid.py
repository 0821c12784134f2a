"""Two rankings in one, by reciprocal rank fusion."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.errors import InputError
from retrieval.indexes.base import EvidenceIndex, Passages, check_search
from retrieval.indexes.bm25 import BM25Index
from retrieval.indexes.faiss import FaissIndex

__all__ = ["HybridIndex", "reciprocal_rank_fusion"]

#: Rank that halves a result's weight, from Cormack et al. 2009.
RRF_K = 60
#: Results taken from each ranking, at least.
DEPTH = 100


def reciprocal_rank_fusion(
    rankings: Sequence[np.ndarray], top_k: int, weights: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse rankings of the same n queries (Cormack et al. 2009): the score of an id is Σ weight / (60 + rank).

    Args:
        rankings: int64 (n, m) ids each, best first, -1 where there is none; m may differ.
        top_k: results a query.
        weights: one a ranking; None is 1 each.

    Returns:
        scores float32 (n, top_k) and ids int64 (n, top_k); where fewer match, -inf and -1.
    """
    n = len(rankings[0])
    scores, ids = np.full((n, top_k), -np.inf, np.float32), np.full((n, top_k), -1, np.int64)
    weights = weights or [1.0] * len(rankings)
    for i in range(n):
        flat = np.concatenate([ranking[i] for ranking in rankings])
        gain = np.concatenate([w / (RRF_K + 1 + np.arange(r.shape[1])) for w, r in zip(weights, rankings, strict=True)])
        found, inverse = np.unique(flat[flat >= 0], return_inverse=True)
        total = np.bincount(inverse, gain[flat >= 0], len(found))
        order = np.lexsort((found, -total))[:top_k]
        scores[i, : len(order)], ids[i, : len(order)] = total[order], found[order]
    return scores, ids


class HybridIndex(EvidenceIndex):
    """A vector index and a word index over the same passages, fused by rank."""

    def __init__(self, dense: EvidenceIndex, lexical: EvidenceIndex) -> None:
        self.dense, self.lexical = dense, lexical

    def add(self, ids: np.ndarray, passages: Passages) -> None:
        """Add to both; nothing is added if either refuses."""
        if passages.texts is None:
            raise InputError("a hybrid index needs texts as well as vectors")
        self.dense.add(ids, passages)
        try:
            self.lexical.add(ids, passages)
        except BaseException:
            # The dense index took these ids as new, so none of them was there before.
            self.dense.delete(ids)
            raise

    def delete(self, ids: np.ndarray) -> int:
        """Remove from both."""
        self.lexical.delete(ids)
        return self.dense.delete(ids)

    def search(self, queries: Passages, top_k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Search both, each to a depth of at least 100, and fuse."""
        top_k = check_search(queries, top_k, allowed)
        depth = max(top_k, DEPTH)
        rankings = [index.search(queries, depth, allowed)[1] for index in (self.dense, self.lexical)]
        return reciprocal_rank_fusion(rankings, top_k)

    def save(self, folder: Path) -> None:
        """Write both, into ``dense`` and ``lexical``."""
        self.dense.save(folder / "dense")
        self.lexical.save(folder / "lexical")

    @classmethod
    def open(cls, folder: Path, *, writable: bool = False) -> "HybridIndex":
        """Open a saved pair of FAISS and BM25, memory-mapped; only a ``writable`` one can be added to."""
        return cls(FaissIndex.open(folder / "dense", writable=writable), BM25Index.open(folder / "lexical"))

    def __len__(self) -> int:
        return len(self.dense)
