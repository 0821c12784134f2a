"""What a run did: counts of its rows, and where the time went."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from factcheck.differences import Relation
from factcheck.verification.verdict_table import reason_kinds

__all__ = ["Clock", "Counts", "RunSummary"]


@dataclass
class Counts:
    """Rows counted by value.

    Attributes:
        rows: how many.
        statuses, labels, reasons: by value; reasons without their details.
        taken_over: rows whose verdicts an earlier table gave.
        differing: rows whose evidence says another value than the claim, or denies it.
    """

    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    taken_over: int = 0
    differing: int = 0

    @classmethod
    def of(cls, verdicts: pa.Table, taken_over: int = 0) -> "Counts":
        """The counts of a verdict table."""
        kinds = (kind for reason in verdicts["reason"].to_pylist() for kind in reason_kinds(reason))
        return cls(
            verdicts.num_rows,
            Counter(verdicts["status"].to_pylist()),
            Counter(label or "(none)" for label in verdicts["label"].to_pylist()),
            Counter(kinds),
            taken_over,
            sum(_differs(found) for found in verdicts["differences"].to_pylist()),
        )

    def add(self, other: "Counts") -> None:
        """Count the rows of another part, too."""
        self.rows += other.rows
        self.taken_over += other.taken_over
        self.differing += other.differing
        for name in ("statuses", "labels", "reasons"):
            getattr(self, name).update(getattr(other, name))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        counters = {name: dict(getattr(self, name)) for name in ("statuses", "labels", "reasons")}
        return {"rows": self.rows, "taken_over": self.taken_over, "differing": self.differing, **counters}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Counts":
        """The inverse of :meth:`to_dict`; TypeError or ValueError for anything else."""
        counters = {name: Counter(values[name]) for name in ("statuses", "labels", "reasons")}
        rows, taken_over, differing = (int(values[name]) for name in ("rows", "taken_over", "differing"))
        return cls(rows, taken_over=taken_over, differing=differing, **counters)


def _differs(found: list[dict[str, Any]] | None) -> bool:
    return any(difference["relation"] == Relation.CONFLICTING for difference in found or ())


class Clock:
    """Seconds by stage, over all threads: stages that overlap in time count each by itself. And what a judge was asked meanwhile."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.usage: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of a block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Count so many seconds to a stage."""
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def count(self, usage: Mapping[str, float]) -> None:
        """Add what a judge was asked, see :class:`factcheck.judges.usage.UsageMeter`."""
        with self._lock:
            self.usage.update(usage)


@dataclass
class RunSummary(Counts):
    """What a run did.

    Attributes:
        out: the verdict table.
        resumed: rows of it that an interrupted run had finished.
        remade: finished chunks of an interrupted run that were damaged and made anew.
        abstained: rows whose verdict is withheld; those in error, which have none, are counted by their status.
        duplicate_ids: rows whose id an earlier row has, too.
        seconds: wall-clock time of this run.
        stages: seconds by stage; those of stages that overlap count each by itself.
        facts: what the verdicts were made with.
        judge: what a judge that counts was asked in this run, in all processes: requests, tokens, answers known from before.
    """

    out: Path = Path()
    resumed: int = 0
    remade: int = 0
    abstained: int = 0
    duplicate_ids: int = 0
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    judge: Mapping[str, float] = field(default_factory=dict)

    @property
    def rows_per_second(self) -> float:
        """Of the rows that this run added to the table: those that it verified or took over, not those it resumed."""
        return (self.rows - self.resumed) / self.seconds if self.seconds else 0.0
