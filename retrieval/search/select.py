"""Evidence inside a document: which of its sentences bear on the claim.

In a short document a sentence is judged by itself: cosine and BM25. A long one (a web page) says more: which words are rare,
where the text speaks of the claim at all, and that what matters comes before comments and links. There a weighted sum of six
figures is added, see :func:`long_features`, and in between it is added in part. The weights were learned by
``benchmarks/selection_weights.py`` on the training split of WiCE (claims against web pages of about 120 sentences).
"""

from collections.abc import Iterable, Sequence

import numpy as np

from retrieval.arguments import as_list, as_texts, checked_choice, checked_int, checked_share
from retrieval.encoders.base import TextEncoder
from retrieval.errors import InputError
from retrieval.search.hits import Hit
from retrieval.text.sentences import Sentence
from retrieval.text.words import bm25_scores, with_letters, words

__all__ = [
    "FEATURES",
    "METHODS",
    "SELECTION_VERSION",
    "WEIGHTS",
    "base_scores",
    "best",
    "hybrid_scores",
    "long_features",
    "select_evidence",
    "window_cosines",
]

#: Goes up whenever the same texts, encoder and options may select other sentences than before. Whoever keeps selections
#: on disk puts it into the key, so that none made by an earlier rule is used again.
SELECTION_VERSION = 5
#: What can rank the sentences: both kinds together, vectors only, words only.
METHODS = ("hybrid", "dense", "bm25")
#: How much lower the bound of ``min_share`` lies in long documents (of 30 sentences), where what stands around evidence counts.
LONG_ALLOWANCE = 0.2
#: Sentences up to which a document is short, and from which it is long.
SHORT, LONG = 10, 30
#: Share of BM25 in a sentence's own score, and of each neighbour's score that is added to it, in short and long documents.
#: BM25 learns from the document which words are rare, which takes a long one; and in a long text evidence stands together.
BM25_WEIGHT, NEIGHBOUR_WEIGHT = (0.25, 0.6), (0.0, 0.2)
#: What more a sentence in a long document is judged by: its cosine with the claim; the cosine of it and its two neighbours
#: together; which share of the claim's words it holds, rare ones counting more; which share of the claim's numbers; the mean
#: share of words of the four sentences around it; and where it stands, 0 (first) … 1 (last).
FEATURES = ("cosine", "window", "words", "numbers", "around", "position")
#: Their weights beside the base score's, which is 1.
WEIGHTS = (0.15, 0.16, 0.23, 0.22, 1.30, -0.23)


def select_evidence(
    claims: Sequence[str],
    documents: Sequence[Sequence[Sentence]],
    document_ids: Sequence[str],
    encoder: TextEncoder | None,
    *,
    top_k: int = 5,
    method: str = "hybrid",
    min_share: float = 0.0,
) -> list[list[Hit]]:
    """The sentences of each claim's own document that bear on it most.

    All sentences of the batch are encoded at once; a row's result does not depend on the other rows.

    Args:
        claims: n claims.
        documents: the sentences of each claim's document; those without text are passed over, and so are exact
            repetitions of an earlier one (a banner, a caption): they are no further evidence, and must not count in the
            statistics of words either.
        document_ids: n ids, returned in the hits.
        encoder: encodes claims and sentences; may be None with ``bm25``.
        top_k: most sentences returned for a claim, at least 1. A shorter document comes back whole.
        method: one of :data:`METHODS`.
        min_share: sentences that score less than this share of the best one's score are left out, in [0, 1]; 0 leaves out
            none. Long documents are allowed a fifth less. What is less like the claim by far (captions of other photos, other
            articles' teasers) speaks of something else.

    Returns:
        For each claim its hits, best first; none for an empty document. In a document of at most 10 sentences their order
        makes no difference; in longer ones neighbours count, see :func:`hybrid_scores`.

    Raises:
        InputError: lengths differ, a claim is no string or a document no list of sentences, or an option is out of range.
    """
    claims, document_ids = as_texts(claims, "claims"), as_list(document_ids, "document_ids")
    documents = [_sentences(document, f"documents[{i}]") for i, document in enumerate(as_list(documents, "documents"))]
    if not len(claims) == len(documents) == len(document_ids):
        raise InputError(
            f"select_evidence needs as many documents and ids as claims, "
            f"got {len(claims)} claims, {len(documents)} documents, {len(document_ids)} ids"
        )
    checked_choice("method", method, METHODS)
    top_k = checked_int("top_k", top_k, 1)
    min_share = checked_share("min_share", min_share)
    if encoder is None and method != "bm25":
        raise InputError(
            f"`method` {method!r} needs an encoder",
            field="encoder",
            hint="load one with `load_encoder` or use `method` 'bm25'",
        )
    kept = [_distinct(document) for document in documents]
    dense: list[tuple[np.ndarray, np.ndarray]] = []
    if method != "bm25" and encoder is not None:
        dense = _cosines(claims, documents, kept, encoder)
    results: list[list[Hit]] = []
    for row, (claim, document) in enumerate(zip(claims, documents, strict=True)):
        texts = [document[i].text for i in kept[row]]
        if not texts:
            results.append([])
            continue
        if method == "dense":
            scores = dense[row][0]
        else:
            wanted = words(claim)
            held = with_letters(wanted, [words(text) for text in texts])
            scores = bm25_scores(wanted, held) if method == "bm25" else hybrid_scores(wanted, held, *dense[row])
        results.append(
            [
                Hit(document_ids[row], i, document[i].start, document[i].end, document[i].text, float(score))
                for i, score in ((kept[row][j], scores[j]) for j in _near(scores, best(scores, top_k), min_share))
            ]
        )
    return results


