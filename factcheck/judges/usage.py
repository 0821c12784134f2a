"""What a run has asked of a judge: requests, tokens and answers known from before, counted wherever the judge works."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from factcheck.judges.base import Judge

__all__ = ["UsageMeter", "cost_of"]


class UsageMeter:
    """Reads what a judge counts, from the moment the meter is made.

    Args:
        judge: one that counts (:class:`~factcheck.judges.server.ServerJudge` has a ``usage``, a cache its ``hits``), maybe within others;
            of any other nothing is told.
    """

    def __init__(self, judge: Judge | None) -> None:
        self._judge = judge
        self._last = _counts(judge)

    def taken(self) -> dict[str, float]:
        """Counts since the last call, or since the meter was made; those that are zero are left out."""
        now = _counts(self._judge)
        new = {name: now[name] - self._last.get(name, 0) for name in now}
        self._last = now
        return {name: count for name, count in new.items() if count}


def cost_of(usage: Mapping[str, float], price: tuple[float, float] | None) -> float | None:
    """What the tokens cost at a price for a million of the prompt and of the answer; None without a price."""
    if price is None:
        return None
    return (usage.get("prompt_tokens", 0) * price[0] + usage.get("completion_tokens", 0) * price[1]) / 1e6


def _counts(judge: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    while judge is not None:
        found["known"] += getattr(judge, "hits", 0)
        if (usage := getattr(judge, "usage", None)) is not None:
            found.update({name: count for name, count in vars(usage).items() if not name.startswith("_")})
        judge = getattr(judge, "inner", None)
    return found
