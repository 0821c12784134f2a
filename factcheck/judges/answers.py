"""What a language model answers, checked: nothing of it is taken on trust but its judgement."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from factcheck.judges.base import Judgement
from factcheck.labels import STANCES

__all__ = ["ANSWER_SCHEMA", "InvalidAnswer", "read_answer"]

#: JSON schema of an answer, for servers that hold a model to one.
ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": [stance.value for stance in STANCES]},
        "probabilities": {
            "type": "object",
            "properties": {stance.value: {"type": "number", "minimum": 0, "maximum": 1} for stance in STANCES},
            "required": [stance.value for stance in STANCES],
            "additionalProperties": False,
        },
        "evidence": {"type": "array", "items": {"type": "integer"}},
        "reason": {"type": "string"},
    },
    "required": ["label", "probabilities", "evidence", "reason"],
    "additionalProperties": False,
}
# Probability of a label that comes without one; calibration makes of it what it is worth.
_LABEL_ALONE = 0.9
# A certainty of exactly 1 is a manner of speaking, and no temperature could soften it.
_LEAST_PROBABILITY = 1e-3
_LONGEST_REASON = 400


class InvalidAnswer(ValueError):
    """An answer that is not of the form that was asked for; the text says in a few words why."""


def read_answer(text: str, sentences: int) -> Judgement:
    """The judgement in a model's answer.

    Args:
        text: the answer, a JSON object, perhaps in a code fence or behind a chain of thought.
        sentences: how many evidence sentences it was given.

    Returns:
        The judgement; where sentences are cited that it was not given, they are dropped and ``problem`` says so.

    Raises:
        InvalidAnswer: no JSON object, an unknown label, or probabilities that are none or contradict the label.
    """
    answer = _last_object(text)
    label = answer.get("label")
    names = [stance.value for stance in STANCES]
    if not isinstance(label, str) or label.strip().lower() not in names:
        raise InvalidAnswer(f"label {str(label)[:40]!r}")
    index = names.index(label.strip().lower())
    stance = _probabilities(answer.get("probabilities"), names, index)
    cited, dropped = _cited(answer.get("evidence"), sentences)
    problem = f"judge: cites {dropped} sentences that it was not given" if dropped else None
    return Judgement(stance=stance, explanation=_sentence(answer.get("reason")), cited=cited, problem=problem)


def _last_object(text: str) -> Mapping[str, Any]:
    """The last JSON object with a label in the text: reasoning before it may hold braces of its own."""
    decoder = json.JSONDecoder()
    found: Mapping[str, Any] | None = None
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("{", position + 1)
            continue
        if isinstance(value, dict) and ("label" in value or found is None):
            found = value
        position = text.find("{", end)
    if found is None:
        raise InvalidAnswer("no JSON object" if text.strip() else "empty")
    return found


def _probabilities(given: Any, names: list[str], index: int) -> tuple[float, float, float]:
    if given is None:
        values = [(1 - _LABEL_ALONE) / 2] * len(names)
        values[index] = _LABEL_ALONE
    else:
        raw = [given.get(name) if isinstance(given, dict) else None for name in names]
        if any(isinstance(v, bool) or not isinstance(v, int | float) for v in raw):
            raise InvalidAnswer("probabilities that are no numbers")
        values = [float(v) for v in raw]  # type: ignore[arg-type]
        if any(not math.isfinite(v) or v < 0 for v in values) or sum(values) <= 0:
            raise InvalidAnswer("probabilities out of range")
        if values[index] < max(values):
            raise InvalidAnswer("probabilities that contradict the label")
    values = [max(value / sum(values), _LEAST_PROBABILITY) for value in values]
    support, insufficient, refute = (value / sum(values) for value in values)
    return support, insufficient, refute


def _cited(given: Any, sentences: int) -> tuple[tuple[int, ...] | None, int]:
    """Indexes from 0, and how many numbers name no sentence."""
    if not isinstance(given, list):
        return None, 0
    numbers = [n for n in given if isinstance(n, int) and not isinstance(n, bool)]
    valid = tuple(dict.fromkeys(n - 1 for n in numbers if 1 <= n <= sentences))
    return valid, len(given) - sum(1 for n in numbers if 1 <= n <= sentences)


def _sentence(given: Any) -> str | None:
    if not isinstance(given, str):
        return None
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+", " ", given)
    text = " ".join(text.split())
    return (text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1].rstrip() + "…") or None