def _sentences(document: Iterable[Sentence], name: str) -> list[Sentence]:
    """A document's sentences as a list; InputError where it holds anything else."""
    found = "a string" if isinstance(document, str) else type(document).__name__
    if isinstance(document, Iterable) and not isinstance(document, str):
        sentences = list(document)
        wrong = [sentence for sentence in sentences if not hasattr(sentence, "text")]
        if not wrong:
            return sentences
        found = f"a list that holds {type(wrong[0]).__name__}"
    raise InputError(
        f"{name} is {found}, expected a list of Sentence", hint="give split_sentences(text) of each document"
    )


def best(scores: np.ndarray, top_k: int) -> list[int]:
    """Positions of the ``top_k`` highest scores; ties, to 1e-5, go to the earlier one so that rounding cannot reorder."""
    return [int(i) for i in np.lexsort((np.arange(len(scores)), -np.round(scores, 5)))[:top_k]]


def _near(scores: np.ndarray, order: list[int], min_share: float) -> list[int]:
    """Those of a ranking (n positions, best first) that score at least a share of the best."""
    # By degrees, as the scores themselves change with the length: one sentence more must not let all the others in.
    least = min_share * (1 - LONG_ALLOWANCE * length_share(len(scores))) * scores[order[0]]
    # Where nothing is like the claim (a score of 0 or less) shares mean nothing.
    return order if least <= 0 else [i for i in order if scores[i] >= least]


def _distinct(document: Sequence[Sentence]) -> list[int]:
    """Positions of the sentences that have text which no earlier one has."""
    first: dict[str, int] = {}
    for i, sentence in enumerate(document):
        if text := sentence.text.strip():
            first.setdefault(text, i)
    return list(first.values())


def _cosines(
    claims: Sequence[str], documents: Sequence[Sequence[Sentence]], kept: list[list[int]], encoder: TextEncoder
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each row the cosines of its sentences with the claim, alone and with their neighbours; (n,) each."""
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
        scores = windows = np.zeros(len(rows), np.float32)
        if rows:
            sentences, wanted = vectors[[numbers[document[i].text] for i in rows]], vectors[numbers[claim]]
            index = faiss.IndexFlatIP(vectors.shape[1])
            index.add(sentences)
            found, order = index.search(wanted[None], len(rows))
            scores = np.empty(len(rows), np.float32)
            scores[order[0]] = found[0]
            windows = window_cosines(sentences, wanted)
        results.append((scores, windows))
    return results


def hybrid_scores(
    claim: Sequence[str], sentences: Sequence[Sequence[str]], cosines: np.ndarray, windows: np.ndarray
) -> np.ndarray:
    """Scores of a document's sentences, (n,), higher bears more on the claim; comparable within one document.

    Args:
        claim: its words, see :func:`retrieval.text.words.words`.
        sentences: the words of n sentences, in order.
        cosines: (n,) of each sentence with the claim.
        windows: (n,) of each sentence and its neighbours with the claim, see :func:`window_cosines`.
    """
    scores = base_scores(cosines, bm25_scores(claim, sentences))
    share = length_share(len(sentences))
    if share > 0:
        scores = scores + share * (long_features(claim, sentences, cosines, windows) @ np.array(WEIGHTS))
    return scores


def base_scores(cosines: np.ndarray, lexical: np.ndarray) -> np.ndarray:
    """Cosine and BM25 (as a share of the document's best) together, plus a little of the neighbours' scores; (n,) each."""
    share = length_share(len(cosines))
    weight, neighbour = (low + (high - low) * share for low, high in (BM25_WEIGHT, NEIGHBOUR_WEIGHT))
    top = lexical.max(initial=0.0)
    own = (1 - weight) * cosines + weight * (lexical / top if top > 0 else lexical)
    padded = np.pad(own, 1)
    return own + neighbour * (padded[:-2] + padded[2:])


def long_features(
    claim: Sequence[str], sentences: Sequence[Sequence[str]], cosines: np.ndarray, windows: np.ndarray
) -> np.ndarray:
    """The figures named in :data:`FEATURES`, (n, 6); arguments as for :func:`hybrid_scores`."""
    count = len(sentences)
    wanted = list(dict.fromkeys(claim))
    bags = [frozenset(words) for words in sentences]
    held = np.array([[word in bag for word in wanted] for bag in bags], np.float64).reshape(count, len(wanted))
    frequency = held.sum(0)
    # Words that no sentence holds count in the whole, so that a claim the page hardly speaks of has low shares.
    rarity = np.log1p((count - frequency + 0.5) / (frequency + 0.5))
    covered = held @ rarity / max(rarity.sum(), 1e-9)
    is_number = np.array([word[0].isdigit() for word in wanted], bool)
    numbers = held[:, is_number].mean(1) if is_number.any() else np.zeros(count)
    padded = np.pad(covered, 2)
    around = (padded[:-4] + padded[1:-3] + padded[3:-1] + padded[4:]) / 4
    position = np.arange(count) / max(1, count - 1)
    return np.stack([cosines, windows, covered, numbers, around, position], 1)


def window_cosines(sentences: np.ndarray, claim: np.ndarray) -> np.ndarray:
    """Cosine (n,) of the claim (D,) with the sum of each sentence's vector and its neighbours' (n, D), all of length 1."""
    padded = np.pad(sentences, ((1, 1), (0, 0)))
    windows = padded[:-2] + padded[1:-1] + padded[2:]
    return windows @ claim / np.maximum(np.linalg.norm(windows, axis=1), 1e-9)


def length_share(count: int) -> float:
    """0 for a short document, 1 for a long one."""
    return min(1.0, max(0.0, (count - SHORT) / (LONG - SHORT)))
