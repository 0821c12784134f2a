"""Vectors in FAISS: the default index."""

import contextlib
import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.durable import replacing
from retrieval.errors import InputError, as_input_error
from retrieval.indexes.base import (
    EvidenceIndex,
    Passages,
    check_new_ids,
    check_search,
    checked_vectors,
    save_array,
    save_text,
)
from retrieval.indexes.faiss_kinds import (
    choose_factory,
    construct,
    faiss_module,
    innermost,
    keeps_vectors,
    nested_parameters,
    reason_of,
    takes_selector,
)

__all__ = ["FaissIndex"]

#: Candidates a result that are scored again with full vectors after a search in compressed ones.
RERANK = 20
#: Bytes of candidates' full vectors that are scored at once: what a core's second-level cache holds. More is slower by half.
RESCORED_BYTES = 2 << 20
#: Of so few vectors that a filter leaves, or a 32nd of all, every one is scored: a compressed search would miss most of them.
EXHAUSTIVE_BELOW = 4096
#: Bytes of their full vectors that are scored at once, and queries.
EXHAUSTIVE_BYTES, EXHAUSTIVE_QUERIES = 8 << 20, 1024
#: Bytes of results that are held at once where they are filtered after the search.
FILTERED_BYTES = 64 << 20

_READING = threading.Lock()  # FAISS has one limit for all threads
_REBUILD = "its file is damaged; build it again"


