"""Verdict quality: a model beside baselines trained on the same rows, accuracy by source, unrelated documents, altered claims.

    python benchmarks/verdicts.py --data DATA [--model bundled] [--baselines] [--out figures.json]

DATA holds flickr-factify/{train,val}.csv and claims-text/val.jsonl. The altered claims are made of the validation rows' evidence
by :mod:`factcheck.training.verdict.contrasts`: sentences as they are, with a number, name or word replaced, or without themselves among
the evidence; a model trained with ``contrasts`` has seen such claims, made of other rows.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from factcheck import Verifier
from factcheck.commands.common import quiet_libraries
from factcheck.evaluation.baselines import score_baselines
from factcheck.evaluation.scoring import score
from factcheck.labels import STANCES
from factcheck.training.verdict.contrasts import make_contrast
from factcheck.training.verdict.rows import EvidenceSelection, read_training_rows, with_evidence
from factcheck.verification import verify_file
from factcheck.verification.verdict_table import read_verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--baselines", action="store_true", help="train and score the baselines, too (minutes)")
    parser.add_argument("--out", type=Path, help="JSON to write")
    args = parser.parse_args()
    quiet_libraries()
    verifier = Verifier.load(args.model, attribution=False)
    figures = {"model": verifier.fingerprint}
    with tempfile.TemporaryDirectory() as folder:
        figures["flickr-factify"] = photos(verifier, args.data / "flickr-factify", Path(folder), args.baselines)
        figures["claims-text"] = texts(verifier, args.data / "claims-text" / "val.jsonl", Path(folder))
        figures["unrelated documents"] = unrelated(verifier, args.data / "claims-text" / "val.jsonl", Path(folder))
        figures["altered claims"] = altered(verifier, args.data / "claims-text" / "val.jsonl", Path(folder))
    if args.out:
        args.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def photos(verifier: Verifier, root: Path, work: Path, baselines: bool) -> dict:
    summary = verify_file(verifier, root / "val.csv", work / "photos.parquet")
    scores = score(summary.out, root / "val.csv")
    print(f"flickr-factify val ({scores.rows} rows)        weighted F1  accuracy")
    print(f"  {'this model':38s} {scores.five_class.weighted_f1:11.4f} {scores.five_class.accuracy:9.4f}")
    if baselines:
        for name, part in score_baselines(root / "train.csv", root / "val.csv", verifier).items():
            print(f"  {name:38s} {part.weighted_f1:11.4f} {part.accuracy:9.4f}")
    related = [row for row in _labelled(summary.out, root / "val.csv") if row[1] != "Refute"]
    right = sum((row["image_relation"] == "agree") == label.endswith("Multimodal") for row, label in related)
    c = scores.operating
    print(f"  stance accuracy {scores.stance.accuracy:.4f}, photo relation accuracy {right / len(related):.4f}")
    print(f"  ECE {c.ece:.4f} (were it perfectly calibrated {c.calibrated_ece:.4f}), Brier {c.brier:.4f}")
    print(f"  accuracy at 70% coverage {c.accuracy_at[0.7]:.4f}")
    return {**scores.to_dict(), "photo_relation_accuracy": right / len(related)}


def _labelled(verdicts: Path, claims: Path) -> list:
    from factcheck.data import open_claims

    labels = [label for table in open_claims(claims).batches() for label in table["label"].to_pylist()]
    return list(zip(read_verdicts(verdicts).to_pylist(), labels, strict=True))


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def texts(verifier: Verifier, path: Path, work: Path) -> dict:
    summary = verify_file(verifier, path, work / "texts.parquet")
    scores = score(summary.out, path)
    gold = _rows(path)
    by_source = defaultdict(list)
    for row, truth in zip(read_verdicts(summary.out).to_pylist(), gold, strict=True):
        by_source[truth["source"]].append(row["stance"] == truth["label"])
    accuracy = {source: sum(hits) / len(hits) for source, hits in sorted(by_source.items())}
    mean = sum(accuracy.values()) / len(accuracy)
    print(f"claims-text val ({scores.rows} rows): accuracy by source, mean {mean:.4f}, ECE {scores.operating.ece:.4f}")
    for source, value in accuracy.items():
        print(f"  {source:20s} {value:.4f} ({len(by_source[source])} rows)")
    return {**scores.to_dict(), "accuracy_by_source": accuracy, "mean_over_sources": mean}


def unrelated(verifier: Verifier, path: Path, work: Path, count: int = 600) -> dict:
    """Claims with the first three sentences of a document of another source: nothing there supports or refutes them."""
    by_source = defaultdict(list)
    for row in _rows(path):
        by_source[row["source"]].append(row)
    rng = np.random.default_rng(3)
    claims = work / "unrelated.jsonl"
    with claims.open("w", encoding="utf-8") as stream:
        for _ in range(count):
            a, b = (
                by_source[name][rng.integers(len(by_source[name]))]
                for name in rng.choice(sorted(by_source), 2, replace=False)
            )
            stream.write(
                json.dumps({"claim": a["claim"], "document": b["document"][:3], "label": "insufficient"}) + "\n"
            )
    verdicts = read_verdicts(verify_file(verifier, claims, work / "unrelated.parquet").out)["stance"].to_pylist()
    shares = {stance.value: verdicts.count(stance.value) / count for stance in STANCES}
    print(f"claims with an unrelated document ({count} rows): " + ", ".join(f"{k} {v:.3f}" for k, v in shares.items()))
    return shares


def altered(verifier: Verifier, path: Path, work: Path) -> dict:
    rows = [row for row in read_training_rows(path) if row.source != "sick"]  # scene captions have few details
    rows = [row for row in with_evidence(rows, EvidenceSelection()) if row.text.evidence]
    rng = np.random.default_rng(5)
    claims = work / "altered.jsonl"
    with claims.open("w", encoding="utf-8") as stream:
        for row in rows:
            other = " ".join(rows[rng.integers(len(rows))].text.evidence)
            made = make_contrast(row.text.claim, row.text.evidence, STANCES[row.stance], rng, other)
            if made is not None:
                claim, evidence, stance = made
                stream.write(json.dumps({"claim": claim, "document": evidence, "label": stance}) + "\n")
    scores = score(verify_file(verifier, claims, work / "altered.parquet").out, claims)
    recall = {name: round(x, 3) for name, x in zip(scores.stance.labels, scores.stance.recall, strict=True)}
    print(
        f"claims made of evidence, some altered ({scores.rows} rows): stance {scores.stance.accuracy:.4f}, recall {recall}"
    )
    return scores.to_dict()


if __name__ == "__main__":
    main()
