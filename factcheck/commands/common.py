"""What several subcommands share: option parsing and output for people."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from factcheck.errors import InputError
from retrieval.durable import replacing

__all__ = [
    "column_mapping",
    "counted",
    "late_progress",
    "positive",
    "probability",
    "progress_bar",
    "quiet_libraries",
    "share",
    "write_json",
]


def column_mapping(text: str | None, flag: str = "--columns") -> dict[str, str] | None:
    """What ``flag`` says: ``claim=text,document=body`` as ``{"claim": "text", "document": "body"}``.

    Raises:
        InputError: a piece is not of the form ``name=column``.
    """
    if not text:
        return None
    mapping = {}
    for piece in text.split(","):
        name, equals, column = piece.partition("=")
        if not (equals and name.strip() and column.strip()):
            raise InputError(f"{flag}: {piece!r} is not of the form NAME=COLUMN (for example claim=text,document=body)")
        if name.strip() in mapping:
            raise InputError(f"{flag}: {name.strip()!r} is given twice; give each field one column")
        mapping[name.strip()] = column.strip()
    return mapping


def counted(number: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def probability(text: str) -> float:
    """An argparse type: a number in [0, 1]."""
    return _number(text, float, lambda value: 0 <= value <= 1, "a number in [0, 1]")


def share(text: str) -> float:
    """An argparse type: a number in (0, 1]."""
    return _number(text, float, lambda value: 0 < value <= 1, "a number in (0, 1]")


def positive(text: str) -> int:
    """An argparse type: an integer of at least 1."""
    return _number(text, int, lambda value: value >= 1, "a whole number of at least 1")


def _number(text: str, kind: Callable[[str], Any], fits: Callable[[Any], bool], expected: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
    return value


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


@contextlib.contextmanager
def progress_bar(what: str, *, resumes: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """Progress on standard error: a bar on a terminal; where output goes to a file, a line at the start and one a minute.

    Args:
        what: what is being done.
        resumes: the first update says how many rows an interrupted run has left done (else it is work like the rest).
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
        yield _progress_lines(what, resumes)
        return
    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _progress_lines(what: str, resumes: bool, seconds: float = 60.0) -> Callable[[int, int | None], None]:
    """A function that prints ``what: 1200 of 5000, 3 min left`` when its last line is ``seconds`` old."""
    start = last = time.monotonic()
    first: int | None = None

    def say(text: str) -> None:
        print(f"{what}: {text}", file=sys.stderr, flush=True)

    def update(done: int, total: int | None) -> None:
        nonlocal last, first
        of = "" if total is None else f" of {total}"
        if first is None:
            first = done  # what a resumed run finds done took no time
            if resumes:
                say(f"resuming after {counted(done, 'row')}{of}" if done else f"{done}{of}")
        now = time.monotonic()
        if now - last < seconds:
            return
        last = now
        left = ""
        if total is not None and done > first:
            left = f", {(now - start) / (done - first) * (total - done) / 60:.0f} min left"
        say(f"{done}{of}{left}")

    if not resumes:
        say("started")
    return update


def quiet_libraries() -> None:
    """Keep libraries' own notes and bars off the terminal; their warnings about real trouble stay."""
    import os

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def write_json(path: str, figures: Any) -> None:
    """Write a command's figures as indented JSON, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
