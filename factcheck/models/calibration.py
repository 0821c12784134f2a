"""Calibration: the temperatures and the threshold that are stored with a model."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from factcheck.errors import InputError
from retrieval.errors import first_line

__all__ = ["Calibration", "PairCalibration"]


@dataclass(frozen=True)
class PairCalibration:
    """What holds for rows with an image on both sides, where enough of them were labelled.

    Attributes:
        stance: temperature of their stance, > 0. That of their five classes is :attr:`Calibration.label`.
        abstain_below: default confidence threshold in [0, 1] of their five classes; None for that of the other rows.
        coverage: share of these rows at or above it, in [0, 1]; None where it was not chosen on them.
        rows: labelled rows that it was fitted on.
    """

    stance: float = 1.0
    abstain_below: float | None = None
    coverage: float | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        _check_temperature("stance of image pairs", self.stance)
        for name in ("abstain_below", "coverage"):
            _check_share(f"{name} of image pairs", getattr(self, name))


@dataclass(frozen=True)
class Calibration:
    """Content of ``calibration.json``.

    Attributes:
        stance, image, label: temperature by which the logits of each head are divided, > 0 (Guo et al., arXiv 1706.04599).
        stance_by_length: pairs (tokens, temperature) with tokens rising: the stance's temperature for a text of so many tokens
            (claim and evidence), between them on a straight line in the logarithm of both, beyond them that of the nearest.
            How much too certain a model is grows with what it has to read. Empty: ``stance`` for all.
        rows: labelled rows that it was fitted on; None where that is not known.
        abstain_below: default confidence threshold in [0, 1].
        target_precision: the precision in (0, 1] that the threshold was chosen for; None where it was not.
        coverage: share of the calibration rows at or above that threshold, in [0, 1]; None likewise.
        pairs: what holds for rows with an image on both sides in place of ``stance``, ``stance_by_length``, ``abstain_below`` and
            ``coverage``, which are then of the other rows; None where they hold for all.
    """

    stance: float = 1.0
    image: float = 1.0
    label: float = 1.0
    abstain_below: float = 0.0
    target_precision: float | None = None
    coverage: float | None = None
    stance_by_length: tuple[tuple[int, float], ...] = ()
    rows: int | None = None
    pairs: PairCalibration | None = None

    def __post_init__(self) -> None:
        for name in ("stance", "image", "label"):
            _check_temperature(name, getattr(self, name))
        _check_share("abstain_below", float(self.abstain_below))
        for name in ("target_precision", "coverage"):
            _check_share(name, getattr(self, name))
        if isinstance(self.pairs, Mapping):
            object.__setattr__(self, "pairs", PairCalibration(**self.pairs))
        if not isinstance(self.pairs, PairCalibration | None):
            raise InputError(f"calibration: pairs is {type(self.pairs).__name__}, expected an object or null")
        object.__setattr__(self, "stance_by_length", tuple((int(n), float(t)) for n, t in self.stance_by_length))
        lengths = [n for n, _ in self.stance_by_length]
        if not all(math.isfinite(t) and t > 0 for _, t in self.stance_by_length) or any(
            low >= high for low, high in pairwise([0, *lengths])
        ):
            raise InputError(
                "calibration: stance_by_length must hold pairs of rising numbers of tokens and positive temperatures, "
                f"found {self.stance_by_length}"
            )

    def stance_temperatures(self, tokens: ArrayLike, pairs: ArrayLike | None = None) -> np.ndarray:
        """The stance's temperature (B,) for texts of so many tokens (B,), with or without a pair of images ((B,) bool; None: without)."""
        tokens = np.asarray(tokens, np.float64)
        found = np.full(tokens.shape, self.stance)
        if self.stance_by_length:
            knots, temperatures = np.log(np.array(self.stance_by_length, np.float64)).T
            found = np.exp(np.interp(np.log(np.maximum(tokens, 1)), knots, temperatures))
        return found if self.pairs is None or pairs is None else np.where(pairs, self.pairs.stance, found)

    def threshold(self, pair: bool) -> float:
        """The default confidence threshold of a row with or without a pair of images."""
        own = self.pairs.abstain_below if pair and self.pairs is not None else None
        return self.abstain_below if own is None else own

    @classmethod
    def read(cls, folder: str | Path) -> "Calibration":
        """The calibration of a model folder; the neutral one where it has none.

        Raises:
            InputError: the file is damaged or out of range.
        """
        path = Path(folder) / "calibration.json"
        if not path.is_file():
            return cls()
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InputError(f"{path}: unusable calibration ({first_line(error)}); export the model again") from None

    def write(self, folder: str | Path) -> None:
        """Store it with the model in ``folder``."""
        text = json.dumps(self.to_dict(), indent=2) + "\n"
        (Path(folder) / "calibration.json").write_text(text, "utf-8")

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary."""
        return asdict(self)


def _check_temperature(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"calibration: the {name} temperature must be positive, found {value}")


def _check_share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"calibration: {name} must lie in [0, 1], found {value}")
