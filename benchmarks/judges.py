"""Judges side by side on the same claims and evidence: accuracy of the stance by language, with 95% intervals.

    python benchmarks/judges.py val.jsonl --judges bundled hf:judge/ --rows 600 [--english 300]

Rows are JSONL as :func:`factcheck.data.read_claims_text` takes them, drawn at random; where a source only says that a claim does not
follow, "insufficient" and "refute" both count as right. ``bundled`` is the bundled model. Every row is judged, whatever its language.
"""

import argparse
import random
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from factcheck import Verifier
from factcheck.data.text_sets import NOT_SUPPORT, read_claims_text


def draw(path: Path, rows: int, english: int, seed: int) -> list[dict]:
    """So many rows in other languages than English, and so many in English."""
    found = list(read_claims_text(path))
    random.Random(seed).shuffle(found)
    parts = ([row for row in found if (row["language"] != "en") == foreign] for foreign in (True, False))
    return [row for part, most in zip(parts, (rows, english), strict=True) for row in part[:most]]


def interval(hits: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    means = hits[np.random.default_rng(0).integers(0, len(hits), (draws, len(hits)))].mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--judges", nargs="+", required=True)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--english", type=int, default=0)
    parser.add_argument("--fewest", type=int, default=15, help="rows from which a language gets a line")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = draw(arguments.table, arguments.rows, arguments.english, arguments.seed)
    table = [{name: row[name] for name in ("id", "claim", "document")} for row in rows]
    groups = defaultdict(list)
    for number, row in enumerate(rows):
        groups[row["language"] or "en"].append(number)
        groups["English" if row["language"] == "en" else "all but English"].append(number)
    base = Verifier.load("bundled", attribution=False, any_language=True)
    hits = {}
    for name in arguments.judges:
        verifier = (
            base if name == "bundled" else Verifier.load("bundled", judge=name, attribution=False, any_language=True)
        )
        start = time.perf_counter()
        stances = verifier.verify_batch(table)["stance"].to_pylist()
        print(f"{name}: {(time.perf_counter() - start) / len(rows):.3f} s a row on one thread", flush=True)
        hits[name] = np.array(
            [
                stance != "support" if row["label"] == NOT_SUPPORT else stance == row["label"]
                for stance, row in zip(stances, rows, strict=True)
            ]
        )
    print("\n| rows | number | " + " | ".join(arguments.judges) + " |")
    print("|---|---|" + "---|" * len(arguments.judges))
    for group, numbers in sorted(groups.items(), key=lambda item: -len(item[1])):
        if len(numbers) >= arguments.fewest:
            parts = [(hits[name][numbers], *interval(hits[name][numbers])) for name in arguments.judges]
            figures = " | ".join(f"{part.mean():.3f} [{low:.3f}, {high:.3f}]" for part, low, high in parts)
            print(f"| {group} | {len(numbers)} | {figures} |")


if __name__ == "__main__":
    main()
