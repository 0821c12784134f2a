"""What the processes of one training tell each other."""

from collections.abc import Iterator
from typing import Any

import torch.distributed as dist

__all__ = ["Tallies", "gathered"]


def gathered(value: Any) -> list[Any]:
    """The ``value`` of every process, in order of rank; of this one alone where no others were started.

    Every process must call it, at the same point.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


class Tallies:
    """Sums and counts by name, from which every process makes the same means of the rows of all of them."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, name: str, total: float, count: int = 1) -> None:
        """Count ``count`` rows whose values add up to ``total``; none leave the name unknown."""
        if count:
            before = self._sums.get(name, (0.0, 0))
            self._sums[name] = before[0] + total, before[1] + count

    def over_processes(self) -> "Tallies":
        """The tallies of all processes together. Every process must call it (see :func:`gathered`)."""
        whole = Tallies()
        for sums in gathered(self._sums):
            for name, (total, count) in sums.items():
                whole.add(name, total, count)
        return whole

    def clear(self) -> None:
        """Forget everything."""
        self._sums.clear()

    def mean(self, name: str) -> float:
        """The mean of the rows of a name."""
        total, count = self._sums[name]
        return total / count

    def __contains__(self, name: object) -> bool:
        return name in self._sums

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._sums))
