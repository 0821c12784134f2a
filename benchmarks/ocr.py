"""Text read in photos against the text that was laid over them, and what it does to verdicts.

    python benchmarks/ocr.py FACTIFY [--table val.csv] [--rows 500]

FACTIFY is a folder in the Factify 2 format whose ``Claim OCR`` is known (flickr-factify). Text that runs over the edge of its photo counts
as read if what can be seen of it was. Verdicts of the bundled model are compared with OCR left out, read, and as given.
"""

import argparse
import difflib
import re
import time
from pathlib import Path

import pyarrow as pa
from sklearn.metrics import f1_score

from factcheck import Verifier
from factcheck.data import load_images, open_claims
from factcheck.data.ocr import ImageTextReader, fill_ocr


def letters(text: str | None) -> str:
    return re.sub(r"\W+", "", text or "").lower()


def is_read(given: str, found: str) -> bool:
    given, found = letters(given), letters(found)
    seen = given[: len(found)] if len(found) >= 4 and len(found) < len(given) else given
    return difflib.SequenceMatcher(None, seen, found).ratio() >= 0.9


def without_ocr(table: pa.Table) -> pa.Table:
    for name in ("claim_ocr", "document_ocr"):
        table = table.set_column(table.column_names.index(name), name, pa.nulls(len(table), pa.string()))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", default="val.csv")
    parser.add_argument("--rows", type=int, default=500)
    arguments = parser.parse_args()
    table = pa.concat_tables(open_claims(arguments.folder / arguments.table).batches(256)).slice(0, arguments.rows)
    table = load_images(table, arguments.folder)
    bare = without_ocr(table)
    start = time.perf_counter()
    reader = ImageTextReader()
    filled, _ = fill_ocr(bare, reader)
    seconds = time.perf_counter() - start
    pairs = list(zip(table.column("claim_ocr").to_pylist(), filled.column("claim_ocr").to_pylist(), strict=True))
    overlaid = [(given, found) for given, found in pairs if letters(given)]
    plain = [found for given, found in pairs if not letters(given)]
    print(f"{len(table)} rows, {seconds / (2 * len(table)):.3f} s a photo on one thread")
    print(
        f"overlays read exactly or nearly: {sum(is_read(g, f or '') for g, f in overlaid) / len(overlaid):.3f} of {len(overlaid)}"
    )
    print(f"photos without an overlay in which something is read: {sum(map(bool, plain))} of {len(plain)}")
    truth = table.column("label").to_pylist()
    off = Verifier.load("bundled", attribution=False)
    fill = off.replace(ocr=reader)
    for name, verifier, version in (("left out", off, bare), ("filled", fill, bare), ("as given", off, table)):
        labels = verifier.verify_batch(version).column("label").to_pylist()
        known = [(t, label) for t, label in zip(truth, labels, strict=True) if t and label]
        print(f"OCR {name}: weighted F1 {f1_score(*zip(*known, strict=True), average='weighted'):.3f}", flush=True)


if __name__ == "__main__":
    main()
