"""Sentence pairs for a larger model to label, made of the sentences of labelled ones.

    python benchmarks/unlabelled_pairs.py make DATA/claims-text/train.jsonl --source sick --claims DATA/flickr-factify/train.csv \
        --leave-out DATA/claims-text/val.jsonl DATA/flickr-factify/val.csv --out DATA/pairs.jsonl
    factcheck verify DATA/pairs.jsonl --model runs/teacher/model --no-attribution --out DATA/all.parquet
    python benchmarks/unlabelled_pairs.py thin DATA/pairs.jsonl DATA/all.parquet --out DATA/pairs.parquet

``make`` takes every sentence of one-sentence pairs and every claim of further tables, and pairs each with those nearest to it
in meaning (MiniLM): five of the nearest and two of the next 54, unless they are a labelled pair. Near sentences that nobody
paired are entailed, contradicted or neither about as often as one would wish; random ones have nothing to do with each other.
``thin`` keeps, in place, the pairs that the verdicts do not call insufficient with 90% and a share of the others, and writes
the verdicts of those that are left: ``soft_labels: {pairs.jsonl: pairs.parquet}`` in training.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from factcheck.data import open_claims
from factcheck.training.verdict.rows import TrainingRow, read_training_rows
from factcheck.verification.verdict_table import read_verdicts
from retrieval import load_encoder

NEAREST, NEXT, NEAR = 5, 2, 59


def key(text: str) -> str:
    """What makes two sentences the same."""
    return text.strip().rstrip(".").casefold()


def pairs_of(path: Path, source: str | None) -> Iterator[TrainingRow]:
    """Rows whose document is one sentence."""
    for row in read_training_rows(path):
        if len(row.document) == 1 and not row.split and source in (None, row.source):
            yield row


def claims_of(path: Path) -> Iterator[str]:
    for table in open_claims(path).batches(512):
        yield from (claim for claim in table["claim"].to_pylist() if claim)


def make(args: argparse.Namespace) -> None:
    left_out = set()
    for path in args.leave_out:
        left_out |= {key(claim) for claim in claims_of(path)}
        left_out |= {key(row.document[0]) for row in pairs_of(path, args.source)}
    sentences: dict[str, str] = {}
    labelled = set()
    for row in pairs_of(args.pairs, args.source):
        claim, evidence = row.text.claim, row.document[0]
        labelled.add((key(claim), key(evidence)))
        for text in (claim, evidence):
            sentences.setdefault(key(text), text)
    for path in args.claims:
        for claim in claims_of(path):
            sentences.setdefault(key(claim), claim)
    texts = [text for name, text in sentences.items() if name not in left_out]
    vectors = load_encoder().encode(texts)
    rng = np.random.default_rng(args.seed)
    made: dict[tuple[str, str], dict] = {}
    for claim, vector in zip(texts, vectors, strict=True):
        near = np.argsort(-(vectors @ vector), kind="stable")[1 : NEAR + 1]
        further = rng.choice(near[NEAREST:], min(NEXT, len(near[NEAREST:])), replace=False)
        for evidence in (texts[i] for i in [*near[:NEAREST], *further]):
            pair = key(claim), key(evidence)
            if pair not in labelled:
                made.setdefault(pair, {"claim": claim, "document": [evidence], "source": args.name})
    rows = list(made.values())
    order = rng.permutation(len(rows))
    write(args.out, [rows[i] for i in order])
    print(f"{len(rows)} new pairs of {len(texts)} sentences; {len(labelled)} labelled pairs are not among them")


def thin(args: argparse.Namespace) -> None:
    verdicts = read_verdicts(args.verdicts)
    rows = [json.loads(line) for line in args.pairs.read_text("utf-8").splitlines()]
    given = verdicts["stance_probabilities"].to_pylist()
    if len(rows) != len(given):
        raise SystemExit(f"{args.verdicts} has {len(given)} verdicts for {len(rows)} pairs; verify the same file")
    rng = np.random.default_rng(args.seed)
    lucky = rng.random(len(rows)) < args.keep
    kept = [i for i, p in enumerate(given) if p is not None and (p["insufficient"] < args.sure or lucky[i])]
    # Ids are the rows' numbers, which thinning changes.
    place = verdicts.schema.get_field_index("id")
    ids = pa.array([str(i) for i in range(len(kept))])
    pq.write_table(verdicts.take(pa.array(kept)).set_column(place, verdicts.schema.field(place), ids), args.out)
    evidence = [row["document"][0] for row in rows]
    for i in kept:
        if rng.random() < args.distractors:
            document = [evidence[i], *(evidence[j] for j in rng.integers(len(rows), size=rng.integers(1, 6)))]
            rows[i]["document"] = [document[j] for j in rng.permutation(len(document))]
    write(args.pairs, [rows[i] for i in kept])
    print(f"kept {len(kept)} of {len(rows)} pairs")


def write(path: Path, rows: Sequence[dict]) -> None:
    partial = path.with_name(f".{path.name}.tmp")
    partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("make", help="pair sentences")
    command.add_argument("pairs", type=Path, help="labelled claims table or entailment set")
    command.add_argument("--source", help="of its rows, those of this source")
    command.add_argument("--claims", type=Path, nargs="*", default=[], help="further tables whose claims take part")
    command.add_argument(
        "--leave-out", type=Path, nargs="*", default=[], help="files none of whose sentences takes part"
    )
    command.add_argument("--name", default="pairs", help="source that the rows name")
    command.set_defaults(run=make)
    command = commands.add_parser("thin", help="drop most of the pairs that have nothing to do with each other")
    command.add_argument("pairs", type=Path, help="what `make` wrote; is written anew")
    command.add_argument("verdicts", type=Path, help="verdict table of it")
    command.add_argument(
        "--sure", type=float, default=0.9, help="probability of insufficient from which a pair is thinned"
    )
    command.add_argument("--keep", type=float, default=0.3, help="share of those that stays")
    command.add_argument(
        "--distractors", type=float, default=0.0, help="share whose evidence gets one to five others' beside it"
    )
    command.set_defaults(run=thin)
    for command in commands.choices.values():
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
