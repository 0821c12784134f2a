"""What a model is worth on claims of an origin that it has not seen: train without some sources, measure on them.

    python benchmarks/leave_one_source_out.py train --data DATA --config configs/stance.yaml --out runs/loso [--draws 0.25] [--fold 0]
    python benchmarks/leave_one_source_out.py measure --data DATA --models runs/loso/fold0 runs/loso/fold1 --predictions loso.jsonl
    python benchmarks/leave_one_source_out.py calibrate --predictions loso.jsonl --model MODEL

``train`` runs ``factcheck fit`` once a fold with the fold's sources and their siblings (same claims, same evidence, same makers) left
out, and exports the model. ``measure`` verifies up to 300 rows of each source with the model of its fold and reports accuracy,
calibration and accuracy by coverage; one model alone is measured on all sources (to compare one that knows none of them).
``calibrate`` gives a model the temperature and the abstention threshold of these predictions, so that its confidence is honest on
claims of an origin that it does not know.
DATA is the folder with ``more/``, ``claims-text/`` and ``entailment/``; by default ``$FACTCHECK_DATA``.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from factcheck import Verifier
from factcheck.commands.common import quiet_libraries
from factcheck.errors import InputError
from factcheck.evaluation.metrics import accuracy_at_coverage, expected_calibration_error, threshold_for_precision
from factcheck.models.calibration import Calibration
from factcheck.training.calibration import fit_temperature

#: By fold the sources that are measured, each with its siblings, which are left out of training as well.
FOLDS: tuple[dict[str, tuple[str, ...]], ...] = (
    {"averitec": (), "fnc-1": (), "nli4ct": (), "esxnli": (), "fib": ("qags",)},
    {
        "factcheck-gpt": (),
        "infotabs": (),
        "control": (),
        "fever": ("fever-gold", "feverous-text", "fever-symmetric"),
        "liar-plus": ("politihop",),
    },
)
ROWS = 300
STANCES = ("support", "insufficient", "refute")


def held_out(fold: int) -> list[str]:
    """All sources that a fold's training must not see."""
    return sorted({name for source, siblings in FOLDS[fold].items() for name in (source, *siblings)})


def train(args: argparse.Namespace) -> None:
    import yaml

    for fold in range(len(FOLDS)) if args.fold is None else [args.fold]:
        config = yaml.safe_load(args.config.read_text("utf-8"))
        data, folder = config["data"]["init_args"], args.out / f"fold{fold}"
        data["root"] = str(args.data)
        # Photos are no matter of sources, and their files slow to read.
        data["train"] = {name: weight * args.draws for name, weight in data["train"].items() if "flickr" not in name}
        mixture, augmentation = data["mixture"], data["augmentation"]
        mixture["made"] = round(mixture["made"] * args.draws)
        data["val"] = ["claims-text/val.jsonl"]
        mixture["source_weights"] |= dict.fromkeys(held_out(fold), 0.0)
        for name in held_out(fold):
            augmentation["contrasts"].pop(name, None)
        trainer = config["trainer"]
        trainer |= {"limit_val_batches": 0, "default_root_dir": str(folder)}
        for callback in trainer["callbacks+"]:
            if "update_starting_at_step" in callback["init_args"]:
                callback["init_args"]["update_starting_at_step"] = round(
                    callback["init_args"]["update_starting_at_step"] * args.draws
                )
        if args.init_from:
            config["model"]["init_args"]["init_from"] = str(args.init_from)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        command = [sys.executable, "-m", "factcheck"]
        subprocess.run([*command, "fit", "--config", str(folder / "config.yaml")], check=True)
        checkpoint = folder / "last.ckpt"
        export = ["export", str(checkpoint), "--out", str(folder / "model"), "--top-k", "7", "--min-share", "0.5"]
        subprocess.run([*command, *export], check=True)


def rows_of(data: Path, source: str) -> list[dict[str, Any]]:
    """At most ``ROWS`` English rows of a source's training part, drawn with a fixed seed."""
    with (data / "more" / "train.jsonl").open(encoding="utf-8") as lines:
        found = [row for row in map(json.loads, lines) if row["source"] == source and row["language"] == "en"]
    chosen = np.random.default_rng(29).permutation(len(found))[:ROWS]
    return [found[i] for i in chosen]


