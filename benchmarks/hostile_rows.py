"""Random hostile tables through ``factcheck verify`` with a tiny model: rows in, rows out, statuses, tracebacks, hangs, mixed-up rows.

    python benchmarks/hostile_rows.py [--rows 100000] [--first 0]

Tables of 2,000 rows take turns: CSV and TSV without quoting and with stray marks, well quoted ones, JSONL, Parquet. Their cells hold
control characters, marks, NULs, bytes that are not UTF-8, huge fields, other types, bad dates and image cells; rows have other widths and
ids come twice. Each text names its row, by which evidence of another's is seen. The model is made on the spot: random weights.
"""

import argparse
import contextlib
import csv
import io
import json
import random
import re
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import transformers

from factcheck.cli import main as factcheck
from factcheck.commands.common import quiet_libraries
from factcheck.models.folder import save_model
from factcheck.models.text import load_text_model
from factcheck.models.verdict import VerdictConfig, VerdictModel

ROWS, LONGEST_S = 2_000, 1_200
NAMES = ("id", "claim", "document", "claim_image", "document_image", "claim_ocr", "document_ocr", "label", "date")
WORDS = ["the", "a", "dog", "cat", "court", "minister", "said", "water", "not", "no"]
WORDS += ["two", "2019", "5%", "1,000", "news", "city", "moon", "vaccine"]
ODD = [
    *(
        "\x00",
        "\x01",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1e",
        "\x7f",
        "\x85",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\u202e",
        "\u200b",
        "\ufffd",
    ),
    *(
        '"',
        '""',
        "'",
        "\\",
        "=cmd|' /C calc'!A0",
        "[red]",
        "<script>",
        "\x1b[31m",
        "{}",
        "&amp;",
        "e\u0301",
        "🙂",
        "\\N",
        "NaN",
        "null",
    ),
]
DATES = [
    "",
    "2020-01-02",
    "31-10-2020",
    "5/3/2020",
    "32/13/2020",
    "0000-00-00",
    "9" * 40,
    "yesterday",
    "2020-02-30T25:00",
]
IMAGES = [
    "",
    "None",
    "no/such.jpg",
    "../../etc/passwd",
    "http://x.invalid/a.jpg",
    "['a.jpg', 'b.jpg']",
    "[",
    "\x00",
    "a" * 5000,
]
LABELS = ["", "Refute", "supports", "NOT ENOUGH INFO", "mostly-true", "0", "Support_Multimodal", '"']


def text(rng: random.Random, number: int, odd: float) -> str:
    """A sentence or two that name their row."""
    words = [rng.choice(ODD) if rng.random() < odd else rng.choice(WORDS) for _ in range(rng.randint(1, 12))]
    if rng.random() < 0.001:
        words *= 20_000
    return " ".join([f"<{number}>", *words, f"<{number}>."])


def cells(rng: random.Random, number: int) -> dict[str, Any]:
    """A row; in some everything is in order."""
    odd = rng.choice((0, 0, 0.05, 0.4))
    bad = odd > 0 and rng.random() < 0.5
    return {
        "id": f"{number - (bad and rng.random() < 0.2)}.json",
        "claim": text(rng, number, odd) if rng.random() > 0.02 else "",
        "document": text(rng, number, odd) if rng.random() > 0.05 else "",
        "claim_image": rng.choice(IMAGES) if bad else "",
        "document_image": rng.choice(IMAGES) if bad else "",
        "claim_ocr": text(rng, number, odd) if bad else "",
        "document_ocr": "",
        "label": rng.choice(LABELS),
        "date": rng.choice(DATES) if bad else "2020-01-02",
    }


def write_plain(rng: random.Random, path: Path, first: int) -> None:
    """A line a row, unquoted: marks stand anywhere, and some rows have other widths or broken bytes."""
    delimiter, lines = ("," if path.suffix == ".csv" else "\t"), [NAMES]
    marks = rng.choice((0.0, 0.02, 0.3))
    for number in range(first, first + ROWS):
        row = [str(value) for value in cells(rng, number).values()]
        for place in range(1, len(row)):
            if rng.random() < marks:
                row[place] = rng.choice(('"{}', '{}"', '"{}"', '""{}', 'x "{}')).format(row[place])
        if rng.random() < 0.02:
            row = row[: rng.randint(1, 8)] if rng.random() < 0.5 else [*row, "one more"]
        lines.append(row)
    raw = "\n".join(delimiter.join(re.sub(r"[\r\n]", " ", part) for part in row) for row in lines).encode()
    body = bytearray(raw)
    for _ in range(rng.choice((0, 20))):
        place = rng.randrange(len(NAMES) * 20, len(body))
        if body[place : place + 1] not in (b"\n", b'"', delimiter.encode()):
            body[place] = 0xFF
    path.write_bytes(bytes(body) + b"\n")


