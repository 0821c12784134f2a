"""Evidence inside a document: which of its sentences bear on the claim."""

from collections.abc import Sequence

import numpy as np

from retrieval.encoders import TextEncoder
from retrieval.errors import InputError
from retrieval.hits import Hit
from retrieval.lexical import bm25_scores, words
from retrieval.sentences import Sentence

__all__ = ["METHODS", "SELECTION_VERSION", "select_evidence"]

#: Goes up whenever the same texts, encoder and options may select other sentences than before. Whoever keeps selections
#: on disk puts it into the key, so that none made by an earlier rule is used again.
SELECTION_VERSION = 2
#: What can rank the sentences: both kinds together, vectors only, words only.
METHODS = ("hybrid", "dense", "bm25")
#: Share of BM25 in the hybrid score, and of each neighbouring sentence's score added to a sentence's own, in documents of
#: at most 10 sentences and of at least 30. BM25 learns from the document which words are rare, which takes a long one; and
#: in a long text evidence stands together. Chosen on training splits.
SHORT, LONG = 10, 30
BM25_WEIGHT, NEIGHBOUR_WEIGHT = (0.25, 0.6), (0.0, 0.2)


def select_evidence(
    claims: Sequence[str],
    documents: Sequence[Sequence[Sentence]],
    document_ids: Sequence[str],
    encoder: TextEncoder | None,
    *,
    top_k: int = 5,
    method: str = "hybrid",
) -> list[list[Hit]]:
    """The sentences of each claim's own document that bear on it most.

    All sentences of the batch are encoded at once; a row's result does not depend on the other rows.

    Args:
        claims: n claims.
        documents: the sentences of each claim's document; those without text are passed over.
        document_ids: n ids, returned in the hits.
        encoder: encodes claims and sentences; may be None with ``bm25``.
        top_k: most sentences returned for a claim, at least 1. A shorter document comes back whole.
        method: one of :data:`METHODS`.

    Returns:
        For each claim its hits, best first; none for an empty document.

    Raises:
        InputError: lengths differ, or an option is out of range.
    """
    if not len(claims) == len(documents) == len(document_ids):
        raise InputError(
            f"select_evidence needs as many documents and ids as claims, "
            f"got {len(claims)} claims, {len(documents)} documents, {len(document_ids)} ids"
        )
    if method not in METHODS:
        raise InputError(f"unknown retrieval method {method!r}; choose one of {', '.join(METHODS)}")
    if top_k < 1:
        raise InputError(f"top_k is {top_k}, expected at least 1")
    if encoder is None and method != "bm25":
        raise InputError(f"method {method!r} needs an encoder; load one with load_encoder() or use method 'bm25'")
    kept = [[i for i, sentence in enumerate(document) if sentence.text.strip()] for document in documents]
    dense = _cosines(claims, documents, kept, encoder) if method != "bm25" and encoder else None
    results = []
    for row, (claim, document) in enumerate(zip(claims, documents, strict=True)):
        texts = [document[i].text for i in kept[row]]
        if not texts:
            results.append([])
            continue
        if method == "dense":
            scores = dense[row]
        else:
            lexical = bm25_scores(words(claim), [words(text) for text in texts])
            scores = lexical if method == "bm25" else fuse(dense[row], lexical)
        results.append(
            [
                Hit(document_ids[row], i, document[i].start, document[i].end, document[i].text, float(score))
                for i, score in ((kept[row][j], scores[j]) for j in best(scores, top_k))
            ]
        )
    return results


def fuse(dense: np.ndarray, lexical: np.ndarray) -> np.ndarray:
    """Cosine and BM25 (as a share of the document's best) together, plus a little of the neighbours' scores; (n,) each."""
    share = min(1.0, max(0.0, (len(dense) - SHORT) / (LONG - SHORT)))
    weight, neighbour = (low + (high - low) * share for low, high in (BM25_WEIGHT, NEIGHBOUR_WEIGHT))
    top = lexical.max(initial=0.0)
    own = (1 - weight) * dense + weight * (lexical / top if top > 0 else lexical)
    padded = np.pad(own, 1)
    return own + neighbour * (padded[:-2] + padded[2:])


def best(scores: np.ndarray, top_k: int) -> list[int]:
    """Positions of the ``top_k`` highest scores; ties, to 1e-5, go to the earlier one so that rounding cannot reorder."""
    return [int(i) for i in np.lexsort((np.arange(len(scores)), -np.round(scores, 5)))[:top_k]]


def _cosines(
    claims: Sequence[str], documents: Sequence[Sequence[Sentence]], kept: list[list[int]], encoder: TextEncoder
) -> list[np.ndarray]:
    import faiss

    # A text that occurs twice in the batch (a document behind several claims) is encoded once.
    numbers: dict[str, int] = {}
    for claim, document, rows in zip(claims, documents, kept, strict=True):
        if rows:
            numbers.setdefault(claim, len(numbers))
            for i in rows:
                numbers.setdefault(document[i].text, len(numbers))
    vectors = encoder.encode(list(numbers))
    results = []
    for claim, document, rows in zip(claims, documents, kept, strict=True):
        scores = np.zeros(len(rows), np.float32)
        if rows:
            index = faiss.IndexFlatIP(vectors.shape[1])
            index.add(vectors[[numbers[document[i].text] for i in rows]])
            found, order = index.search(vectors[[numbers[claim]]], len(rows))
            scores[order[0]] = found[0]
        results.append(scores)
    return results
