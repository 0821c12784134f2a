"""Damaged and hostile folders: how many load, how many are refused in one line, how many end in a traceback, a crash or a hang.

    python benchmarks/fuzz_folders.py [--cases 300] [--kinds model,index-manifest] [--first 0]

Each case damages one file of a good folder, loads it and uses what was loaded. Configurations and manifests lose a field or hold another
value; other files have bytes flipped, cut, moved or added, arrays and tables have values that point nowhere, and an index's manifest
gets the checksums of the damaged files. Encoders and model folders bring their weights as pickles, some of which run code when they are
read. Cases run in processes of their own, with at most 16 GiB, and are ended after a minute of processor time, so that other work on
the machine does not count, or ten minutes on the clock; any other signal that ends one counts as a crash. The exit status is 1 where
any case did anything but load or be refused in one line.
"""

import argparse
import copy
import json
import os
import pickle
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = (
    "model",
    "own-text-model",
    "image-encoder",
    "index-manifest",
    "index-files",
    "index-tables",
    "encoder-files",
    "pickled-encoder",
)
OUTCOMES = (
    "refused in one line",
    "loads and works",
    "refused at length",
    "traceback",
    "crash",
    "timeout",
    "code was run",
)
LONGEST_S, WAITING_S, MEMORY = 60, 600, 16 * 2**30
LONGEST_MESSAGE = 1000
VALUES = (None, -1, 0, 3, 10**7, 2**63, 1e308, float("nan"), True, "", "x", "../x", [], {}, [[]], {"a": 1}, "x" * 10**6)
NUMBERS = (-1, 0, 1, 7, 2**31 - 1, -(2**31), 10**6)
SENTENCES = (
    "The court said no.",
    "Two dogs met a cat.",
    "The vaccine is 5% water.",
    "The minister saw the moon in 2019.",
)


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Every place in a configuration, long lists by their first item."""
    found = [path] if path else []
    items: Any = (
        value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    )
    for key, item in items:
        found += places(item, (*path, key))
    return found


def mutate(config: Any, rng: random.Random) -> Any:
    """A copy in which one place holds something else, or is gone."""
    changed = copy.deepcopy(config)
    found = places(config)
    if not found or rng.random() < 0.03:
        return rng.choice(VALUES)
    *inner, last = rng.choice(found)
    target: Any = changed
    for key in inner:
        target = target[key]
    if rng.random() < 0.2:
        del target[last]
    else:
        target[last] = rng.choice(VALUES)
    return changed


def mutate_json(path: Path, rng: random.Random) -> None:
    path.write_text(json.dumps(mutate(json.loads(path.read_text("utf-8")), rng)), "utf-8")


def mutate_bytes(path: Path, rng: random.Random) -> None:
    """Flip, replace, cut, add or swap; in half of the cases mostly near the beginning, where formats keep their sizes."""
    bend = rng.choice((1, 5))
    data = bytearray(path.read_bytes())
    if not data:
        path.write_bytes(b"\x00" * rng.randint(1, 64))
        return
    at = int(len(data) * rng.random() ** bend)
    kind = rng.randrange(6)
    if kind <= 1:
        for _ in range(rng.choice((1, 2, 8))):
            data[int(len(data) * rng.random() ** bend)] ^= 1 << rng.randrange(8)
    elif kind == 2:
        data[at : at + 8] = rng.choice((b"\xff" * 8, b"\x00" * 8, (2**40).to_bytes(8, "little")))
    elif kind == 3:
        del data[at:]
    elif kind == 4:
        data += bytes(rng.randbytes(rng.choice((1, 8, 4096))))
    else:
        data = data[at:] + data[:at]
    path.write_bytes(bytes(data))


def mutate_array(path: Path, rng: random.Random, marker: Path) -> None:
    """An array with values, a type or a shape that it cannot have, or with objects that run code when they are read."""
    import numpy as np

    array = np.load(path)
    kind = rng.randrange(6)
    if kind == 0:
        np.save(path, np.array([Planted(marker)], object), allow_pickle=True)
    elif kind == 1:
        np.save(path, array.astype(rng.choice((np.float64, np.int8, np.uint64, bool, "S8", complex))))
    elif kind == 2:
        np.save(path, array[: rng.randint(0, len(array))] if rng.random() < 0.5 else np.concatenate([array, array]))
    elif kind == 3:
        np.save(path, array.reshape(-1, 1) if rng.random() < 0.5 else array.sum())
    elif len(array):
        with np.errstate(all="ignore"):
            array[rng.randrange(len(array))] = np.array(rng.choice(NUMBERS)).astype(array.dtype)
        np.save(path, array)
    else:
        np.save(path, np.array([rng.choice(NUMBERS)], array.dtype))


def mutate_arrow(path: Path, rng: random.Random) -> None:
    """A table with a number that points nowhere, a missing value, a row too many or too few, or another column."""
    import pyarrow as pa

    table = pa.ipc.open_file(path).read_all()
    rows, name = table.to_pylist(), rng.choice(table.column_names)
    schema = table.schema
    kind = rng.randrange(4)
    if kind == 0 and rows:
        rows.pop(rng.randrange(len(rows)))
    elif kind == 1 and rows:
        rows.append(rng.choice(rows))
    elif kind == 2 and rows:
        odd = NUMBERS if pa.types.is_integer(schema.field(name).type) else ("", "x" * 10**5, "{", "[1]", "2020-99-99")
        rng.choice(rows)[name] = rng.choice((None, *odd))
    else:
        schema = (
            schema.remove(schema.get_field_index(name))
            if rng.random() < 0.5
            else schema.append(pa.field("more", pa.int8()))
        )
    with pa.ipc.new_file(path, schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema))


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def mutate_weights(folder: Path, rng: random.Random, marker: Path) -> None:
    """Weights as a pickle: PyTorch's own, damaged ones, and some that run code."""
    import torch
    from safetensors.torch import load_file

    safe = next(folder.glob("*.safetensors"))
    state: Any = load_file(safe)
    if rng.random() < 0.9:
        safe.unlink()
    path = folder / rng.choice(("pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.pt", "model.bin"))
    kind = rng.randrange(5)
    if kind == 0:
        path.write_bytes(pickle.dumps(Planted(marker)))
    elif kind == 1:
        torch.save(state | {"more": Planted(marker)}, path)
    elif kind == 2:
        torch.save(state, path)
    elif kind == 3:
        torch.save(rng.choice((None, [], 3, {"a": state}, {1: 2})), path)
    else:
        torch.save(state, path)
        mutate_bytes(path, rng)
    if rng.random() < 0.3:
        (folder / "pytorch_model.bin.index.json").write_text(
            json.dumps({"weight_map": dict.fromkeys(state, path.name)})
        )