def write_quoted(rng: random.Random, path: Path, first: int) -> None:
    """As the csv module writes it, with line ends in fields."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="," if path.suffix == ".csv" else "\t", lineterminator="\n")
        writer.writerow(NAMES)
        for number in range(first, first + ROWS):
            row = cells(rng, number)
            row["document"] = row["document"].replace(" the ", " the,\n") if rng.random() < 0.5 else row["document"]
            writer.writerow(row.values())


def write_jsonl(rng: random.Random, path: Path, first: int) -> None:
    """Objects one a line or two, some with values of other types, cut, or of broken bytes."""
    others: list[Any] = [
        None,
        True,
        3,
        1.5,
        [],
        {},
        [[]],
        ["a", 3],
        {"bytes": 3},
        "\ud800",
        ["x.jpg", None],
        10**400,
        [None],
    ]
    lines, number = [], first
    while number < first + ROWS:
        row = {name: value for name, value in cells(rng, number).items() if rng.random() > 0.02}
        while rng.random() < 0.2:
            row[rng.choice(NAMES)] = rng.choice(others)
        line = json.dumps(row, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        roll = rng.random()
        if roll < 0.02:
            line = line[: rng.randint(1, len(line) - 1)]
        elif roll < 0.03:
            line = b'{"claim": ' + b"[" * 5000
        elif roll < 0.04:
            line = line.replace(b"the", b"\xff")
        elif roll < 0.05 and number + 1 < first + ROWS:
            number += 1
            line += json.dumps(cells(rng, number)).encode()
        lines.append(line.replace(b"\n", b" "))
        number += 1
    path.write_bytes(b"\n".join(lines))


def write_parquet(rng: random.Random, path: Path, first: int) -> None:
    """Columns of odd types, and texts that are not UTF-8."""
    rows = [cells(rng, number) for number in range(first, first + ROWS)]
    columns: dict[str, Any] = {name: pa.array([row[name] for row in rows], pa.string()) for name in NAMES}
    broken = [
        b"\xff\xfe" + row["claim"].encode() if rng.random() < 0.05 else row["claim"].encode("utf-8") for row in rows
    ]
    binary = pa.array(broken, pa.binary())
    columns["claim"] = pa.Array.from_buffers(pa.string(), len(binary), binary.buffers())
    dates = pa.array([rng.choice((0, 18_000, 10**8, -(10**8), None)) for _ in rows], pa.int32())
    columns["date"] = rng.choice((dates.cast(pa.date32()), columns["date"]))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    values = [
        None,
        {"bytes": b"no image", "path": None},
        {"bytes": b"", "path": ""},
        {"bytes": None, "path": "x\x00.jpg"},
    ]
    columns["claim_image"] = pa.array([rng.choice(values) for _ in rows], kind)
    pq.write_table(pa.table(columns), path, row_group_size=500)


WRITERS = {"plain.csv": write_plain, "plain.tsv": write_plain, "quoted.csv": write_quoted, "quoted.tsv": write_quoted}
WRITERS |= {"rows.jsonl": write_jsonl, "rows.parquet": write_parquet}


def tiny_model(folder: Path) -> Path:
    """A verdict model of one layer of 32 and random weights, with a tokenizer of letters and some words."""
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *WORDS]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces)), "utf-8")
    tokenizer = transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=len(tokenizer), max_position_embeddings=128, **sizes)
    transformers.BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    small = {"image_encoder": None, "max_length": 64, "max_claim_tokens": 24, "fusion_dim": 32, "fusion_heads": 2}
    settings = VerdictConfig(text_model=str(folder / "bert"), **small)
    model = VerdictModel(settings, load_text_model(str(folder / "bert")), None)
    selection = {"top_k": 3, "retrieval_encoder": "bundled", "retrieval_method": "bm25"}
    return save_model(model, folder / "model", preprocessing=selection, tokenizer=tokenizer)


def mixed_up(out: Path, first: int) -> int:
    """Verdicts whose evidence names other rows than the one at their place."""
    wrong = 0
    table = pq.read_table(out, columns=["evidence"])
    for number, evidence in enumerate(table["evidence"].to_pylist(), first):
        named = {found for piece in evidence or () for found in re.findall(r"<(\d+)>", piece["text"] or "")}
        wrong += bool(named - {str(number)})
    return wrong


def run(name: str, path: Path, first: int, model: Path, counts: Counter[str]) -> None:
    """Verify one table and count what came of it."""
    out, said = path.with_name(f"{first}.parquet"), io.StringIO()
    start = time.monotonic()
    signal.alarm(LONGEST_S)
    counts["rows in"] += ROWS
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            code = factcheck(["verify", str(path), "--out", str(out), "--model", str(model), "--no-attribution"])
    except TimeoutError:
        counts["hangs"] += 1
        return
    except BaseException as error:
        counts["tracebacks"] += 1
        print(f"{name}, rows from {first}: {type(error).__name__}: {error}")
        return
    finally:
        signal.alarm(0)
    if not out.exists():
        counts["refused files"] += 1
        print(f"{name}, rows from {first}: code {code}: {said.getvalue().strip()[-300:]}")
        return
    statuses = pq.read_table(out, columns=["status"])["status"].to_pylist()
    counts.update(statuses)
    counts["rows out"] += len(statuses)
    counts["files of other length"] += len(statuses) != ROWS
    counts["rows with another's evidence"] += mixed_up(out, first) if len(statuses) == ROWS else 0
    counts["tracebacks"] += "Traceback" in said.getvalue()
    took = time.monotonic() - start
    print(f"{name:<13} from {first:>7}: {len(statuses)} rows, {took:.0f} s, {dict(Counter(statuses))}", flush=True)


def stop(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first row, to run in parts")
    args = parser.parse_args()
    quiet_libraries()
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, stop)
    counts: Counter[str] = Counter(dict.fromkeys(("rows in", "rows out", "tracebacks", "hangs", "refused files"), 0))
    with tempfile.TemporaryDirectory() as scratch:
        model = tiny_model(Path(scratch))
        for turn, first in enumerate(range(args.first, args.first + args.rows, ROWS), args.first // ROWS):
            name = list(WRITERS)[turn % len(WRITERS)]
            path = Path(scratch) / name
            WRITERS[name](random.Random(first), path, first)
            run(name, path, first, model, counts)
            path.unlink()
    print(json.dumps(counts, indent=2))


if __name__ == "__main__":
    main()
