"""Progress for people and for logs: a bar on a terminal, else a line at the start and one a minute."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["late_progress", "progress_bar"]

logger = logging.getLogger("factcheck.progress")


@contextlib.contextmanager
def progress_bar(what: str, *, resumes: bool = False, unit: str = "") -> Iterator[Callable[[int, int | None], None]]:
    """Progress on standard error: a bar on a terminal; where output goes to a file, a line at the start and one a minute.

    Args:
        what: what is being done.
        resumes: the first update says how many rows an interrupted run has left done (else it is work like the rest).
        unit: what is counted, as one.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield _Lines(what, resumes, unit).update
        return
    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=None, rate="")
        rate = _Rate()

        def update(done: int, total: int | None) -> None:
            speed = rate.of(done)
            shown = f"{speed:.1f}{_plural(unit)}/s" if speed else ""
            bar.update(task, completed=done, total=total, rate=shown)

        yield update


@contextlib.contextmanager
def late_progress(what: str, seconds: float = 2.0) -> Iterator[Callable[[int, int | None], None]]:
    """As :func:`progress_bar`, for work that is mostly over at once: nothing is shown before it has taken ``seconds``."""
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        shown: Callable[[int, int | None], None] | None = None

        def update(done: int, total: int | None) -> None:
            nonlocal shown
            if shown is None and time.monotonic() - start >= seconds:
                shown = stack.enter_context(progress_bar(what))
            if shown is not None:
                shown(done, total)

        yield update


def _plural(unit: str) -> str:
    return f" {unit}s" if unit else ""


class _Rate:
    """Units a second since the first update: what a resumed run finds done took no time."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.first: int | None = None

    def of(self, done: int) -> float:
        if self.first is None:
            self.first = done
        seconds = time.monotonic() - self.start
        return (done - self.first) / seconds if seconds > 0 else 0.0


class _Lines:
    """Says ``what: 1200 of 5000 rows, 20.1 rows/s, 3 min left`` when its last line is ``seconds`` old."""

    def __init__(self, what: str, resumes: bool, unit: str, seconds: float = 60.0) -> None:
        self._what, self._resumes, self._units, self._seconds = what, resumes, _plural(unit), seconds
        self._rate = _Rate()
        self._last = self._rate.start
        if not resumes:
            self._say("started", {})

    def update(self, done: int, total: int | None) -> None:
        so_far = f"{done}{'' if total is None else f' of {total}'}{self._units}"
        opening = self._rate.first is None
        speed = self._rate.of(done)
        facts = {"done": done, "total": total, "rate": round(speed, 3)}
        if opening and self._resumes:
            self._say(f"resuming after {so_far}" if done else so_far, facts)
        now = time.monotonic()
        if now - self._last < self._seconds and not (done == total and not opening):
            return
        self._last = now
        left = f", {(total - done) / speed / 60:.0f} min left" if total is not None and speed and done < total else ""
        self._say(f"{so_far}, {speed:.1f}{self._units}/s{left}", facts)

    def _say(self, text: str, facts: dict[str, Any]) -> None:
        logger.info("%s: %s", self._what, text, extra={"facts": {"task": self._what, **facts}})