class FaissIndex(EvidenceIndex):
    """Inner-product search over vectors with any FAISS factory.

    Deleted vectors are masked, not removed, because compressed indexes cannot give them up; saving keeps the mask.

    Args:
        dimension: length of a vector.
        factory: FAISS factory string; None chooses by ``expected`` and ``preference``.
        preference: ``fast``, ``small`` or ``exact``.
        expected: vectors that will be added; only used for the choice.
        probe: clusters visited by an inverted file; None is a 32nd of them, at least 16.
        rerank: with ``vectors`` attached, candidates a result that are scored again.

    Raises:
        InputError: the factory string is not understood, or names a kind of index that cannot be used here.
    """

    def __init__(
        self,
        dimension: int,
        *,
        factory: str | None = None,
        preference: str = "fast",
        expected: int = 0,
        probe: int | None = None,
        rerank: int = RERANK,
    ) -> None:
        factory = factory or choose_factory(expected, dimension, preference)
        self._index = construct(factory, dimension)
        self.factory, self.rerank = factory, rerank
        self._ids: np.ndarray | None = None
        self._deleted = np.empty(0, np.int64)
        self._full: np.ndarray | None = None
        self._store: np.ndarray | None = None
        self._probe = probe
        self._read_only = False
        self._plain_parameters: Any = None

    @property
    def raw(self) -> Any:
        """The FAISS index itself."""
        return self._index

    @property
    def clusters(self) -> int:
        """Clusters of the inverted file (of a code book, where there is none): the fewest vectors that can train it."""
        faiss = faiss_module()

        try:
            return int(faiss.extract_index_ivf(self._index).nlist)
        except RuntimeError:
            code_book = re.search(r"PQ\d+(?:x(\d+))?", self.factory)
            return 2 ** int(code_book[1] or 8) if code_book else 1

    def attach_vectors(self, vectors: np.ndarray) -> None:
        """Give the full vectors, (n, D) of any float type, by position of addition.

        Candidates of a compressed search are scored again with them, and what a filter leaves, where it is little, outright.
        """
        if vectors.ndim != 2 or vectors.shape != (self._index.ntotal, self._index.d):
            raise InputError(
                f"vectors of shape {vectors.shape} do not belong to this index of "
                f"{self._index.ntotal} vectors of dimension {self._index.d}"
            )
        # A factory with its own refinement, or none needed, gains nothing.
        # As a plain array: a memory map's own class costs more a lookup than the lookup.
        self._full = np.asarray(vectors)
        refined = "PQ" in self.factory and "R" not in self.factory.split(",")[-1]
        self._store = self._full if refined else None

    def train(self, sample: np.ndarray) -> None:
        """Fit clusters and codes to a sample, float32 (n, D); exhaustive indexes need none."""
        if not self._index.is_trained:
            clusters = self.clusters
            if len(sample) < clusters:
                raise InputError(
                    f"FAISS factory {self.factory!r} has {clusters} clusters and needs at least as many vectors to train, "
                    f"got {len(sample)}",
                    hint="use 'Flat' or fewer clusters",
                )
            self._accept_small_sample()
            try:
                self._index.train(np.ascontiguousarray(sample, np.float32))
            except RuntimeError as error:
                raise InputError(
                    f"FAISS factory {self.factory!r} could not be trained on {len(sample)} vectors: {reason_of(error)}"
                ) from None

    def _accept_small_sample(self) -> None:
        """Keep FAISS from printing that it would like 39 vectors a cluster: how many there are was chosen."""
        faiss = faiss_module()

        with contextlib.suppress(RuntimeError):  # no inverted file
            faiss.extract_index_ivf(self._index).cp.min_points_per_centroid = 1

    def add(self, ids: np.ndarray, passages: Passages) -> None:
        """Add vectors; an index that needs training and has had none is trained on the first ones."""
        if self._read_only:
            raise InputError("this index is memory-mapped read-only", hint="open it with writable=True to add to it")
        vectors = checked_vectors(passages, self._index.d)
        count = int(self._index.ntotal)
        live = self._live_ids()
        ids = check_new_ids(ids, passages, live, count)
        if self._ids is None and not np.array_equal(ids, np.arange(count, count + len(ids))):
            self._ids = np.arange(count, dtype=np.int64)
        if len(vectors):
            self.train(vectors)
            self._index.add(vectors)
            self._plain_parameters = None
        if self._ids is not None:
            self._ids = np.concatenate([self._ids, ids])
        self._full = self._store = None

    def delete(self, ids: np.ndarray) -> int:
        """Mask vectors."""
        positions = self._positions(np.asarray(ids, np.int64))
        positions = np.setdiff1d(positions, self._deleted)
        self._deleted = np.union1d(self._deleted, positions)
        return len(positions)

    def search(self, queries: Passages, top_k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Nearest vectors by inner product."""
        top_k = check_search(queries, top_k, allowed)
        vectors = checked_vectors(queries, self._index.d)
        if not len(self) or not len(vectors):
            return np.full((len(vectors), top_k), -np.inf, np.float32), np.full((len(vectors), top_k), -1, np.int64)
        wide = top_k if self._store is None else top_k * self.rerank
        try:
            scores, rows = self._nearest(vectors, top_k, min(wide, self._index.ntotal), allowed)
        except RuntimeError as error:
            raise InputError(f"FAISS cannot search this index ({reason_of(error)})", hint=_REBUILD) from None
        if rows.max(initial=-1) >= self._index.ntotal:
            raise InputError(f"this index gives vector {rows.max()} of {self._index.ntotal}", hint=_REBUILD)
        if self._store is not None:
            scores, rows = _score_again(self._store, vectors, rows, top_k)
        scores[rows < 0] = -np.inf
        if rows.shape[1] < top_k:
            missing = ((0, 0), (0, top_k - rows.shape[1]))
            scores = np.pad(scores, missing, constant_values=-np.inf)
            rows = np.pad(rows, missing, constant_values=-1)
        if self._ids is not None:
            rows = np.where(rows >= 0, self._ids[rows], -1)
        return scores, rows

    def save(self, folder: Path) -> None:
        """Write ``vectors.faiss``, ``index.json`` and, where there are any, ids and the mask of deleted vectors."""
        faiss = faiss_module()

        folder.mkdir(parents=True, exist_ok=True)
        # The vectors may be mapped from this very file.
        with replacing(folder / "vectors.faiss", durable=False) as partial:
            faiss.write_index(self._index, str(partial))
        save_array(folder / "ids.npy", self._ids)
        save_array(folder / "deleted.npy", self._deleted if len(self._deleted) else None)
        about = {"factory": self.factory, "probe": self._probe, "rerank": self.rerank}
        save_text(folder / "index.json", json.dumps(about))

    @classmethod
    def open(cls, folder: Path, *, writable: bool = False) -> "FaissIndex":
        """Open a saved index, memory-mapped and read-only (shared by processes) unless ``writable``."""
        damage = (OSError, ValueError, RuntimeError, KeyError, TypeError, MemoryError)
        with as_input_error(f"{folder} holds no readable FAISS index", *damage, hint="build it again"):
            about = json.loads((folder / "index.json").read_text("utf-8"))
            raw = _read(folder / "vectors.faiss", writable)
            factory, probe, rerank = (about[key] for key in ("factory", "probe", "rerank"))
            if not isinstance(factory, str) or not _is_count(rerank) or not (probe is None or _is_count(probe)):
                raise ValueError("index.json is damaged")
        index = cls(raw.d, factory="Flat", probe=probe, rerank=rerank)
        index._index, index.factory, index._read_only = raw, factory, not writable
        if (folder / "ids.npy").is_file():
            index._ids = np.load(folder / "ids.npy")
        if (folder / "deleted.npy").is_file():
            index._deleted = np.load(folder / "deleted.npy")
        return index

    def __len__(self) -> int:
        return int(self._index.ntotal) - len(self._deleted)

    def _live_ids(self) -> np.ndarray | None:
        """Ids in use; None where they are all of 0 … ntotal - 1."""
        if self._ids is None and not len(self._deleted):
            return None
        ids = np.arange(self._index.ntotal) if self._ids is None else self._ids
        return np.delete(ids, self._deleted)

    def _positions(self, ids: np.ndarray) -> np.ndarray:
        if self._ids is None:
            return ids[(ids >= 0) & (ids < self._index.ntotal)]
        return np.flatnonzero(np.isin(self._ids, ids))

    def _nearest(
        self, vectors: np.ndarray, top_k: int, wide: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and positions of ``wide`` candidates for the ``top_k`` best, without the deleted and those not allowed."""
        faiss = faiss_module()

        if allowed is None and not len(self._deleted):
            settings = self.rerank, top_k
            made = self._plain_parameters  # another thread may put others in its place
            if made is None or made[0] != settings:
                effort = self._effort(top_k, self._index.ntotal)
                made = self._plain_parameters = settings, nested_parameters(self._index, None, effort, self.rerank)
            return self._index.search(vectors, wide, params=made[1])
        mask = np.full(self._index.ntotal, allowed is None)
        if allowed is not None:
            mask[self._positions(np.asarray(allowed, np.int64))] = True
        mask[self._deleted] = False
        matching = np.flatnonzero(mask)
        if len(matching) <= max(EXHAUSTIVE_BELOW, len(mask) // 32) and (full := self._full_vectors()) is not None:
            return _exhaustive(vectors, wide, matching, full)
        if not takes_selector(self._index):
            return self._filter_afterwards(vectors, wide, mask)
        keep = np.packbits(mask, bitorder="little")  # FAISS holds only a pointer to it
        effort = self._effort(top_k, len(matching))
        params = nested_parameters(self._index, faiss.IDSelectorBitmap(keep), effort, self.rerank)
        return self._index.search(vectors, wide, params=params)

    def _effort(self, top_k: int, matching: int) -> int | None:
        """Clusters (of an inverted file) or nodes (of a graph) to visit; None where every vector is compared.

        The fewer vectors a filter leaves, the more must be visited to meet as many of them as without it.
        """
        faiss = faiss_module()

        index = innermost(self._index)
        share = max(1, matching) / self._index.ntotal
        if isinstance(index, faiss.IndexIVF):
            usual = self._probe or max(16, index.nlist // 32)
            wanted = 2 * top_k / self._index.ntotal * index.nlist  # so that twice as many are met
            return min(index.nlist, math.ceil(max(usual, wanted) / share))
        if isinstance(index, faiss.IndexHNSW):
            return min(self._index.ntotal, math.ceil(max(64, self._probe or 0, top_k) / share))
        return None

    def _full_vectors(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """What gives the vectors, float32 (n, D), at n positions; None where there is none, or every vector is compared as it is."""
        faiss = faiss_module()

        if isinstance(innermost(self._index), faiss.IndexFlat):
            return None
        if (stored := self._full) is not None:
            return lambda positions: stored.take(positions, axis=0, mode="clip").astype(np.float32)
        kept = keeps_vectors(self._index)
        return None if kept is None else kept.reconstruct_batch

    def _filter_afterwards(self, vectors: np.ndarray, wide: int, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for an index that cannot filter: deeper searches, until enough is left or everything was seen."""
        scores, rows = np.full((len(vectors), wide), -np.inf, np.float32), np.full((len(vectors), wide), -1, np.int64)
        total, matching = len(mask), int(np.count_nonzero(mask))
        waiting = np.arange(len(vectors) if matching else 0)
        # Twice as deep as it takes where what matches is spread evenly.
        depth = min(total, 2 * wide * total // max(1, matching))
        while len(waiting):
            # Refinement searches this many times as deep again.
            effort = self._effort(depth, matching)
            params = nested_parameters(self._index, None, effort, max(1, min(self.rerank, total // depth)))
            short = []
            block = max(1, FILTERED_BYTES // (12 * depth))
            for start in range(0, len(waiting), block):
                part = waiting[start : start + block]
                found_scores, found = self._index.search(vectors[part], depth, params=params)
                good = (found >= 0) & mask[found]
                found_scores[~good], found[~good] = -np.inf, -1
                order = np.argsort(~good, axis=1, kind="stable")[:, :wide]
                scores[part] = np.take_along_axis(found_scores, order, 1)
                rows[part] = np.take_along_axis(found, order, 1)
                short.append(part[good.sum(1) < min(wide, matching)])
            if depth == total:
                break
            waiting, depth = np.concatenate(short), min(total, 4 * depth)
        return scores, rows


def _read(path: Path, writable: bool) -> Any:
    """A saved FAISS index; one that is not ``writable`` lies in its file and is read as it is needed.

    FAISS can map the file itself, but reads on behind the end of one that was cut off within a number, and ends the process.
    """
    faiss = faiss_module()

    held = np.memmap(path, np.uint8, "r")
    try:
        with _parts_of_at_most(held.size):
            if writable:
                return faiss.read_index(str(path))
            raw = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(held), held.size), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ValueError(reason_of(error)) from None
    raw.referenced_objects = [held]  # where FAISS's own classes keep what they only point to
    return raw


@contextlib.contextmanager
def _parts_of_at_most(size: int) -> Iterator[None]:
    """While an index is read: no part is longer than its file, so that a damaged length does not take all memory."""
    faiss = faiss_module()

    if not hasattr(faiss, "set_deserialization_vector_byte_limit"):  # FAISS before 1.14
        yield
        return
    with _READING:
        usual = faiss.get_deserialization_vector_byte_limit()
        faiss.set_deserialization_vector_byte_limit(size)
        try:
            yield
        finally:
            faiss.set_deserialization_vector_byte_limit(usual)


def _score_again(store: np.ndarray, vectors: np.ndarray, rows: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact scores of the candidates (n, wide) from the stored vectors; the ``top_k`` best of each."""
    top_scores = np.full((len(rows), top_k), -np.inf, np.float32)
    top = np.full((len(rows), top_k), -1, np.int64)
    # Ascending positions read the memory-mapped file forwards, and put ties to the lower one; -1 comes first.
    rows = np.sort(rows, axis=1)
    block = max(1, RESCORED_BYTES // (4 * vectors.shape[1] * rows.shape[1]))
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        # take() with a mode it need not check for errors is several times faster than indexing; -1 is masked below.
        full = store.take(part, axis=0, mode="clip").astype(np.float32)  # (n, wide, D)
        exact = np.matmul(full, vectors[start : start + block, :, None])[..., 0]  # (n, wide)
        exact[part < 0] = -np.inf
        order = np.argsort(-exact, axis=1, kind="stable")[:, :top_k]
        width = order.shape[1]
        top_scores[start : start + block, :width] = np.take_along_axis(exact, order, 1)
        top[start : start + block, :width] = np.take_along_axis(part, order, 1)
    return top_scores, top


def _exhaustive(
    vectors: np.ndarray, wide: int, positions: np.ndarray, full: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and positions of the ``wide`` best of a few vectors, each of which is scored."""
    step = max(1, EXHAUSTIVE_BYTES // (4 * vectors.shape[1]))
    found = []
    for first in range(0, len(vectors), EXHAUSTIVE_QUERIES):
        queries = vectors[first : first + EXHAUSTIVE_QUERIES]
        scores = np.full((len(queries), wide), -np.inf, np.float32)
        rows = np.full((len(queries), wide), -1, np.int64)
        for start in range(0, len(positions), step):
            part = positions[start : start + step]
            scores = np.concatenate([scores, queries @ full(part).T], axis=1)
            rows = np.concatenate([rows, np.broadcast_to(part, (len(queries), len(part)))], axis=1)
            # In the order of positions, so that ties go to the lower one.
            best = np.sort(np.argpartition(-scores, wide - 1, axis=1)[:, :wide], axis=1)
            scores, rows = np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)
        order = np.argsort(-scores, axis=1, kind="stable")
        found.append((np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)))
    return np.concatenate([scores for scores, _ in found]), np.concatenate([rows for _, rows in found])


def _is_count(value: Any) -> bool:
    """Whether a number that was read from a file can be one of candidates or clusters."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1 << 20
