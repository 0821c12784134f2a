"""Encoding speed next to ``SentenceTransformer.encode`` with the same weights, interleaved in one run.

OMP_NUM_THREADS=1 python benchmarks/encoding.py --texts claims.jsonl --out encoding.json

With several threads it takes a machine on which nothing else runs: a thread that has to wait for its core holds up all of them.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np

from retrieval import load_encoder
from retrieval.encoders.load import RUNTIMES
from retrieval.encoders.pretrained import resolve_pretrained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--texts", type=Path, required=True, help="JSONL with 'claim' and 'document' (list of sentences)"
    )
    parser.add_argument("--count", type=int, default=1000, help="texts, drawn at random")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--clock", default="wall", choices=("wall", "cpu"), help="cpu suits a busy machine, with one thread"
    )
    parser.add_argument("--encoder", default="bundled")
    parser.add_argument("--out", type=Path, help="JSON")
    args = parser.parse_args()

    import torch
    from sentence_transformers import SentenceTransformer

    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    if threads:
        torch.set_num_threads(threads)
    with args.texts.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = sorted({text for row in rows for text in [row["claim"], *row["document"]] if text.strip()})
    picked = np.random.default_rng(0).choice(len(texts), min(args.count, len(texts)), replace=False)
    texts = [texts[i] for i in picked]

    reference = SentenceTransformer(str(resolve_pretrained(args.encoder)), device="cpu")
    encoders = {runtime: load_encoder(args.encoder, runtime=runtime) for runtime in RUNTIMES}
    calls = {"SentenceTransformer": lambda t: reference.encode(t, normalize_embeddings=True, show_progress_bar=False)}
    calls |= {f"ours, {name}": encoder.encode for name, encoder in encoders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    vectors = {}
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    for round_number in range(args.rounds + 1):
        for name, call in calls.items():
            start = clock()
            vectors[name] = call(texts)
            # The first round warms up.
            if round_number:
                seconds[name].append(clock() - start)
    base = statistics.median(seconds["SentenceTransformer"])
    figures = {}
    print(f"{len(texts)} texts, {torch.get_num_threads()} threads, median of {args.rounds}")
    print(f"{'':<22}{'sentences/s':>12}{'ratio':>8}{'min cosine':>12}{'mean cosine':>12}")
    for name in calls:
        median = statistics.median(seconds[name])
        cosine = (vectors[name] * vectors["SentenceTransformer"]).sum(1)
        figures[name] = {
            "sentences_per_second": len(texts) / median,
            "ratio": base / median,
            "min_cosine": float(cosine.min()),
            "mean_cosine": float(cosine.mean()),
        }
        f = figures[name]
        print(
            f"{name:<22}{f['sentences_per_second']:>12.1f}{f['ratio']:>8.2f}{f['min_cosine']:>12.6f}{f['mean_cosine']:>12.6f}"
        )
    if args.out:
        args.out.write_text(json.dumps(figures, indent=2), "utf-8")


if __name__ == "__main__":
    main()
