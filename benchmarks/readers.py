"""Reading a Factify-format file: rows a second and peak memory of our reader beside pandas.read_csv and csv.

Our reader also validates every cell and builds Arrow tables; pandas builds a data frame; csv only splits fields. Each
measurement is a fresh process; readers take turns, so that a change in the machine's load meets all of them. Speed is by
processor time, which a busy machine disturbs less; elapsed time is in the JSON.
"""

import argparse
import csv
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEADER = ["", "claim", "claim_image", "document", "document_image", "Category", "Claim OCR", "Document OCR"]
LABELS = ["Support_Multimodal", "Support_Text", "Insufficient_Multimodal", "Insufficient_Text", "Refute"]
WORDS = [
    *[
        "the",
        "a",
        "of",
        "in",
        "on",
        "minister",
        "said",
        "government",
        "police",
        "people",
        "after",
        "over",
        "new",
        "state",
    ],
    *[
        "court",
        "case",
        "report",
        "health",
        "election",
        "water",
        "vaccine",
        "market",
        "million",
        "city",
        "school",
        "would",
    ],
    *["against", "could", "official", "statement", "दिल्ली", "सरकार", "मंत्री", "São", "über", "naïve"],
]
READERS = ("ours", "pandas", "pandas-chunks", "csv")


def write_factify(path: Path, rows: int, seed: int = 0) -> None:
    """Claims of about 150 characters; documents of 0.3 to 8 kB with newlines, tabs, doubled quotes, entities, links."""
    rng = random.Random(seed)

    def text(length: int) -> str:
        pieces, size = [], 0
        while size < length:
            sentence = " ".join(rng.choices(WORDS, k=rng.randint(6, 24))).capitalize()
            roll = rng.random()
            if roll < 0.1:
                sentence = f'"{sentence}," he said'
            pieces.append(
                sentence + (". ", ".", ".\n\n", " &amp; more.\t", ". https://t.co/AbCdEf ")[min(int(roll * 12), 4)]
            )
            size += len(pieces[-1])
        return "".join(pieces).strip()

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(HEADER)
        for i in range(rows):
            image = f"http://pbs.twimg.com/media/{rng.getrandbits(60):x}.jpg?format=jpg&name=large"
            ocr = [text(rng.choice((20, 80, 300))) if rng.random() < 0.6 else "" for _ in range(2)]
            document = text(int(min(8000, max(300, rng.lognormvariate(7.8, 0.7)))))
            writer.writerow([i, text(120), image, document, image[::-1], rng.choice(LABELS), *ocr])


def read(reader: str, path: Path) -> int:
    """Read the whole file with one reader; the number of rows."""
    if reader == "ours":
        from factcheck.data import open_claims

        return sum(table.num_rows for table in open_claims(path).batches(256))
    if reader == "pandas":
        import pandas as pd

        return len(pd.read_csv(path, sep="\t"))
    if reader == "pandas-chunks":
        import pandas as pd

        return sum(len(frame) for frame in pd.read_csv(path, sep="\t", chunksize=256))
    csv.field_size_limit(2**26)
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file, delimiter="\t"))


def peak_memory() -> int:
    """Highest resident memory of this process so far, bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts the parent's memory up to exec
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(reader: str, path: Path) -> None:
    """Entry point of a measuring process: prints one JSON line."""
    with tempfile.TemporaryDirectory() as folder:  # imports and first-use costs are not the reader's speed
        small = Path(folder) / "warm.csv"
        write_factify(small, 20)
        read(reader, small)
    before = peak_memory()
    started, cpu_started = time.perf_counter(), time.process_time()
    rows = read(reader, path)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu_seconds": cpu_seconds, "memory": peak_memory() - before}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=35_000, help="rows of the generated file (Factify 2 train: 35,000)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each reader")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--measure", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure[0], Path(args.measure[1]))
        return
    runs: dict[str, list[dict]] = {reader: [] for reader in READERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        write_factify(path, args.rows)
        size = path.stat().st_size
        for _ in range(args.repeats):
            for reader in READERS:
                command = [sys.executable, __file__, "--measure", reader, str(path)]
                runs[reader].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    assert {run["rows"] for all_runs in runs.values() for run in all_runs} == {args.rows}
    print(f"{args.rows} rows, {size / 1e6:.0f} MB, median of {args.repeats}\n")
    print(f"{'reader':<14} {'rows/s':>9} {'MB/s':>7} {'time/csv':>9} {'added peak MB':>14}")
    figures = {}
    for reader in READERS:
        seconds = statistics.median(run["cpu_seconds"] for run in runs[reader])
        memory = statistics.median(run["memory"] for run in runs[reader])
        figures[reader] = {"rows_per_s": args.rows / seconds, "mb_per_s": size / 1e6 / seconds, "peak_mb": memory / 1e6}
    base = figures["csv"]["rows_per_s"]
    for reader, f in figures.items():
        ratio = base / f["rows_per_s"]
        print(f"{reader:<14} {f['rows_per_s']:>9.0f} {f['mb_per_s']:>7.1f} {ratio:>9.2f} {f['peak_mb']:>14.1f}")
    if args.out:
        result = {"rows": args.rows, "bytes": size, "repeats": args.repeats, "readers": figures, "runs": runs}
        args.out.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
