"""Random delimited claims tables: how many rows are read, how many are marked as errors, and whether any is lost or holds another's text.

    python benchmarks/fuzz_tables.py [--tables 20000] [--seed 0] [--kinds quoted,plain,half]

Every cell names its row and column (``r3c1``), among words, quotation marks and delimiters. ``quoted`` tables are as the csv module writes
them, with line ends in cells; ``plain`` ones do not quote and have marks anywhere; in ``half`` ones every other row is quoted. They
have one to four columns and one to eight rows, with a header or without, and the delimiter is told to the reader or not.
"""

import argparse
import csv
import io
import logging
import random
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from factcheck.data import open_claims
from factcheck.data.claims import ClaimsFormat
from factcheck.errors import InputError

NAMES = ("claim", "document", "id", "label")
DELIMITERS = {",": "comma", ";": "semicolon", "|": "pipe", "\t": "tab"}
KINDS = ("quoted", "plain", "half")
LABELS = ("support", "refute", "insufficient")


@dataclass
class Case:
    """A table, what is in it, and how the reader is told to read it."""

    text: str
    cells: list[list[str]]
    options: dict = field(default_factory=dict)


def cell(rng: random.Random, place: str, delimiter: str, kind: str) -> str:
    """Some words, one of which is ``place``."""
    others = [mark for mark in ",;|" if mark != delimiter]
    words = ["foo", "bar", "it is", "x", *others, '"', *(["q"] if kind == "quoted" else ['""'])]
    words += [delimiter] * 2 + ["\n"] * 2 if kind == "quoted" else []
    chosen = [place, *(rng.choice(words) for _ in range(rng.randint(0, 4)))]
    rng.shuffle(chosen)
    return rng.choice(("", " ")).join(chosen)


def make(rng: random.Random, kind: str) -> Case:
    """A random table."""
    delimiter, width, rows = rng.choice(",;|\t"), rng.randint(1, 4), rng.randint(1, 8)
    header, told = rng.random() < 0.7, rng.random() < 0.5
    cells = [[cell(rng, f"r{i}c{j}", delimiter, kind) for j in range(width)] for i in range(rows)]
    for i, row in enumerate(cells):
        if width == 4:
            row[3] = LABELS[i % 3]
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    lines = []
    for row in [list(NAMES[:width])] * header + cells:
        stream = io.StringIO()
        csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerow(row)
        quoted = kind == "quoted" or (kind == "half" and rng.random() < 0.5)
        lines.append(stream.getvalue()[:-1] if quoted else delimiter.join(row))
    options: dict = {"delimiter": DELIMITERS[delimiter]} if told else {}
    if not header:
        options |= {"header": "none", "columns": {name: str(j) for j, name in enumerate(NAMES[:width], 1)}}
    return Case("\n".join(lines) + "\n", cells, options)


def look(case: Case, path: Path, counts: Counter[str]) -> str | None:
    """Read a table and count what came of it; what is wrong with that."""
    path.write_text(case.text, "utf-8", newline="")
    try:
        tables = open_claims(path, format=ClaimsFormat(**case.options), on_error="mark").batches(500)
        found = [row for table in tables for row in table.to_pylist()]
    except InputError:
        counts["tables refused"] += 1
        return None
    counts["rows in"] += len(case.cells)
    counts["rows out"] += len(found)
    good = [(place, row) for place, row in enumerate(found) if row["status"] != "error"]
    counts["error rows"] += len(found) - len(good)
    names = NAMES[: len(case.cells[0])]
    for place, row in good:
        whose = {number for name in names for number in re.findall(r"r(\d+)c", row[name] or "")}
        if len(whose) > 1:
            return "rows merged"
        if len(found) == len(case.cells) and any(
            f"r{place}c{j}" not in (row[n] or "") for j, n in enumerate(names[:3])
        ):
            return "text in another column or cut"
    return "rows lost" if len(found) < len(case.cells) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    args = parser.parse_args()
    logging.getLogger("retrieval").setLevel(logging.ERROR)
    shortest: dict[tuple[str, str], Case] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.kinds.split(","):
            rng, counts, wrong = random.Random(f"{args.seed} {kind}"), Counter[str](), Counter[str]()
            for _ in range(args.tables):
                case = make(rng, kind)
                fault = look(case, Path(folder) / "t.csv", counts)
                if fault is not None:
                    what = f"{fault} (of {'one column' if len(case.cells[0]) == 1 else 'several columns'})"
                    wrong[what] += 1
                    shortest[kind, what] = min(case, shortest.get((kind, what), case), key=lambda c: len(c.text))
            print(f"{kind}: {args.tables} tables, {dict(counts)}; wrong: {dict(wrong)}", flush=True)
    for (kind, fault), case in shortest.items():
        print(f"\n{kind}, {fault}: {case.text!r} {case.options}")


if __name__ == "__main__":
    main()
