"""Recall of gold evidence: inside a claim's own document, and in one corpus of all sentences.

    python benchmarks/retrieval_quality.py --data DATA --out retrieval.json

Compares BM25, dense vectors, their hybrid (the default) and, with ``--reranker``, the hybrid's best 30 scored again by a
cross-encoder. Inside documents it also says by how much the hybrid beats the better of the two it is made of, with the 95%
interval of a paired bootstrap over the claims. Vectors are cached by content in ``--cache``, so a second run takes seconds.
"""

import argparse
import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from factcheck.verification.rerank import load_reranker
from retrieval import Sentence, TextEncoder, build_index, load_encoder, open_index, select_evidence, split_sentences
from retrieval.encoders.cache import EmbeddingCache
from retrieval.encoders.load import RUNTIMES
from retrieval.search.evaluation import evaluate_run
from retrieval.search.rerank import Reranker, rerank_scores
from retrieval.search.select import METHODS

CUTS = (1, 3, 5, 10)


class CachedEncoder(TextEncoder):
    """An encoder that keeps its vectors on disk (in float16, as an index does)."""

    def __init__(self, encoder: TextEncoder, cache: EmbeddingCache) -> None:
        self._encoder, self._cache = encoder, cache

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    @property
    def fingerprint(self) -> str:
        return self._encoder.fingerprint

    def encode(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        vectors = self._cache.encode(self._encoder, texts, batch_size).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def claims_text(data: Path, split: str) -> list[dict[str, Any]]:
    """Rows of the text set, with the rows' number and split as their id."""
    with (data / "claims-text" / f"{split}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) | {"id": f"{split}-{i}"} for i, line in enumerate(lines)]


def spans(sentences: Sequence[str]) -> list[Sentence]:
    """Given sentences as if joined by one space."""
    result, position = [], 0
    for text in sentences:
        result.append(Sentence(text, position, position + len(text)))
        position += len(text) + 1
    return result


def wice(data: Path, split: str) -> list[tuple[str, list[Sentence], list[int]]]:
    """(claim, sentences, gold) of the rows with gold evidence."""
    rows = claims_text(data, split)
    return [(r["claim"], spans(r["document"]), r["evidence"]) for r in rows if r["source"] == "wice" and r["evidence"]]


def flickr(data: Path, split: str) -> list[tuple[str, list[Sentence], list[int]]]:
    """(claim, sentences, gold) of every row."""
    folder = data / "flickr-factify"
    with (folder / f"{split}.gold.jsonl").open(encoding="utf-8") as lines:
        gold = {str(row["id"]): [row["evidence_sentence"]] for row in map(json.loads, lines)}
    csv.field_size_limit(2**31 - 1)
    with (folder / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t")
        return [(r["claim"], split_sentences(r["document"]), gold[r[""]]) for r in rows]


def inside(
    rows: list[tuple[str, list[Sentence], list[int]]], encoder: TextEncoder, reranker: Reranker | None
) -> tuple[dict[str, dict[str, float]], dict[str, list[float]]]:
    """Mean recall of gold sentences at each cut, for each method; and how far the hybrid is ahead, with an interval."""
    claims, documents = [r[0] for r in rows], [r[1] for r in rows]
    ids = [str(i) for i in range(len(rows))]
    depth = 30 if reranker else max(CUTS)
    found = {m: select_evidence(claims, documents, ids, encoder, top_k=depth, method=m) for m in METHODS}
    if reranker is not None:
        ranked = []
        for claim, hits in zip(claims, found["hybrid"], strict=True):
            scores = rerank_scores(reranker.score([claim] * len(hits), [hit.text for hit in hits]), reranker.weight)
            ranked.append([hits[i] for i in np.argsort(-scores, kind="stable")])
        found["hybrid + re-ranking"] = ranked
    recalls = {
        name: np.array(
            [
                [len({h.sentence for h in row[:k]} & set(gold)) / len(gold) for k in CUTS]
                for row, (_, _, gold) in zip(hits, rows, strict=True)
            ]
        )
        for name, hits in found.items()
    }
    drawn = np.random.default_rng(0).integers(len(rows), size=(10_000, len(rows)))
    ahead = {}
    for place, k in enumerate(CUTS):
        other = max(("dense", "bm25"), key=lambda name: recalls[name][:, place].mean())
        difference = recalls["hybrid"][:, place] - recalls[other][:, place]
        low, high = np.quantile(difference[drawn].mean(1), (0.025, 0.975))
        ahead[f"recall@{k}"] = [float(difference.mean()), float(low), float(high)]
    figures = {
        name: {f"recall@{k}": float(values[:, place].mean()) for place, k in enumerate(CUTS)}
        for name, values in recalls.items()
    }
    return figures, ahead


def open_corpus(
    data: Path, splits: Sequence[str], encoder: TextEncoder, reranker: Reranker | None, claims: int | None
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """One corpus of all different sentences; queries are the claims with gold evidence."""
    rows = [row for split in splits for row in claims_text(data, split)]
    numbers: dict[str, int] = {}
    for row in rows:
        for text in row["document"]:
            if text.strip():
                numbers.setdefault(text, len(numbers))
    judged = [row for row in rows if row["evidence"]]
    if claims is not None and claims < len(judged):
        judged = [judged[i] for i in np.sort(np.random.default_rng(0).choice(len(judged), claims, replace=False))]
    qrels = {
        row["id"]: {str(numbers[row["document"][i]]): 1 for i in row["evidence"] if row["document"][i].strip()}
        for row in judged
    }
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.jsonl"
        with corpus.open("w", encoding="utf-8") as stream:
            for text, number in numbers.items():
                stream.write(json.dumps({"id": str(number), "text": [text]}) + "\n")
        build_index(corpus, Path(folder) / "index", encoder=encoder, cache=False)
        figures = {}
        for name in (*METHODS, *(["hybrid + re-ranking"] if reranker else [])):
            index = open_index(
                Path(folder) / "index",
                encoder=encoder,
                method=name.split()[0],
                reranker=reranker if "+" in name else None,
                candidates=30,
                unique=False,
            )
            hits = index.search([row["claim"] for row in judged], top_k=10)
            run = {
                r["id"]: {h.document_id: 1 / (i + 1) for i, h in enumerate(row)}
                for r, row in zip(judged, hits, strict=True)
            }
            figures[name] = evaluate_run(qrels, run, ("R@10", "nDCG@10", "RR"))
    return figures, {"sentences": len(numbers), "queries": len(judged)}


def show(title: str, figures: dict[str, dict[str, float]]) -> None:
    measures = list(next(iter(figures.values())))
    print(f"\n{title}\n{'method':<22}" + "".join(f"{m:>12}" for m in measures))
    for name, row in figures.items():
        print(f"{name:<22}" + "".join(f"{row[m]:>12.4f}" for m in measures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with claims-text and flickr-factify")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--encoder", default="bundled")
    parser.add_argument("--runtime", default="torch", choices=RUNTIMES)
    parser.add_argument("--reranker", help="'bundled', a verdict model's folder, or a Hugging Face sequence classifier")
    parser.add_argument("--open", metavar="SPLITS", help="also the open corpus of these splits, e.g. train,val")
    parser.add_argument(
        "--claims", type=int, help="of the open corpus, this many claims drawn at random (default: all)"
    )
    parser.add_argument("--cache", type=Path, help="SQLite file of vectors")
    parser.add_argument("--out", type=Path, help="JSON")
    args = parser.parse_args()
    encoder = CachedEncoder(load_encoder(args.encoder, runtime=args.runtime), EmbeddingCache(args.cache))
    reranker = load_reranker(args.reranker) if args.reranker else None
    results: dict[str, Any] = {}
    for name, read in (("flickr-factify", flickr), ("wice", wice)):
        figures, ahead = inside(read(args.data, args.split), encoder, reranker)
        results[f"{name} {args.split}"] = figures | {"hybrid ahead by": ahead}
        show(f"{name} {args.split}: gold sentences found inside the document", figures)
        print("hybrid minus better" + " " * 3 + "".join(f"{mean:>+12.4f}" for mean, _, _ in ahead.values()))
        print("  95% interval" + " " * 8 + "".join(f"{low:>+6.2f}{high:>+6.2f}" for _, low, high in ahead.values()))
    if args.open:
        figures, size = open_corpus(args.data, args.open.split(","), encoder, reranker, args.claims)
        results["open corpus"] = figures | {"size": size}
        show(f"open corpus of {size['sentences']} sentences, {size['queries']} claims", figures)
    if args.out:
        args.out.write_text(json.dumps(results, indent=2), "utf-8")


if __name__ == "__main__":
    main()
