"""Precision of the differences between claim and evidence, by hand-made labels; and what they alone would decide.

    FACTCHECK_DATA=DATA python benchmarks/differences.py            # precision over benchmarks/differences_labels.jsonl
    python benchmarks/differences.py --pairs pairs.jsonl            # a stance by rule alone, by the first letter of the id
    FACTCHECK_DATA=DATA python benchmarks/differences.py --draw 120 --seed 3 --half fresh > sheet.jsonl
    python benchmarks/differences.py --speed                        # pairs a second, needs FACTCHECK_DATA

DATA holds ``more/{train,val}.jsonl`` and ``claims-text/{train,val}.jsonl``: rows of ``id, source, claim, document, label``. The
labels name rows and characters, not texts, whose licences differ. Each was read by a person who was shown the claim, the whole
evidence sentence and the two values, and asked: for ``conflicting``, does the evidence sentence say something of the very thing
that the claim speaks of that cannot be true together with the claim's value? For ``equal`` and ``compatible``: does it say, of
the same thing, the same value, or one that the claim's value allows? Labels are kept for differences that the rules no longer
find; precision is over those that they do.

Rules were tuned on one half of the rows by a hash of their id (``--half tuned``) and measured on sheets of the other
(``--half fresh``), each drawn anew after the rules had been changed by what the last one showed: the figure for a sheet when it
was judged is that of rules that had not seen it.
"""

import argparse
import collections
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from factcheck.differences import Difference, Kind, Relation, compare, token_relations

LABELS = Path(__file__).with_name("differences_labels.jsonl")
FILES = ("more/train.jsonl", "more/val.jsonl", "claims-text/train.jsonl", "claims-text/val.jsonl")
#: Rows of a source that a sheet looks at, and differences of a source and kind that it takes.
LOOKED, MOST = 1000, 8


def data_folder() -> Path:
    folder = os.environ.get("FACTCHECK_DATA")
    if not folder or not (Path(folder) / FILES[0]).is_file():
        sys.exit("set FACTCHECK_DATA to the folder that holds more/ and claims-text/")
    return Path(folder)


def rows() -> Iterator[dict[str, Any]]:
    folder = data_folder()
    for name in FILES:
        with (folder / name).open(encoding="utf-8") as lines:
            yield from (row for row in map(json.loads, lines) if row.get("language", "en") == "en")


def is_fresh(row: dict[str, Any]) -> bool:
    return int(hashlib.md5(row["id"].encode()).hexdigest(), 16) % 10 >= 5


def place(difference: Difference) -> dict[str, Any]:
    """A difference without its texts."""
    return {
        "kind": difference.kind.value,
        "relation": difference.relation.value,
        "claim": [difference.claim_start, difference.claim_end],
        "evidence": [difference.sentence, difference.start, difference.end],
    }


def group(difference: Difference) -> str | None:
    """What a sheet and the figures count a difference to."""
    if difference.relation is Relation.CONFLICTING:
        return "conflicting"
    if difference.relation is Relation.ABSENT:
        return None
    return "names and roles met" if difference.kind in (Kind.NAME, Kind.ROLE) else "values met"


