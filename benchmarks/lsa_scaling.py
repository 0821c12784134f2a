"""How the time of locally-grouped attention grows with the map, next to global attention.

    python benchmarks/lsa_scaling.py --threads 2

One LSA layer (64 channels, 2 heads, window 7, projections included) runs on the first-stage maps of square images of
112 to 1,792 pixels, global attention on the same maps as long as it is affordable, taking turns. The exponent is the
least-squares slope of log time against log H*W; linear growth is 1, quadratic growth 2.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from factcheck.twins.blocks import GlobalSubsampledAttention
from factcheck.twins.lsa import LocallyGroupedSelfAttention


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sides", nargs="+", type=int, default=[112, 224, 448, 896, 1792], help="image sides, pixels")
    parser.add_argument("--global-limit", type=int, default=448, help="largest side for global attention")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    local = LocallyGroupedSelfAttention(64, 2, 7).eval()
    everywhere = GlobalSubsampledAttention(64, 2, sr_ratio=1).eval()
    runs = []
    for side in args.sides:
        grid = side // 4
        x = torch.randn(1, grid * grid, 64)
        runs.append(("LSA", side, lambda x=x, g=grid: local(x, (g, g))))
        if side <= args.global_limit:
            runs.append(("global", side, lambda x=x, g=grid: everywhere(x, (g, g))))
    seconds: dict[tuple[str, int], list[float]] = {(kind, side): [] for kind, side, _ in runs}
    with torch.no_grad():
        for turn in range(args.rounds + 1):
            for kind, side, run in runs:
                # small maps run several times, so that the clock's grain does not show
                repeats = max(1, (448 // side) ** 2)
                start = clock()
                for _ in range(repeats):
                    run()
                if turn:
                    seconds[kind, side].append((clock() - start) / repeats)
    result: dict[str, object] = {"threads": args.threads, "clock": args.clock}
    for kind in ("LSA", "global"):
        sides = [s for k, s in seconds if k == kind]
        times = [statistics.median(seconds[kind, s]) for s in sides]
        exponent = float(np.polyfit(np.log([(s / 4) ** 2 for s in sides]), np.log(times), 1)[0])
        fastest = [min(seconds[kind, s]) for s in sides]
        of_fastest = float(np.polyfit(np.log([(s / 4) ** 2 for s in sides]), np.log(fastest), 1)[0])
        result[kind] = {"sides": sides, "ms": [1e3 * t for t in times], "exponent": exponent, "of_fastest": of_fastest}
        print(f"{kind}: " + ", ".join(f"{s} px {1e3 * t:.2f} ms" for s, t in zip(sides, times, strict=True)))
        print(f"{kind}: time grows with (H*W)^{exponent:.3f} (medians), ^{of_fastest:.3f} (fastest runs)")
    if args.out:
        args.out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
