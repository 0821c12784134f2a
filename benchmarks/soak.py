"""Memory of a long run: many rows with a tiny model, and what the process holds after a tenth of them and after all.

    python benchmarks/soak.py [--rows 200000]

The model is made on the spot: two layers of 32 and random weights. Rows have documents and claims of their own, so that nothing
recurs and what is remembered by content has to make room. The most resident memory up to a tenth of the rows and up to the end
must agree within 10%.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

import torch

from factcheck import Verifier
from factcheck.commands.common import quiet_libraries
from factcheck.models.inputs import InputBuilder
from factcheck.models.text import load_tokenizer
from factcheck.models.verdict import VerdictConfig, VerdictModel
from factcheck.verification import verify_file
from retrieval.encoders.base import TextEncoder

WORDS = [
    *("dog", "cat", "boy", "girl", "car", "park", "street", "runs", "sleeps", "sits", "red"),
    *("blue", "green", "water", "bread", "court", "law", "moon", "city", "news"),
]


class TinyEncoder(TextEncoder):
    """Vectors of hashed words: fast, and of no meaning."""

    dimension = 32
    fingerprint = "soak"

    def encode(self, texts, *, batch_size=64):
        import numpy as np

        vectors = np.zeros((len(texts), 32), np.float32)
        for i, text in enumerate(texts):
            for word in text.split():
                vectors[i, sum(word.encode()) % 32] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    args = parser.parse_args()
    quiet_libraries()
    verifier = tiny_verifier()
    seen: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        claims = write_claims(Path(folder) / "claims.jsonl", args.rows)
        start = time.monotonic()

        def progress(done: int, total: int | None) -> None:
            seen[done] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        summary = verify_file(verifier, claims, Path(folder) / "v.parquet", progress=progress)
        seconds = time.monotonic() - start
    early = max(memory for done, memory in seen.items() if done <= args.rows // 10)
    late = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{summary.rows} rows in {seconds:.0f} s: {early / 1024:.0f} MiB at most up to row {args.rows // 10}, "
        f"{late / 1024:.0f} MiB up to the end ({late / early - 1:+.1%})"
    )
    assert summary.rows == args.rows
    assert late < 1.1 * early, "memory grows with the rows"


def tiny_verifier() -> Verifier:
    from transformers import BertConfig, BertModel

    tokenizer = load_tokenizer("bundled")
    torch.manual_seed(0)
    settings = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    config = VerdictConfig(image_encoder=None, image_weights=None, fusion_dim=32, fusion_heads=2, fusion_depth=1)
    model = VerdictModel(config, BertModel(settings, add_pooling_layer=False))
    builder = InputBuilder(tokenizer, config.max_length, config.max_claim_tokens)
    return Verifier(model, builder, TinyEncoder(), attribution=False)


def write_claims(path: Path, rows: int) -> Path:
    dice = random.Random(0)
    with path.open("w", encoding="utf-8") as sink:
        for i in range(rows):
            document = ". ".join(" ".join(dice.choices(WORDS, k=8)) + f" {i}" for _ in range(3)) + "."
            sink.write(
                json.dumps({"id": str(i), "claim": " ".join(dice.choices(WORDS, k=6)), "document": document}) + "\n"
            )
    return path


if __name__ == "__main__":
    main()