def draw(count: int, seed: int, half: str) -> None:
    """A sheet of ``count`` conflicts, as many values met and a quarter as many names and roles, of rows not judged yet, with texts."""
    rng = random.Random(seed)
    judged = {json.loads(line)["id"] for line in LABELS.read_text("utf-8").splitlines()} if LABELS.is_file() else set()
    by_source = collections.defaultdict(list)
    for row in rows():
        if is_fresh(row) == (half == "fresh") and row["id"] not in judged:
            by_source[row["source"]].append(row)
    found = collections.defaultdict(list)
    for source in sorted(by_source):
        taken: collections.Counter[tuple[str, str]] = collections.Counter()
        rng.shuffle(by_source[source])
        for row in by_source[source][:LOOKED]:
            for difference in compare(row["claim"], row["document"]):
                name = group(difference)
                if name is not None and taken[name, difference.kind] < MOST:
                    taken[name, difference.kind] += 1
                    found[name].append((row, difference))
                    break  # one a row
    for name, wanted in (("conflicting", count), ("values met", count), ("names and roles met", count // 4)):
        rng.shuffle(found[name])
        for row, d in found[name][:wanted]:
            texts = {
                "said": d.claim_value,
                "met": d.value,
                "text": row["claim"],
                "by": row["document"][d.sentence or 0],
            }
            print(json.dumps({"id": row["id"], **place(d), "right": None, **texts}, ensure_ascii=False))


def precision() -> None:
    labels = collections.defaultdict(list)
    for line in LABELS.read_text("utf-8").splitlines():
        label = json.loads(line)
        labels[label["id"]].append(label)
    counts: dict[tuple[str, str], collections.Counter[bool]] = collections.defaultdict(collections.Counter)
    gone = 0
    for row in rows():
        if row["id"] not in labels:
            continue
        now = {json.dumps(place(d)): d for d in compare(row["claim"], row["document"])}
        for label in labels.pop(row["id"]):
            found = now.get(json.dumps({name: label[name] for name in ("kind", "relation", "claim", "evidence")}))
            if found is None:
                gone += 1
                continue
            name = group(found) or "absent"
            counts[name, "all"][label["right"]] += 1
            counts[name, label["kind"]][label["right"]] += 1
    for (name, kind), count in sorted(counts.items(), key=lambda item: (item[0][0], item[0][1] != "all", item[0][1])):
        print(f"{name:20} {kind:11} {count[True] / count.total():.3f} ({count[True]} of {count.total()})")
    print(f"labelled differences that the rules no longer find: {gone}; labelled rows not in DATA: {len(labels)}")


def by_rule(claim: str, document: list[str]) -> str:
    """A conflict refutes; every value met and every word of the claim in the evidence supports; else insufficient."""
    found = compare(claim, document)
    if any(d.relation is Relation.CONFLICTING for d in found):
        return "refute"
    if any(d.relation is Relation.ABSENT for d in found):
        return "insufficient"
    mine, _ = token_relations(claim, " ".join(document))
    covered = {i for start, end, _ in mine for i in range(start, end)}
    evidence = " ".join(document).casefold().split()
    held = {word.strip(".,;:!?()") for word in evidence}
    at, left = 0, []
    for word in claim.split():
        at = claim.index(word, at)
        if at not in covered and word.strip(".,;:!?()").casefold() not in held:
            left.append(word)
        at += len(word)
    return "insufficient" if left else "support"


def pairs(path: Path) -> None:
    right: dict[str, list[bool]] = collections.defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        document = [row["document"]] if isinstance(row["document"], str) else row["document"]
        right[row["id"][0]].append(by_rule(row["claim"], document) == row["label"])
    for letter, hits in sorted(right.items()):
        print(f"{letter}: {sum(hits)} of {len(hits)}")


def speed() -> None:
    short = [(r["claim"], r["document"]) for r in rows() if len(r["claim"]) + sum(map(len, r["document"])) <= 300][
        :4000
    ]
    for name, run in (("compare", compare), ("token_relations", lambda c, d: token_relations(c, " ".join(d)))):
        start = time.process_time()
        for claim, document in short:
            run(claim, document)
        print(
            f"{name}: {len(short) / (time.process_time() - start):.0f} pairs of at most 300 characters a second of CPU"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", type=int, help="print a sheet of so many conflicts and values met, to be judged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--half", choices=("tuned", "fresh"), default="fresh")
    parser.add_argument("--pairs", type=Path, help="labelled pairs to decide by rule alone")
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    if args.draw:
        draw(args.draw, args.seed, args.half)
    elif args.pairs:
        pairs(args.pairs)
    elif args.speed:
        speed()
    else:
        precision()


if __name__ == "__main__":
    main()
