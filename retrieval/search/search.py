"""An opened index: queries in, evidence out."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.arguments import as_texts, checked_choice, checked_int, checked_share
from retrieval.encoders.base import TextEncoder
from retrieval.encoders.load import load_encoder
from retrieval.errors import InputError, first_line
from retrieval.indexes.base import EvidenceIndex, Passages
from retrieval.indexes.bm25 import BM25Index
from retrieval.indexes.faiss import FaissIndex
from retrieval.indexes.hybrid import HybridIndex
from retrieval.manifest import read_manifest, verify_files
from retrieval.search.hits import Candidate, Hit, distinct_texts, maximal_marginal_relevance
from retrieval.search.images import ImageSearch
from retrieval.search.rerank import Reranker, rerank_scores
from retrieval.store import EvidenceStore, about_document

__all__ = ["SEARCH_METHODS", "EvidenceSearch", "open_index"]

SEARCH_METHODS = ("hybrid", "dense", "bm25")
#: A rebuild would have to end this often while an index is being opened to make that fail.
_OPEN_ATTEMPTS = 5


class EvidenceSearch:
    """Search over a built index; opened with :func:`open_index`. Holds no file open for writing.

    Attributes:
        manifest: what the index folder says of itself.
        store: documents, sentences and photos.
        images: search by image.
    """

    def __init__(
        self,
        manifest: Mapping[str, Any],
        store: EvidenceStore,
        index: EvidenceIndex,
        encoder: TextEncoder | None,
        images: ImageSearch,
        vectors: np.ndarray,
        options: Mapping[str, Any],
    ) -> None:
        self.manifest, self.store, self.images = manifest, store, images
        self._index, self._encoder, self._vectors = index, encoder, vectors
        self._reranker: Reranker | None = options["reranker"]
        self._candidates, self._window = options["candidates"], options["window"]
        self._diversity, self._unique = options["diversity"], options["unique"]

    @property
    def fingerprint(self) -> str:
        """Changes with the index's content and with every option that decides what a search finds."""
        facts = [self.manifest["data"], type(self._index).__name__, self._candidates, self._window, self._diversity]
        facts += [self._unique, self.images.ready, getattr(self._reranker, "fingerprint", None)]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def search(
        self, queries: Iterable[str], *, top_k: int = 10, filters: Mapping[str, Any] | None = None
    ) -> list[list[Hit]]:
        """The sentences that bear most on each query.

        Args:
            queries: n texts, in a list or anything that :func:`list` reads (a Series, an Arrow array, a generator).
            top_k: most hits a query, at least 1.
            filters: see :meth:`retrieval.store.EvidenceStore.allowed_documents`; ``date_before`` keeps out what was
                published after a claim was made, the fact check itself above all.

        Returns:
            For each query its hits, best first.

        Raises:
            InputError: a query that is no string, a bad option or filter.
        """
        queries = as_texts(queries, "queries")
        top_k = checked_int("top_k", top_k, 1)
        documents = self.store.allowed_documents(filters)
        allowed = None if documents is None else self.store.sentences_of(documents)
        # What is asked for takes memory, found or not.
        most = max(1, self.store.sentence_count if allowed is None else len(allowed))
        top_k = min(top_k, most)
        vectors = self._encoder.encode(queries) if self._encoder is not None else None
        kept = top_k
        if self._reranker is not None or self._diversity is not None:
            kept = min(max(self._candidates, top_k), most)
        # A few copies of one sentence must not cost a second search.
        wide = min(max(kept, 2 * top_k + 10), most) if self._unique else kept
        scores, rows = self._index.search(Passages(queries, vectors), wide, allowed)
        found = []
        for i, (r, s) in enumerate(zip(rows, scores, strict=True)):
            if self._unique:
                query = Passages([queries[i]], None if vectors is None else vectors[i : i + 1])
                r, s = self._distinct(query, r, s, top_k, kept, most, allowed)
            found.append([self._candidate(int(row), float(score)) for row, score in zip(r, s, strict=True) if row >= 0])
        if self._reranker is not None:
            found = _rerank(self._reranker, queries, found)
        if self._diversity is not None:
            found = [self._diverse(candidates, top_k) for candidates in found]
        return [[candidate.hit for candidate in candidates[:top_k]] for candidates in found]

    def _distinct(
        self,
        query: Passages,
        rows: np.ndarray,
        scores: np.ndarray,
        top_k: int,
        most_kept: int,
        most: int,
        allowed: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """One query's rows and scores without repeated sentences, searched deeper until ``top_k`` are left, or all seen."""
        wide = len(rows)
        while True:
            rows, scores = rows[rows >= 0], scores[rows >= 0]
            # By the sentence, not the window around it: copies stand in different articles.
            kept = distinct_texts(self.store.sentence_text(int(row)) for row in rows)
            if len(kept) >= top_k or len(rows) < wide or wide >= most:
                # A wider search must not give a re-ranker more to read.
                return rows[kept[:most_kept]], scores[kept[:most_kept]]
            wide = min(2 * wide, most)
            scores, rows = (found[0] for found in self._index.search(query, wide, allowed))

    def _candidate(self, row: int, score: float) -> Candidate:
        number, start, end = self.store.sentence(row)
        document = self.store.document(number)
        if self._window:
            first, last = self.store.neighbours(row, self._window)
            start, end = self.store.sentence(first)[1], self.store.sentence(last)[2]
        text, about = document["text"][start:end], about_document(document)
        hit = Hit(document["id"], row - document["first_sentence"], start, end, text, score, about)
        return Candidate(row, hit)

    def _diverse(self, candidates: list[Candidate], top_k: int) -> list[Candidate]:
        vectors = self._vectors[[c.row for c in candidates]].astype(np.float32)
        scores = np.array([c.hit.score for c in candidates])
        order = maximal_marginal_relevance(scores, vectors, top_k, self._diversity)
        return [candidates[i] for i in order]


def _rerank(reranker: Reranker, queries: Sequence[str], found: list[list[Candidate]]) -> list[list[Candidate]]:
    """Candidates of each query in the order of the re-ranker."""
    pairs = [(query, c.hit.text) for query, candidates in zip(queries, found, strict=True) for c in candidates]
    scores = reranker.score([a for a, _ in pairs], [b for _, b in pairs])
    ranked, position = [], 0
    for candidates in found:
        part = rerank_scores(scores[position : position + len(candidates)], reranker.weight)
        position += len(candidates)
        scored = [c.with_score(float(s)) for c, s in zip(candidates, part, strict=True)]
        ranked.append(sorted(scored, key=lambda c: (-c.hit.score, c.row)))
    return ranked


def open_index(
    path: str | Path,
    *,
    encoder: str | TextEncoder | None = None,
    method: str = "hybrid",
    image_encoder: Any = None,
    reranker: "Reranker | str | os.PathLike[str] | None" = None,
    candidates: int = 50,
    window: int = 0,
    diversity: float | None = None,
    unique: bool = True,
    verify: bool = True,
    index: EvidenceIndex | None = None,
) -> EvidenceSearch:
    """Open a built index, memory-mapped and read-only: any number of processes share it.

    Args:
        path: folder of the index.
        encoder: the encoder it was built with; None loads it by the name that the index recorded.
        method: ``hybrid`` (FAISS and BM25 fused by rank), ``dense`` or ``bm25`` (needs no encoder).
        image_encoder: what the photos were embedded with, for :meth:`ImageSearch.search`.
        reranker: a :class:`retrieval.search.rerank.Reranker`, or a folder or id of a Hugging Face sequence classifier.
        candidates: how many hits are re-ranked or diversified.
        window: neighbouring sentences returned around a hit, on each side.
        diversity: weight in 0 … 1 of being unlike the hits before (maximal marginal relevance); None ranks by score.
        unique: return one of several equal sentences.
        verify: compare the checksums of all files; False compares sizes only (for workers that open one index often).
        index: an index to search instead of the folder's own, e.g. a Qdrant collection of the same sentences.

    Raises:
        InputError: no index there, a damaged one, one of another version or encoder, or an option out of range.
    """
    path = Path(path)
    checked_choice("method", method, SEARCH_METHODS)
    if diversity is not None:
        diversity = checked_share("diversity", diversity)
    window = checked_int("window", window, 0)
    candidates = checked_int("candidates", candidates, 1)
    for attempt in range(_OPEN_ATTEMPTS):
        manifest = read_manifest(path)
        folder = path / manifest["data"]
        try:
            verify_files(folder, manifest["files"], contents=verify)
            vectors = np.load(folder / "vectors.npy", mmap_mode="r")
            store = EvidenceStore(folder)
            _check_counts(manifest, store, vectors)
            if verify:
                store.check()
            opened = index if index is not None else _own_index(folder / "index", method, vectors, verify)
            text_encoder = None if method == "bm25" and encoder is None else _encoder(manifest, encoder, path)
            images = ImageSearch(folder, store, manifest, text_encoder, image_encoder)
            break
        except Exception as error:  # whatever damaged files make the libraries raise
            # A rebuild may have replaced manifest and data between our steps.
            if attempt + 1 < _OPEN_ATTEMPTS and read_manifest(path)["data"] != manifest["data"]:
                continue
            if isinstance(error, InputError):
                raise
            raise InputError(f"index {path} is damaged ({first_line(error)})", hint="build the index again") from error
    if index is not None and len(index) != store.sentence_count:
        raise InputError(
            f"the given index holds {len(index)} passages, {path} {store.sentence_count} sentences",
            hint="it must hold these sentences under their row numbers",
        )
    if reranker is not None and not isinstance(reranker, Reranker):
        from retrieval.search.rerank import CrossEncoderReranker

        reranker = CrossEncoderReranker(reranker)
    options = {
        "reranker": reranker,
        "candidates": candidates,
        "window": window,
        "diversity": diversity,
        "unique": unique,
    }
    return EvidenceSearch(manifest, store, opened, text_encoder, images, vectors, options)


def _check_counts(manifest: Mapping[str, Any], store: EvidenceStore, vectors: np.ndarray) -> None:
    """Refuse files that hold other numbers of rows than the manifest says, or vectors of another shape."""
    counts, held = manifest["counts"], (store.document_count, store.sentence_count, store.image_count)
    expected = tuple(counts[name] for name in ("documents", "sentences", "photos"))
    shape = (store.sentence_count, manifest["encoder"]["dimension"])
    if held != expected or vectors.shape != shape or vectors.dtype != np.float16:
        raise ValueError(
            f"its files hold {held} documents, sentences and images and vectors of shape {vectors.shape}, "
            f"expected {expected} and {shape}"
        )


def _own_index(folder: Path, method: str, vectors: np.ndarray, verify: bool) -> EvidenceIndex:
    if method == "dense":
        return _dense(folder, vectors)
    lexical = BM25Index.open(folder / "lexical")
    if verify:
        lexical.check(len(vectors))
    return lexical if method == "bm25" else HybridIndex(_dense(folder, vectors), lexical)


def _dense(folder: Path, vectors: np.ndarray) -> FaissIndex:
    dense = FaissIndex.open(folder / "dense")
    dense.attach_vectors(vectors)
    return dense


def _encoder(manifest: Mapping[str, Any], encoder: str | TextEncoder | None, path: Path) -> TextEncoder:
    built = manifest["encoder"]
    if encoder is None:
        if built["name"] is None:
            raise InputError(f"index {path} was built with an encoder object", hint="open it with encoder=that object")
        encoder = built["name"]
    if isinstance(encoder, str | os.PathLike):
        loaded = load_encoder(encoder, runtime=built.get("runtime") or "torch")
    else:
        loaded = encoder
    if loaded.fingerprint != built["fingerprint"]:
        raise InputError(
            f"index {path} was built with encoder {built['name'] or 'object'!r} ({built['fingerprint']}), "
            f"found one with fingerprint {loaded.fingerprint}",
            hint="open it with that encoder or build the index again",
        )
    return loaded
