"""How much each sentence of a document bears on a claim: similarity of meaning and of words put into one score.

In a short document a sentence is judged by itself: cosine and BM25. A long one (a web page) says more: which words are rare,
where the text speaks of the claim at all, and that what matters comes before comments and links. There a weighted sum of six
figures is added, see :func:`long_features`, and in between it is added in part. The weights were learned by
``benchmarks/selection_weights.py`` on the training split of WiCE (claims against web pages of about 120 sentences).
"""

from collections.abc import Sequence

import numpy as np

from retrieval.text.words import bm25_scores

__all__ = ["FEATURES", "WEIGHTS", "base_scores", "hybrid_scores", "long_features", "window_cosines"]

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
