"""One million vectors: build time, size, recall and latency of the three presets, and the cost of our interface.

    OMP_NUM_THREADS=2 python benchmarks/million.py --texts claims.jsonl --out million.json

The vectors are real sentence vectors, enlarged: each new vector is the normalised sum of a real one, a random share
(0 … 0.5) of another real one and Gaussian noise of length 0.3. This keeps the clusters and the spectrum of real sentence
vectors, which random vectors do not have and which compressed indexes live on. Queries are made in the same way and are
not in the index.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from retrieval import load_encoder
from retrieval.build.assemble import build_vectors
from retrieval.indexes import FaissIndex, Passages
from retrieval.indexes.faiss_kinds import PREFERENCES, nested_parameters


def enlarge(real: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` vectors, float32 (count, D), made from ``real`` (n, D) as the module says."""
    made = real[rng.integers(len(real), size=count)]
    made = made + rng.uniform(0, 0.5, (count, 1)).astype(np.float32) * real[rng.integers(len(real), size=count)]
    noise = rng.standard_normal(made.shape, np.float32)
    made += 0.3 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def median_seconds(call: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def raw_search(
    index: FaissIndex, vectors: np.ndarray, queries: np.ndarray, wide: int, rescore: bool
) -> Callable[[], Any]:
    """What a program would write on FAISS itself: search, and where codes are all the index has, score again."""
    params = nested_parameters(index.raw, None, None, index.rerank)

    def call() -> None:
        _, rows = index.raw.search(queries, wide, params=params)
        if rescore:
            for query, row in zip(queries, rows, strict=True):
                row = np.sort(row[row >= 0])
                scores = vectors[row].astype(np.float32) @ query
                row[np.argsort(-scores)[:10]]

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--texts", type=Path, required=True, help="JSONL with 'claim' and 'document' (list of sentences)"
    )
    parser.add_argument("--real", type=int, default=5000, help="real sentences encoded")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--presets", nargs="+", default=PREFERENCES, choices=PREFERENCES)
    parser.add_argument("--vectors", type=Path, help="npy file that keeps the real vectors between runs")
    parser.add_argument("--out", type=Path, help="JSON")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    if args.vectors and args.vectors.is_file():
        real = np.load(args.vectors).astype(np.float32)
    else:
        with args.texts.open(encoding="utf-8") as lines:
            texts = sorted({t for row in map(json.loads, lines) for t in [row["claim"], *row["document"]] if t.strip()})
        picked = rng.choice(len(texts), min(args.real, len(texts)), replace=False)
        real = load_encoder().encode([texts[i] for i in picked])
        if args.vectors:
            np.save(args.vectors, real)
    queries = enlarge(real, args.queries, rng)
    one = queries[:1]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        stored = np.lib.format.open_memmap(path, "w+", np.float16, (args.count, real.shape[1]))
        for start in range(0, args.count, 50_000):
            stop = min(start + 50_000, args.count)
            stored[start:stop] = enlarge(real, stop - start, rng)
        stored.flush()
        stored = np.load(path, mmap_mode="r")
        best = np.full((args.queries, 10), -np.inf, np.float32)
        truth = np.full((args.queries, 10), -1)
        for start in range(0, args.count, 50_000):
            scores = queries @ stored[start : start + 50_000].astype(np.float32).T
            scores = np.concatenate([best, scores], 1)
            rows = np.concatenate(
                [truth, np.tile(np.arange(start, start + scores.shape[1] - 10), (args.queries, 1))], 1
            )
            order = np.argpartition(-scores, 9, axis=1)[:, :10]
            best, truth = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
        for preset in args.presets:
            start = time.perf_counter()
            index = build_vectors(stored, preset, None, lambda done: None)
            build = time.perf_counter() - start
            index.save(Path(folder) / preset)
            size = (Path(folder) / preset / "vectors.faiss").stat().st_size
            index = FaissIndex.open(Path(folder) / preset)
            index.attach_vectors(stored)
            found = index.search(Passages(vectors=queries), 10)[1]
            recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(truth, found, strict=True)]))
            rescore = preset == "small" and index.factory != "Flat"
            wide = 10 * index.rerank if rescore else 10
            ours_batch, raw_batch, ours_single, raw_single = [], [], [], []
            for _ in range(args.rounds):
                ours_batch.append(median_seconds(lambda index=index: index.search(Passages(vectors=queries), 10), 1))
                raw_batch.append(median_seconds(raw_search(index, stored, queries, wide, rescore), 1))
                raw = raw_search(index, stored, one, wide, rescore)
                for _ in range(11):  # in turns: whoever comes second finds the lists in the cache
                    ours_single.append(median_seconds(lambda index=index: index.search(Passages(vectors=one), 10), 1))
                    raw_single.append(median_seconds(raw, 1))
            results[preset] = {
                "factory": index.factory,
                "build_seconds": build,
                "bytes_per_vector": size / args.count,
                "recall_at_10": recall,
                "batched_ms_per_query": 1000 * statistics.median(ours_batch) / args.queries,
                "batched_ratio_to_raw": statistics.median(ours_batch) / statistics.median(raw_batch),
                "single_ms": 1000 * statistics.median(ours_single),
                "single_ratio_to_raw": statistics.median(ours_single) / statistics.median(raw_single),
                "resident_mib": psutil.Process().memory_info().rss / 2**20,
            }
            print(preset, json.dumps(results[preset]), flush=True)
    if args.out:
        args.out.write_text(json.dumps(results | {"count": args.count}, indent=2), "utf-8")


if __name__ == "__main__":
    main()