def predictions(verifier: Verifier, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each row its probabilities at the verifier's temperature, and its gold label."""
    import pyarrow as pa

    table = pa.Table.from_pylist(
        [{"id": str(i), "claim": row["claim"], "document": row["document"]} for i, row in enumerate(rows)]
    )
    verdicts = verifier.verify_batch(table).to_pylist()
    return [
        {
            "label": row["label"],
            "stance": verdict["stance"],
            "confidence": verdict["confidence"],
            "probabilities": [(verdict["stance_probabilities"] or {}).get(name, 0.0) for name in STANCES],
        }
        for row, verdict in zip(rows, verdicts, strict=True)
    ]


def is_right(row: dict[str, Any]) -> bool:
    return row["stance"] != "support" if row["label"] == "not_support" else row["stance"] == row["label"]


def measure(args: argparse.Namespace) -> None:
    quiet_libraries()
    figures: dict[str, Any] = {"sources": {}}
    kept: list[dict[str, Any]] = []
    for fold, sources in enumerate(FOLDS):
        model = args.models[fold if len(args.models) > 1 else 0]
        folder = model / "model" if (model / "model").is_dir() else model
        verifier = Verifier.load(folder if str(model) != "bundled" else "bundled", attribution=False)
        for source in sources:
            rows = predictions(verifier, rows_of(args.data, source))
            kept += [{**row, "source": source} for row in rows]
            accuracy = float(np.mean([is_right(row) for row in rows]))
            guessed = {name: round(float(np.mean([row["stance"] == name for row in rows])), 3) for name in STANCES}
            figures["sources"][source] = {"rows": len(rows), "accuracy": accuracy, "verdicts": guessed}
            print(f"{source:16s} {len(rows):4d} rows  accuracy {accuracy:.3f}  verdicts {guessed}", flush=True)
    figures["mean accuracy"] = float(np.mean([one["accuracy"] for one in figures["sources"].values()]))
    right = np.array([is_right(row) for row in kept])
    confidence = np.array([row["confidence"] for row in kept])
    figures["ece"] = expected_calibration_error(confidence, right)
    figures["accuracy by coverage"] = {
        share: accuracy_at_coverage(confidence, right, share) for share in (0.25, 0.5, 0.75)
    }
    print(
        f"mean {figures['mean accuracy']:.4f}  ECE {figures['ece']:.4f}  accuracy by coverage {figures['accuracy by coverage']}"
    )
    if args.out:
        args.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    if args.predictions:
        args.predictions.write_text("".join(json.dumps(row) + "\n" for row in kept), "utf-8")


def _temperature(rows: list[dict[str, Any]]) -> float:
    full = [row for row in rows if row["label"] in STANCES]
    return fit_temperature([row["probabilities"] for row in full], [STANCES.index(row["label"]) for row in full])


def _confidence(rows: list[dict[str, Any]], temperature: float) -> np.ndarray:
    scaled = np.array([row["probabilities"] for row in rows]).clip(1e-30) ** (1 / temperature)
    return (scaled / scaled.sum(1, keepdims=True)).max(1)


def calibrate(args: argparse.Namespace) -> None:
    """Temperature and threshold from the folds' predictions, written into a model folder."""
    rows = [json.loads(line) for line in args.predictions.read_text("utf-8").splitlines()]
    temperature = _temperature(rows)
    right = np.array([is_right(row) for row in rows])
    best = _confidence(rows, temperature)
    # Of each source with the temperature of the others: what a stranger's data would see.
    foreign, outcomes = [], []
    for source in sorted({row["source"] for row in rows}):
        own = [row for row in rows if row["source"] == source]
        foreign.append(_confidence(own, _temperature([row for row in rows if row["source"] != source])))
        outcomes.append([is_right(row) for row in own])
    figures = {
        "temperature": temperature,
        "ece": expected_calibration_error(best, right),
        "ece, temperature of the other sources": expected_calibration_error(
            np.concatenate(foreign), np.concatenate(outcomes)
        ),
        "accuracy by coverage": {share: accuracy_at_coverage(best, right, share) for share in (0.1, 0.25, 0.5, 0.75)},
    }
    found = replace(Calibration.read(args.model), stance=temperature, stance_by_length=(), rows=len(rows))
    try:
        point = threshold_for_precision(best, right, args.target_precision)
    except InputError as error:
        print(error)
    else:
        figures |= {"threshold": point.threshold, "coverage": point.coverage}
        found = replace(
            found, abstain_below=point.threshold, target_precision=args.target_precision, coverage=point.coverage
        )
    print(json.dumps(figures, indent=2))
    found.write(args.model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    data = {"type": Path, "default": os.environ.get("FACTCHECK_DATA"), "required": "FACTCHECK_DATA" not in os.environ}
    one = commands.add_parser("train", help="train and export a model a fold")
    one.add_argument("--data", **data)
    one.add_argument("--config", type=Path, required=True)
    one.add_argument("--init-from", type=Path, help="model folder to start from, in place of the configuration's")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--draws", type=float, default=0.25, help="share of the configuration's draws")
    one.add_argument("--fold", type=int, choices=range(len(FOLDS)), help="this fold alone")
    one.set_defaults(run=train)
    two = commands.add_parser("measure", help="measure the models of the folds, or one model on all sources")
    two.add_argument("--data", **data)
    two.add_argument("--models", type=Path, nargs="+", required=True)
    two.add_argument("--out", type=Path, help="JSON to write")
    two.add_argument("--predictions", type=Path, help="JSONL of every prediction, to fit temperature and threshold on")
    two.set_defaults(run=measure)
    three = commands.add_parser(
        "calibrate", help="fit temperature and threshold on predictions of models that did not see the source"
    )
    three.add_argument("--predictions", type=Path, required=True, help="JSONL that measure wrote")
    three.add_argument("--model", type=Path, required=True, help="model folder whose calibration is replaced")
    three.add_argument("--target-precision", type=float, default=0.8)
    three.set_defaults(run=calibrate)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
