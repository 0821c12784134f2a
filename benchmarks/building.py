"""Building an index: resident memory at several sizes, and builds killed at random moments and resumed.

    python benchmarks/building.py memory --sentences 250000 1000000 --preset small --out memory.json
    python benchmarks/building.py kills --sentences 100000 --kills 10 --out kills.json

The corpus is made: documents of 20 sentences of 5 … 25 words drawn by Zipf's law from 60,000. The encoder hashes texts into
vectors of 384 dimensions at next to no cost, so that what is measured is the build itself. ``memory`` runs each build in a
process of its own and samples its resident memory every 20 ms. ``kills`` ends builds by SIGKILL at moments drawn uniformly from
the time an uninterrupted build takes, each in a fresh folder, resumes them, and compares the checksums of all files.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from retrieval import TextEncoder, build_index
from retrieval.manifest import read_manifest

DIMENSION, WORDS, PER_DOCUMENT = 384, 60_000, 20


class HashEncoder(TextEncoder):
    """Vectors from the hash of a text: the sum of four of 1024 fixed random ones."""

    def __init__(self) -> None:
        self._table = np.random.default_rng(0).standard_normal((1024, DIMENSION), np.float32)

    @property
    def dimension(self) -> int:
        return DIMENSION

    @property
    def fingerprint(self) -> str:
        return "benchmark-hash"

    def encode(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
        vectors = self._table[np.frombuffer(digests, np.uint16).reshape(-1, 4) % 1024].sum(1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write_corpus(path: Path, sentences: int) -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = np.array(["".join(rng.choice(letters, 3 + i % 7)) for i in range(WORDS)])
    weights = 1 / np.arange(1, WORDS + 1)
    cumulated = np.cumsum(weights / weights.sum())
    with path.open("w", encoding="utf-8") as stream:
        for number in range(-(-sentences // PER_DOCUMENT)):
            lengths = rng.integers(5, 26, min(PER_DOCUMENT, sentences - number * PER_DOCUMENT))
            picked = vocabulary[np.searchsorted(cumulated, rng.random(lengths.sum())).clip(max=WORDS - 1)]
            text = [" ".join(part) for part in np.split(picked, np.cumsum(lengths)[:-1])]
            stream.write(json.dumps({"id": f"document-{number}", "text": text}) + "\n")


def child(args: argparse.Namespace) -> None:
    """One build; what it was doing last stands in the stage file, its memory in the memory file."""
    resident: dict[str, int] = {}
    stage = ["start"]
    process = psutil.Process()
    ended = threading.Event()

    def sample() -> None:
        while not ended.is_set():
            resident[stage[0]] = max(resident.get(stage[0], 0), process.memory_info().rss)
            time.sleep(0.02)

    def report(name: str, done: int, total: int | None) -> None:
        if name != stage[0]:
            stage[0] = name
            args.stage.write_text(name, "utf-8")

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    build_index(args.corpus, args.index, encoder=HashEncoder(), preset=args.preset, progress=report)
    ended.set()
    sampler.join()
    if args.memory:
        args.memory.write_text(json.dumps(resident), "utf-8")


def start(corpus: Path, index: Path, preset: str, memory: Path | None = None) -> subprocess.Popen:
    command = [sys.executable, __file__, "build", str(corpus), str(index), str(index.with_suffix(".stage"))]
    return subprocess.Popen([*command, "--preset", preset, *(["--memory", str(memory)] if memory else [])])


def finish(process: subprocess.Popen) -> None:
    if process.wait():
        raise SystemExit(f"a build ended with status {process.returncode}")


def measure_memory(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    print(f"{'sentences':>10}{'seconds':>10}{'peak MiB':>10}{'FAISS MiB':>11}{'the rest':>10}  by stage, MiB")
    for count in args.sentences:
        corpus, index = folder / f"{count}.jsonl", folder / f"index-{count}"
        write_corpus(corpus, count)
        begin = time.perf_counter()
        finish(start(corpus, index, args.preset, folder / "memory.json"))
        seconds = time.perf_counter() - begin
        stages = {name: size / 2**20 for name, size in json.loads((folder / "memory.json").read_text("utf-8")).items()}
        peak = max(stages.values())
        faiss = read_manifest(index)["files"]["index/dense/vectors.faiss"]["bytes"] / 2**20
        figures[str(count)] = {"seconds": seconds, "peak_mib": peak, "faiss_mib": faiss, "stages_mib": stages}
        shown = ", ".join(f"{name} {size:.0f}" for name, size in stages.items())
        print(f"{count:>10}{seconds:>10.1f}{peak:>10.0f}{faiss:>11.0f}{peak - faiss:>10.0f}  {shown}", flush=True)
        shutil.rmtree(index)
        corpus.unlink()
    return figures


def kill_builds(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    corpus, whole = folder / "corpus.jsonl", folder / "whole"
    write_corpus(corpus, args.sentences[0])
    begin = time.perf_counter()
    finish(start(corpus, whole, args.preset))
    seconds = time.perf_counter() - begin
    expected = read_manifest(whole)["files"]
    print(f"{args.sentences[0]} sentences, uninterrupted: {seconds:.1f} s, {len(expected)} files", flush=True)
    draw = random.Random(args.seed)
    kills: list[dict[str, Any]] = []
    while len(kills) < args.kills:
        index = folder / f"killed-{len(kills)}"
        shutil.rmtree(index, ignore_errors=True)
        index.with_suffix(".stage").unlink(missing_ok=True)
        moment = draw.uniform(0, seconds)
        process = start(corpus, index, args.preset)
        try:
            finish_early = process.wait(moment) is not None
        except subprocess.TimeoutExpired:
            finish_early = False
        if finish_early:
            continue  # faster than the first build: nothing was killed
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        stage = index.with_suffix(".stage")
        shards = len(list(index.glob("building/shard-*")))
        doing = stage.read_text("utf-8") if stage.is_file() else "start"
        begin = time.perf_counter()
        finish(start(corpus, index, args.preset))
        equal = read_manifest(index)["files"] == expected
        kills.append({"second": moment, "stage": doing, "shards": shards, "equal": equal})
        resumed = time.perf_counter() - begin
        print(
            f"killed after {moment:6.1f} s ({doing}, {shards} shards), resumed in {resumed:6.1f} s: "
            + ("the same files" if equal else "OTHER FILES"),
            flush=True,
        )
        shutil.rmtree(index)
    print(f"{sum(kill['equal'] for kill in kills)} of {len(kills)} resumed builds equal the uninterrupted one")
    return {"sentences": args.sentences[0], "seconds": seconds, "kills": kills}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    for name, sizes in (("memory", [250_000, 1_000_000]), ("kills", [100_000])):
        action = actions.add_parser(name)
        action.add_argument("--sentences", type=int, nargs="+", default=sizes)
        action.add_argument("--preset", default="fast", choices=("fast", "small", "exact"))
        action.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
        action.add_argument("--out", type=Path, help="JSON")
        if name == "kills":
            action.add_argument("--kills", type=int, default=10)
            action.add_argument("--seed", type=int, default=0)
    build = actions.add_parser("build", help="one build, which the other two run")
    for name in ("corpus", "index", "stage"):
        build.add_argument(name, type=Path)
    build.add_argument("--preset", default="fast")
    build.add_argument("--memory", type=Path)
    args = parser.parse_args()
    if args.action == "build":
        child(args)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        figures = (measure_memory if args.action == "memory" else kill_builds)(args, Path(folder))
    if args.out:
        args.out.write_text(json.dumps(figures, indent=2), "utf-8")


if __name__ == "__main__":
    main()