def prepare(work: Path) -> None:
    """The good folders, made once."""
    import hostile_rows
    from PIL import Image

    from factcheck.models.folder import bundled_image_encoder, resolve_model
    from factcheck.verification.image_vectors import ImageVectors
    from retrieval import build_index

    shutil.copytree(resolve_model("bundled"), work / "model")
    shutil.copytree(bundled_image_encoder(), work / "image-encoder")
    (work / "tiny").mkdir()
    shutil.copytree(hostile_rows.tiny_model(work / "tiny"), work / "own-text-model")
    shutil.copytree(work / "tiny" / "bert", work / "encoder")
    rows = []
    for number in range(30):
        Image.new("RGB", (40, 30), (number * 8, 99, 5)).save(work / f"{number}.png")
        text = " ".join(SENTENCES[number % 3 :]) + f" This is number {number}."
        rows.append(
            {"id": str(number), "text": text, "date": f"2020-01-{number + 1:02}", "title": "a", "more": [number]}
        )
        rows[-1] |= {"images": [{"path": f"{number}.png", "caption": "a dog"}]} if number % 2 else {}
    (work / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    images = ImageVectors(work / "image-encoder")
    for name, factory in (("index", None), ("index-ivf", "IVF8,PQ32x4fs")):
        build_index(work / "corpus.jsonl", work / name, factory=factory, image_encoder=images, cache=False)


def damage(kind: str, work: Path, folder: Path, rng: random.Random, marker: Path) -> None:
    """Put a damaged copy of a good folder at ``folder``."""
    index = rng.choice(("index", "index-ivf"))
    source = {
        "index-manifest": index,
        "index-files": index,
        "index-tables": index,
        "encoder-files": "encoder",
        "pickled-encoder": "encoder",
    }
    shutil.copytree(work / source.get(kind, kind), folder)
    if kind == "pickled-encoder":
        mutate_weights(folder, rng, marker)
    elif kind in ("model", "image-encoder"):
        mutate_json(folder / ("calibration.json" if kind == "model" and rng.random() < 0.1 else "config.json"), rng)
    elif kind == "index-manifest":
        (mutate_json if rng.random() < 0.9 else mutate_bytes)(folder / "manifest.json", rng)
    elif kind in ("index-files", "index-tables"):
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        data = folder / manifest["data"]
        if kind == "index-tables":
            mutate_bytes(rng.choice(sorted(data.glob("*.arrow"))), rng)
        else:
            damage_file(rng.choice(sorted(path for path in data.rglob("*") if path.is_file())), rng, marker)
        from retrieval.manifest import file_checksums

        manifest["files"] = file_checksums(data)
        (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    else:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
        damage_file(folder / "config.json" if rng.random() < 0.5 else rng.choice(files), rng, marker)


def damage_file(path: Path, rng: random.Random, marker: Path) -> None:
    by_format: dict[str, Callable[[], None]] = {
        ".json": lambda: mutate_json(path, rng),
        ".npy": lambda: mutate_array(path, rng, marker),
        ".arrow": lambda: mutate_arrow(path, rng),
    }
    if path.suffix in by_format and rng.random() < 0.6:
        by_format[path.suffix]()
    else:
        mutate_bytes(path, rng)


def use(kind: str, folder: Path, rng: random.Random) -> None:
    """Load what is in a folder and do with it what a user would."""
    if kind in ("model", "own-text-model"):
        from factcheck import Claim, Verifier

        verdict = Verifier.load(folder).verify(Claim(claim=SENTENCES[0], document=" ".join(SENTENCES)))
        assert verdict.stance in ("support", "insufficient", "refute"), verdict
    elif kind == "image-encoder":
        from factcheck.verification.image_vectors import ImageVectors

        assert ImageVectors(folder).embed_images([(folder.parent / "1.png").read_bytes()]).shape[0] == 1
    elif kind.startswith("index"):
        use_index(folder, rng)
    else:
        from retrieval import load_encoder

        assert load_encoder(folder).encode(list(SENTENCES)).shape[0] == len(SENTENCES)


def use_index(folder: Path, rng: random.Random) -> None:
    from factcheck.verification.image_vectors import ImageVectors
    from retrieval import open_index

    method = rng.choice(("hybrid", "dense", "bm25"))
    search = open_index(
        folder,
        method=method,
        image_encoder=ImageVectors(folder.parent / "image-encoder"),
        window=rng.choice((0, 1)),
    )
    for filters in (None, {"date_before": "2020-01-09"}, {"document_id": ["1", "2"]}):
        for hits in search.search([*SENTENCES, "a dog"], top_k=5, filters=filters):
            assert all(isinstance(hit.text, str) for hit in hits)
        if search.images.ready:
            search.images.search([(folder.parent / "1.png").read_bytes()], filters=filters)
            if method != "bm25":
                search.images.search_captions(["a dog"], filters=filters)


def attempt(kind: str, case: int, work: Path) -> tuple[str, str]:
    """The outcome of one case, and what was said."""
    from factcheck.errors import InputError

    rng = random.Random(f"{kind} {case}")
    folder, marker = work / f"case-{case}", work / "marker"
    shutil.rmtree(marker, ignore_errors=True)
    damage(kind, work, folder, rng, marker)
    try:
        use(kind, folder, rng)
        outcome, said = "loads and works", ""
    except InputError as error:
        said = str(error)
        outcome = "refused at length" if "\n" in said or len(said) > LONGEST_MESSAGE else "refused in one line"
    except Exception as error:
        trace, at = error.__traceback__, ""
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            at = f"{Path(name).name}:{trace.tb_lineno}" if "/factcheck/" in name or "/retrieval/" in name else at
            trace = trace.tb_next
        outcome, said = "traceback", f"{type(error).__name__} at {at}: {str(error)[:200]}"
    shutil.rmtree(folder)
    return ("code was run", said) if marker.exists() else (outcome, said[:300])


def work_through(kind: str, first: int, last: int, work: Path) -> None:
    """Entry point of a process that tries cases: a line for each."""
    from factcheck.commands.common import quiet_libraries

    quiet_libraries()
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no outcome
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for case in range(first, last):
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + LONGEST_S, resource.RLIM_INFINITY))
        print(json.dumps(attempt(kind, case, work)), file=said, flush=True)


