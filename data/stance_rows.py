"""Makes training and validation rows of the hand-written documents and claims in data/stance.

    python data/stance_rows.py OUT

writes OUT/train.jsonl and OUT/val.jsonl: ``id, source, claim, document, label, language`` a row, as other training files have them.
One document in sixteen is for validation, chosen by its text, so that the split stays as it is when documents are added. Needs the
standard library alone.
"""

import argparse
import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LABELS = ("support", "refute", "insufficient")


def rows(file: Path) -> list[list[dict[str, Any]]]:
    """The rows of one file, a list for each document; claims that stand there twice are left out."""
    documents = []
    for number, line in enumerate(file.read_text("utf-8").splitlines()):
        entry = json.loads(line)
        times = Counter(claim for label in LABELS for claim in entry[label])
        documents.append(
            [
                {
                    "id": f"{file.stem}-{number}-{label}-{place}",
                    "source": f"stance-{file.stem}",
                    "claim": claim,
                    "document": entry["document"],
                    "label": label,
                    "language": "en",
                }
                for label in LABELS
                for place, claim in enumerate(entry[label])
                if times[claim] == 1
            ]
        )
    return documents


def held_back(document: list[dict[str, Any]]) -> bool:
    """Whether the rows of a document are for validation."""
    text = " ".join(document[0]["document"])
    return int(hashlib.md5(text.encode()).hexdigest(), 16) % 16 == 0


def main() -> None:
    """Read the command line and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write to")
    out: Path = parser.parse_args().out
    documents = [document for file in sorted(HERE.glob("stance/*.jsonl")) for document in rows(file)]
    # Files that list one subject after another would otherwise be read so.
    random.Random(0).shuffle(documents)
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "val": []}
    for document in filter(None, documents):
        parts["val" if held_back(document) else "train"] += document
    out.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (out / f"{name}.jsonl").write_text(text, "utf-8")
        print(f"{out / name}.jsonl: {len(part)} rows, {dict(Counter(row['label'] for row in part))}")


if __name__ == "__main__":
    main()
