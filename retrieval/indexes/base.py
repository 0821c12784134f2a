"""The contract of every index."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.arguments import checked_int
from retrieval.durable import replacing
from retrieval.errors import InputError

__all__ = ["EvidenceIndex", "Passages", "top_rows"]


@dataclass(frozen=True)
class Passages:
    """n passages, or n queries, as words and as vectors; an index reads what it needs and ignores the other.

    Attributes:
        texts: n texts, or None.
        vectors: float32 (n, D), rows of length 1, or None.
    """

    texts: Sequence[str] | None = None
    vectors: np.ndarray | None = None

    def __len__(self) -> int:
        held = self.vectors if self.texts is None else self.texts
        return 0 if held is None else len(held)

    def __bool__(self) -> bool:
        return self.texts is not None or self.vectors is not None


class EvidenceIndex(ABC):
    """Finds the passages nearest to a query. Passages are known by an int64 id that the caller chooses."""

    @abstractmethod
    def add(self, ids: np.ndarray, passages: Passages) -> None:
        """Add n passages under n new ids.

        Raises:
            InputError: an id is already in the index, or the passages lack what this index reads.
        """

    @abstractmethod
    def delete(self, ids: np.ndarray) -> int:
        """Remove passages; ids that are not in the index are passed over. Returns how many were removed."""

    @abstractmethod
    def search(self, queries: Passages, top_k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The best passages of each query.

        Args:
            queries: n queries.
            top_k: results a query, at least 1.
            allowed: int64 ids to search among; None is all.

        Returns:
            scores float32 (n, top_k), higher is better, and ids int64 (n, top_k); where fewer match, -inf and -1.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the index into a folder, which is created; over the index it was opened from, too.

        Every file is replaced at one stroke, so that whoever has the old one open or mapped keeps it.
        """

    @classmethod
    @abstractmethod
    def open(cls, folder: Path) -> "EvidenceIndex":
        """Open what :meth:`save` wrote, memory-mapped where the implementation can.

        Raises:
            InputError: the folder holds no such index, or a damaged one.
        """

    @abstractmethod
    def __len__(self) -> int:
        """Passages in the index."""


def top_rows(scores: np.ndarray, top_k: int) -> np.ndarray:
    """Positions of the ``top_k`` best of (n,) scores above -inf, best first, ties to the lower position."""
    count = min(top_k, len(scores))
    if count < len(scores):
        cut = np.partition(scores, len(scores) - count)[len(scores) - count]
        rows = np.flatnonzero(scores >= cut)
    else:
        rows = np.arange(len(scores))
    rows = rows[np.lexsort((rows, -scores[rows]))][:top_k]
    return rows[scores[rows] > -np.inf]


def check_new_ids(ids: np.ndarray, passages: Passages, known: np.ndarray | None, count: int) -> np.ndarray:
    """The ids as int64 (n,), checked against the passages and the ids already there (None: 0 … count - 1)."""
    _check_lengths(passages)
    ids = np.ascontiguousarray(ids, np.int64)
    if ids.ndim != 1 or len(ids) != len(passages):
        raise InputError(f"expected one id a passage, got ids of shape {ids.shape} for {len(passages)} passages")
    if len(np.unique(ids)) != len(ids):
        raise InputError("ids repeat within one call of add", hint="give every passage its own")
    taken = ids[(ids >= 0) & (ids < count)] if known is None else ids[np.isin(ids, known)]
    if len(taken):
        raise InputError(f"id {taken[0]} is already in the index", hint="delete it first or choose another")
    return ids


def check_search(queries: Passages, top_k: int, allowed: np.ndarray | None = None) -> int:
    """Reject a search that no index could answer; returns ``top_k`` as an int."""
    if allowed is not None and np.asarray(allowed).size and np.asarray(allowed).dtype.kind not in "iu":
        raise InputError(
            f"allowed holds the ids to search among, found {np.asarray(allowed).dtype}",
            hint="give np.flatnonzero(mask)",
        )
    top_k = checked_int("top_k", top_k, 1)
    if not queries:
        raise InputError("search needs queries as texts, vectors or both")
    _check_lengths(queries)
    return top_k


def checked_vectors(passages: Passages, dimension: int) -> np.ndarray:
    """The vectors of passages or queries as contiguous float32 (n, D); refused where there are none, or of another width."""
    if passages.vectors is None:
        raise InputError("this index needs vectors", hint="encode the texts first")
    vectors = np.ascontiguousarray(passages.vectors, np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise InputError(f"vectors have shape {vectors.shape}, expected (n, {dimension})")
    return vectors


def _check_lengths(passages: Passages) -> None:
    texts, vectors = passages.texts, passages.vectors
    if texts is not None and vectors is not None and len(texts) != len(vectors):
        raise InputError(f"expected one vector a text, got {len(vectors)} vectors for {len(texts)} texts")


def save_array(path: Path, array: np.ndarray | None) -> None:
    """Replace an ``.npy`` file; None removes it."""
    if array is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path, durable=False) as partial:
        np.save(partial, array)


def save_text(path: Path, text: str) -> None:
    """Replace a UTF-8 file."""
    with replacing(path, durable=False) as partial:
        partial.write_text(text, "utf-8")
