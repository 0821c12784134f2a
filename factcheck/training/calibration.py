"""Temperature scaling on held-out claims (Guo et al., arXiv 1706.04599)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from factcheck.errors import InputError
from factcheck.labels import FACTIFY_LABELS, STANCES, FactifyLabel, parse_label, stance_of
from factcheck.verification.calibration import Calibration

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["calibrate", "fit_temperature"]

_BOUNDS = (0.05, 20.0)


def fit_temperature(probabilities: Sequence[Sequence[float]], gold: Sequence[int]) -> float:
    """The temperature that minimises the negative log-likelihood of ``gold``.

    Args:
        probabilities: (N, C), the softmax at temperature 1 (its logarithm serves as logits: the softmax forgets the rest).
        gold: (N,) class indexes.

    Returns:
        A temperature in [0.05, 20].

    Raises:
        InputError: no rows.
    """
    if len(gold) == 0:
        raise InputError("calibration needs at least one labelled row")
    logits = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), 1e-12, 1.0))
    target = np.asarray(gold)

    def loss(log_t: float) -> float:
        scaled = logits / np.exp(log_t)
        scaled -= scaled.max(1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(target)), target]).mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(_BOUNDS)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def calibrate(
    verifier: "Verifier", claims: Sequence[str | Path], *, image_root: str | Path | None = None
) -> Calibration:
    """Temperatures of the stance and five-class heads, fitted on labelled claims tables that were not trained on.

    Args:
        verifier: the model; its own temperatures and threshold are ignored.
        claims: tables with labels.
        image_root: folder that image paths are relative to; by default each table's folder.

    Raises:
        InputError: a table cannot be read, or no row has a label.
    """
    from factcheck.data import load_images, open_claims

    before = verifier.calibration, verifier.attribution
    verifier.calibration, verifier.attribution = Calibration(), False
    stance: list[tuple[list[float], int]] = []
    label: list[tuple[list[float], int]] = []
    try:
        for path in map(Path, claims):
            root = Path(image_root) if image_root is not None else path.parent
            for table in open_claims(path).batches(256):
                rows = verifier.verify_batch(load_images(table, root)).to_pylist()
                for row, text in zip(rows, table["label"].to_pylist(), strict=True):
                    if text is None or row["status"] == "error" or not row["evidence"]:
                        continue
                    gold = parse_label(text)
                    p = row["stance_probabilities"]
                    stance.append(([p[s.value] for s in STANCES], STANCES.index(stance_of(gold))))
                    if row["probabilities"] is not None and isinstance(gold, FactifyLabel):
                        p = row["probabilities"]
                        label.append(([p[x.value] for x in FACTIFY_LABELS], FACTIFY_LABELS.index(gold)))
    finally:
        verifier.calibration, verifier.attribution = before
    if not stance:
        raise InputError(f"calibration: no labelled row in {', '.join(map(str, claims))}")
    result = replace(before[0], stance=fit_temperature(*zip(*stance, strict=True)))
    return replace(result, label=fit_temperature(*zip(*label, strict=True))) if label else result
