"""Speed and memory of Twins next to timm's implementation: same weights, same run, taking turns.

    python benchmarks/twins.py --threads 2 --out twins.json

For each image size and batch, every implementation runs once a round and the rounds are repeated; figures are medians,
ratios are medians of the ratio inside a round, so that a load which comes and goes hits all alike. Each case is timed in a
process of its own before anything else is measured there: memory that was used and freed before, by a pass with gradients say,
spares a later run the page faults of getting its own (they are counted beside; how many there are is up to the allocator, and
with glibc's ``MALLOC_MMAP_THRESHOLD_`` and ``MALLOC_TRIM_THRESHOLD_`` at 4 GiB there are none). Peak memory is that of the
tensors alive at once. The share of peak relates the network's matrix products to the fastest matrix product measured in this
run. The bundled photo encoder follows: images a second at its native resolution, decoding left out.
With a CUDA device the same table follows there: float32, bfloat16, eager and compiled.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import timm
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from factcheck.models.folder import create_image_encoder
from factcheck.twins.runtime import RUNTIMES, optimize
from factcheck.twins.variants import VARIANTS, create_twins

Run = Callable[[], Tensor]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="twins_svt_small", choices=[n for n in VARIANTS if n != "twins_svt_tiny"])
    parser.add_argument(
        "--cases",
        nargs="+",
        default=["224x1", "224x8", "256x1", "256x8", "384x1", "384x8"],
        help="image side and batch, as 224x8",
    )
    parser.add_argument("--runtimes", nargs="*", default=list(RUNTIMES), choices=RUNTIMES)
    parser.add_argument("--rounds", type=int, default=15, help="rounds at batch 1; larger batches run fewer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: this process's processor time")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    return parser.parse_args()


def take_turns(
    runs: dict[str, Run], rounds: int, clock: Callable[[], float], faults: dict[str, list[int]] | None = None
) -> dict[str, list[float]]:
    """Seconds of each run in each round, after one round that does not count; page faults likewise, where asked for."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            before, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, clock()
            run()
            end, after = clock(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            if turn:
                seconds[name].append(end - start)
                if faults is not None:
                    faults.setdefault(name, []).append(after - before)
    return seconds


def peak_gflops(clock: Callable[[], float]) -> float:
    """The fastest float32 matrix product of a few sizes, in 10^9 operations a second."""
    best = 0.0
    for m, k, n in [(1024, 1024, 1024), (784, 512, 512), (3136, 256, 256)]:
        a, b = torch.randn(m, k), torch.randn(k, n)
        out = torch.empty(m, n)
        for _ in range(8):
            start = clock()
            torch.mm(a, b, out=out)
            best = max(best, 2 * m * k * n / (clock() - start) / 1e9)
    return best


def peak_bytes(run: Run) -> int:
    """Largest sum of tensor memory that ``run`` holds at once, beyond what was there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    now = peak = 0
    for event in sorted(
        (e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()
    ):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def row(label: str, seconds: list[float], base: list[float], **more: float) -> dict[str, object]:
    ratio = statistics.median(b / s for b, s in zip(base, seconds, strict=True))
    return {
        "run": label,
        "ms": 1e3 * statistics.median(seconds),
        "fastest_ms": 1e3 * min(seconds),
        "times_timm": ratio,
        **more,
    }


def cpu_case(args: argparse.Namespace, size: int, batch: int, peak: float) -> list[dict[str, object]]:
    torch.set_num_threads(args.threads)
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    torch.manual_seed(0)
    reference = timm.create_model(args.model).eval()
    ours = create_twins(args.model).eval()
    ours.load_state_dict(reference.state_dict())
    x = torch.randn(batch, 3, size, size)
    runs: dict[str, Run] = {"timm eager": lambda: reference(x), "ours eager (as is)": lambda: ours(x)}
    for name in args.runtimes:
        fast = optimize(ours, name, x)
        runs[f"ours {name}"] = lambda fast=fast: fast(x)
    rounds = args.rounds if batch == 1 else max(5, args.rounds // 2)
    with torch.no_grad():
        outputs = {name: run() for name, run in runs.items()}
        # where timm lets padding take part, equality holds against this package's own module
        truth = outputs["timm eager"] if size % 224 == 0 else outputs["ours eager (as is)"]
        faults: dict[str, list[int]] = {}
        seconds = take_turns(runs, rounds, clock, faults)
        memory = {name: peak_bytes(runs[name]) / 2**20 for name in list(runs)[:2]}
        with FlopCounterMode(display=False) as counter:
            ours(x)
    base = seconds["timm eager"]
    gflop = counter.get_total_flops() / 1e9
    return [
        row(
            name,
            seconds[name],
            base,
            side=size,
            batch=batch,
            difference=float((outputs[name] - truth).abs().max()),
            share_of_peak=gflop / min(seconds[name]) / peak,
            peak_mib=memory.get(name, float("nan")),
            page_faults=statistics.median(faults[name]),
        )
        for name in runs
    ]


def cuda_case(args: argparse.Namespace, size: int, batch: int, dtype: torch.dtype) -> list[dict[str, object]]:
    def timed(run: Run) -> Run:
        def synchronised() -> Tensor:
            out = run()
            torch.cuda.synchronize()
            return out

        return synchronised

    reference = timm.create_model(args.model).eval().to("cuda", dtype)
    ours = create_twins(args.model).eval().to("cuda", dtype)
    ours.load_state_dict(reference.state_dict())
    x = torch.randn(batch, 3, size, size, device="cuda", dtype=dtype)
    compiled, reference_compiled = torch.compile(ours), torch.compile(reference)
    runs: dict[str, Run] = {
        "timm eager": timed(lambda: reference(x)),
        "timm compiled": timed(lambda: reference_compiled(x)),
        "ours eager": timed(lambda: ours(x)),
        "ours compiled": timed(lambda: compiled(x)),
    }
    with torch.no_grad():
        seconds = take_turns(runs, max(args.rounds, 20), time.perf_counter)
        memory = {}
        for name, run in runs.items():
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            run()
            memory[name] = (torch.cuda.max_memory_allocated() - before) / 2**20
    kind = str(dtype).removeprefix("torch.")
    return [
        row(f"cuda {kind} {name}", s, seconds["timm eager"], side=size, batch=batch, peak_mib=memory[name])
        for name, s in seconds.items()
    ]


def photo_encoder(args: argparse.Namespace) -> dict[str, float]:
    """Images a second of the bundled encoder, batch 8: descriptors as used, and one pass through the network."""
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    encoder = create_image_encoder()
    views = torch.randn(8, 3, encoder.input_size, encoder.input_size)
    small = torch.randn(8, 3, encoder.view_size or encoder.input_size, encoder.view_size or encoder.input_size)
    runs: dict[str, Run] = {
        "descriptors": lambda: encoder.embed(views),
        "one pass of the backbone": lambda: encoder.backbone.forward_features(small),
    }
    with torch.no_grad():
        seconds = take_turns(runs, 2 * args.rounds, clock)
    return {name: 8 / statistics.median(s) for name, s in seconds.items()}


def show(rows: list[dict[str, object]]) -> None:
    columns = ["side", "batch", "run", "ms", "fastest_ms", "times_timm", "difference", "share_of_peak", "peak_mib"]
    columns.append("page_faults")
    print(" | ".join(columns))
    for r in rows:
        cells = [r.get(c, "") for c in columns]
        print(" | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells), flush=True)


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    peak = peak_gflops(clock)
    print(f"{args.model}, {args.threads} threads, {args.clock} time, matrix-product peak {peak:.0f} GFLOP/s")
    rows = []
    for case in args.cases:
        size, batch = map(int, case.split("x"))
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            rows += fresh.submit(cpu_case, args, size, batch, peak).result()
        show(rows[-(2 + len(args.runtimes)) :])
    photos = photo_encoder(args)
    print("bundled photo encoder, batch 8: " + ", ".join(f"{name} {rate:.0f}/s" for name, rate in photos.items()))
    if torch.cuda.is_available():
        for case in ("224x1", "224x64", "384x32"):
            size, batch = map(int, case.split("x"))
            for dtype in (torch.float32, torch.bfloat16):
                rows += cuda_case(args, size, batch, dtype)
                show(rows[-4:])
    if args.out:
        about = {
            "model": args.model,
            "threads": args.threads,
            "clock": args.clock,
            "peak_gflops": peak,
            "photo_encoder_images_per_second": photos,
            "torch": torch.__version__,
            "timm": timm.__version__,
            "python": sys.version.split()[0],
            "machine": platform.processor() or platform.machine(),
        }
        args.out.write_text(json.dumps({"about": about, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
