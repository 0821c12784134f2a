"""Calibration: the temperatures and the threshold that are stored with a model."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from factcheck.errors import InputError

__all__ = ["Calibration"]


@dataclass(frozen=True)
class Calibration:
    """Content of ``calibration.json``.

    Attributes:
        stance, image, label: temperature by which the logits of each head are divided, > 0 (Guo et al., arXiv 1706.04599).
        abstain_below: default confidence threshold in [0, 1].
        target_precision: the precision in (0, 1] that the threshold was chosen for; None where it was not.
        coverage: share of the calibration rows at or above that threshold, in [0, 1]; None likewise.
    """

    stance: float = 1.0
    image: float = 1.0
    label: float = 1.0
    abstain_below: float = 0.0
    target_precision: float | None = None
    coverage: float | None = None

    def __post_init__(self) -> None:
        for name in ("stance", "image", "label"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"calibration: the {name} temperature must be positive, found {value}")
        for name in ("abstain_below", "target_precision", "coverage"):
            value = getattr(self, name)
            if (value is not None or name == "abstain_below") and not 0 <= value <= 1:
                raise InputError(f"calibration: {name} must lie in [0, 1], found {value}")

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
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: unusable calibration ({error}); export the model again") from None

    def to_dict(self) -> dict[str, float | None]:
        """The fields as a JSON-ready dictionary."""
        return asdict(self)
