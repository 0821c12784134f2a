"""Learn the weights by which sentences of a long document are ranked (``retrieval/search/relevance.py``).

    python benchmarks/selection_weights.py --data DATA --cache vectors.sqlite

Reads the training split of WiCE alone: claims with gold sentences in web pages. The weights maximise the probability of the
gold sentences under a softmax over the page (Cao et al. 2007). The weight of the base score is free, those of the six figures
beside it pay an L2 penalty; the default is the largest of 0.03, 0.1, 0.3, 1 and 3 whose recall at 5 and 10 is within one
standard error of the best. Recall is measured by cross-validation and printed beside that of BM25, of the cosine, of the base
score and of the weights in the code.
"""

import argparse
from pathlib import Path

import numpy as np
from retrieval_quality import CachedEncoder, wice
from scipy.optimize import minimize

from retrieval import load_encoder
from retrieval.encoders.cache import EmbeddingCache
from retrieval.encoders.load import RUNTIMES
from retrieval.search.select import FEATURES, WEIGHTS, base_scores, best, long_features, window_cosines
from retrieval.text.words import bm25_scores, words

CUTS = (1, 3, 5, 10)
Row = tuple[np.ndarray, np.ndarray, np.ndarray]


def learn(rows: list[Row], penalty: float) -> np.ndarray:
    """Weights (F,) of the features as they are; that of the last, the base score, is not penalised."""
    cost = np.array([*[penalty] * len(FEATURES), 1e-4])
    features = np.concatenate([row[0] for row in rows])
    spread = features.std(0)
    starts = np.cumsum([0, *(len(row[0]) for row in rows[:-1])])
    page = np.repeat(np.arange(len(rows)), [len(row[0]) for row in rows])
    wanted = np.concatenate([row[1] / row[1].sum() for row in rows])
    scaled = (features - features.mean(0)) / spread

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = scaled @ weights
        scores -= np.maximum.reduceat(scores, starts)[page]
        exponentials = np.exp(scores)
        total = np.add.reduceat(exponentials, starts)
        value = np.log(total).sum() - wanted @ scores
        gradient = (exponentials / total[page] - wanted) @ scaled
        return value / len(rows) + cost @ weights**2 / 2, gradient / len(rows) + cost * weights

    return minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B").x / spread


def recall(row: Row, scores: np.ndarray) -> list[float]:
    return [float(row[1][best(scores, k)].sum() / row[1].sum()) for k in CUTS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with claims-text")
    parser.add_argument("--cache", type=Path, help="SQLite file of vectors")
    parser.add_argument("--runtime", default="torch", choices=RUNTIMES)
    parser.add_argument("--penalty", type=float, default=0.3)
    parser.add_argument("--folds", type=int, default=5)
    args = parser.parse_args()
    encoder = CachedEncoder(load_encoder(runtime=args.runtime), EmbeddingCache(args.cache))
    rows: list[Row] = []
    for claim, document, gold in wice(args.data, "train"):
        texts = {sentence.text: i for i, sentence in reversed(list(enumerate(document))) if sentence.text.strip()}
        texts = dict(sorted(texts.items(), key=lambda item: item[1]))
        vectors = encoder.encode([claim, *texts])
        held = [words(text) for text in texts]
        cosines, windows = vectors[1:] @ vectors[0], window_cosines(vectors[1:], vectors[0])
        relevant = np.isin(list(texts.values()), gold).astype(float)
        if relevant.any():
            lexical = bm25_scores(words(claim), held)
            features = long_features(words(claim), held, cosines, windows)
            rows.append((np.column_stack([features, base_scores(cosines, lexical)]), relevant, lexical))
    names = ("BM25", "cosine", "base score", "learned, cross-validated", "weights in the code")
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    order = np.random.default_rng(0).permutation(len(rows))
    for fold in range(args.folds):
        held_out = set(order[fold :: args.folds].tolist())
        weights = learn([row for i, row in enumerate(rows) if i not in held_out], args.penalty)
        for i in held_out:
            features, _, lexical = rows[i]
            scores = (lexical, features[:, 0], features[:, -1], features @ weights, features @ np.array([*WEIGHTS, 1]))
            for figures, row_scores in zip(found.values(), scores, strict=True):
                figures.append(recall(rows[i], row_scores))
    print(f"{len(rows)} claims; recall of gold sentences at {', '.join(map(str, CUTS))}")
    for name, figures in found.items():
        print(f"{name:<26}" + "".join(f"{100 * value:>8.1f}" for value in np.mean(figures, 0)))
    weights = learn(rows, args.penalty)
    weights /= weights[-1]
    print("weights learned from all: " + ", ".join(f"{n} {w:.3f}" for n, w in zip(FEATURES, weights[:-1], strict=True)))


if __name__ == "__main__":
    main()
