"""A judge whose probabilities are softened or sharpened to what they proved to be worth, and the profile that says how."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from factcheck.errors import InputError
from factcheck.judges.base import Judge, Judgement
from factcheck.models.calibration import Calibration
from factcheck.models.inputs import TextRow
from retrieval.arguments import checked_file
from retrieval.durable import replacing

__all__ = ["CalibratedJudge", "JudgeProfile"]

_KIND = "factcheck-judge-profile"
_SMALLEST = float(np.finfo(np.float32).tiny)
# A profile is a page of numbers.
_MOST_BYTES = 2**16


@dataclass(frozen=True)
class JudgeProfile:
    """What calibrating a judge found, as it lies on disk.

    Attributes:
        judge: fingerprint of the judge that it holds for.
        calibration: of which the stance's temperatures and the thresholds count.
    """

    judge: str
    calibration: Calibration

    def save(self, path: str | Path) -> None:
        """Write it as JSON; replaces a profile.

        Raises:
            InputError: the file is there and is something else, or cannot be written.
        """
        if Path(path).exists():
            self.read(path)
        content = {"kind": _KIND, "judge": self.judge, "calibration": self.calibration.to_dict()}
        with replacing(path) as partial:
            partial.write_text(json.dumps(content, indent=2) + "\n", "utf-8")

    @classmethod
    def read(cls, path: str | Path) -> "JudgeProfile":
        """Read one.

        Raises:
            InputError: no such file, or it is not a judge's profile.
        """
        path = checked_file(f"judge profile {str(path)!r}", path, field="judge_profile")
        try:
            content: Any = json.loads(path.read_text("utf-8")) if path.stat().st_size <= _MOST_BYTES else {}
            if content["kind"] != _KIND or not isinstance(content["judge"], str):
                raise ValueError
            return cls(content["judge"], Calibration(**content["calibration"]))
        except (OSError, ValueError, TypeError, KeyError):
            raise InputError(
                f"{str(path)!r} is not a judge's profile", field="judge_profile", hint="`calibrate` writes one"
            ) from None


class CalibratedJudge(Judge):
    """Another judge, its probabilities raised to 1 / temperature (Guo et al., arXiv 1706.04599).

    Args:
        judge: whom to ask.
        calibration: its temperatures of the stance (above 1 softens, below 1 sharpens), of rows with a pair of photos apart where it
            has them; and its thresholds, below which verdicts abstain unless the user says otherwise.
    """

    def __init__(self, judge: Judge, calibration: Calibration) -> None:
        self.inner, self.calibration = judge, calibration
        self.leave_one_out, self.reads_images = judge.leave_one_out, judge.reads_images
        self.languages = judge.languages

    @property
    def fingerprint(self) -> str:
        """The judge's with the temperatures."""
        alone, pair = self.calibration.stance_temperatures([0, 0], [False, True])
        return f"{self.inner.fingerprint} at {alone:.4g}" + (f" and {pair:.4g}" if pair != alone else "")

    def judge(self, rows: Sequence[TextRow]) -> list[Judgement]:
        """One judgement a row; see :class:`~factcheck.judges.base.Judge`."""
        temperatures = self.calibration.stance_temperatures([0] * len(rows), [row.has_pair for row in rows])
        judgements = self.inner.judge(rows)
        return [self._scaled(judgement, t) for judgement, t in zip(judgements, temperatures.tolist(), strict=True)]

    def _scaled(self, judgement: Judgement, temperature: float) -> Judgement:
        if judgement.stance is None:
            return judgement
        values = np.clip(np.asarray(judgement.stance, np.float64), _SMALLEST, 1.0) ** (1 / temperature)
        support, insufficient, refute = (float(value) for value in values / values.sum())
        return replace(judgement, stance=(support, insufficient, refute))
