"""Work never lost: a run killed at random moments, gone on with from other folders, gives the table of an undisturbed run.

    python benchmarks/kills.py CLAIMS [--model DIR] [--kills 10] [--seed 0] [-- options of factcheck verify]

Every attempt is a process of its own, killed (SIGKILL) after a random share of the time that the undisturbed run took, in
a new working directory each time, with the claims table moved and touched in between. Rows must come in order, and
every figure agree to 1e-5.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("claims", type=Path)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--chunk-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    args, options = parser.parse_known_args()
    dice = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        command = [sys.executable, "-m", "factcheck", "verify", "--model", args.model, *options]
        command += ["--chunk-size", str(args.chunk_size), "--image-root", str(args.claims.parent.resolve())]
        start = time.monotonic()
        run(command, args.claims, work / "whole.parquet", work)
        seconds = time.monotonic() - start
        print(f"undisturbed: {seconds:.1f} s")
        out = work / "out.parquet"
        killed = attempts = 0
        while killed < args.kills:
            attempts += 1
            folder_now = work / f"cwd{attempts}"
            folder_now.mkdir()
            claims = Path(shutil.copy(args.claims, folder_now / f"claims{attempts}{args.claims.suffix}"))
            process = subprocess.Popen(
                [*command, str(claims), "--out", str(out)],
                cwd=folder_now,
                stderr=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            try:
                process.wait(timeout=dice.uniform(0.2, 1.0) * seconds)
                print(f"attempt {attempts}: finished before its kill, the table is made again")
                compare(work / "whole.parquet", out)
                out.unlink()
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                killed += 1
                parts = len(list(out.with_name("out.parquet.parts").glob("*.json")))
                print(f"kill {killed}: {max(0, parts - 1)} chunks finished")
        print(run(command, args.claims, out, folder_now).splitlines()[0])
        compare(work / "whole.parquet", out)
        left = [path.name for path in work.iterdir() if path.name.startswith((".", "out.parquet."))]
        assert not left, left
    print(f"{killed} kills: the same table, nothing left behind")


def run(command: list[str], claims: Path, out: Path, folder: Path) -> str:
    full = [*command, str(claims.resolve()), "--out", str(out)]
    return subprocess.run(
        full, check=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ).stdout


def compare(wanted: Path, found: Path) -> None:
    a, b = pq.read_table(wanted), pq.read_table(found)
    assert a.schema.names == b.schema.names
    assert a["id"].to_pylist() == b["id"].to_pylist()
    for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True):
        same(x, y, x["id"])


def same(a, b, place: str) -> None:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in a:
            same(a[name], b[name], f"{place}.{name}")
    elif isinstance(a, list) and isinstance(b, list):
        assert len(a) == len(b), place
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{place}[{i}]")
    elif isinstance(a, float) and isinstance(b, float):
        assert abs(a - b) < 1e-5, (place, a, b)
    else:
        assert a == b, (place, a, b)


if __name__ == "__main__":
    main()