def outcomes(kind: str, first: int, last: int, work: Path) -> list[tuple[str, str]]:
    """The outcomes of cases; after a crash or a hang another process goes on."""
    found: list[tuple[str, str]] = []
    while len(found) < last - first:
        start = first + len(found)
        command = [sys.executable, __file__, "--worker", kind, str(start), str(last), str(work)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=pass_on, args=(process.stdout, lines), daemon=True).start()
        errors: queue.Queue[str] = queue.Queue()
        threading.Thread(target=pass_on, args=(process.stderr, errors), daemon=True).start()
        while len(found) < last - first:
            try:
                line = lines.get(timeout=WAITING_S)
            except queue.Empty:
                process.kill()
                found.append(("timeout", ""))
                break
            if not line:
                status, said = process.wait(), "".join(errors.queue)[-300:]
                is_late = status == -signal.SIGXCPU
                found.append(("timeout", "") if is_late else ("crash", f"exit status {status} {said}"))
                break
            found.append(tuple(json.loads(line)))
        process.wait()
    return found


def pass_on(stream: Any, lines: "queue.Queue[str]") -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300, help="cases of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first case, to try others")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS), help=", ".join(KINDS))
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        kind, first, last, work = args.worker
        work_through(kind, int(first), int(last), Path(work))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        prepare(work)
        print(f"{'folder':<16} {'cases':>6} " + " ".join(f"{name:>20}" for name in OUTCOMES) + f" {'seconds':>8}")
        failed = 0
        for kind in args.kinds:
            start = time.monotonic()
            found = outcomes(kind, args.first, args.first + args.cases, work)
            counts = Counter(outcome for outcome, _ in found)
            row = " ".join(f"{counts[name]:>20}" for name in OUTCOMES)
            print(f"{kind:<16} {len(found):>6} {row} {time.monotonic() - start:>8.0f}", flush=True)
            failed += sum(outcome not in OUTCOMES[:2] for outcome, _ in found)
            for case, (outcome, said) in enumerate(found, args.first):
                if outcome not in OUTCOMES[:2]:
                    print(f"  {kind} {case}: {outcome}: {said}", file=sys.stderr, flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
