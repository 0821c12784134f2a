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
    """

    stance: float = 1.0
    image: float = 1.0
    label: float = 1.0
    abstain_below: float = 0.0

    def __post_init__(self) -> None:
        for name in ("stance", "image", "label"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"calibration: the {name} temperature must be positive, found {value}")
        if not 0 <= self.abstain_below <= 1:
            raise InputError(f"calibration: abstain_below must lie in [0, 1], found {self.abstain_below}")

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

    def to_dict(self) -> dict[str, float]:
        """The fields as a JSON-ready dictionary."""
        return asdict(self)
