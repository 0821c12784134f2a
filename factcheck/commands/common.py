"""What several subcommands share: option parsing and output for people."""

import argparse
import contextlib
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from factcheck.errors import InputError

__all__ = [
    "check_checkpoint",
    "column_mapping",
    "counted",
    "positive",
    "probability",
    "progress_bar",
    "quiet_libraries",
]


def check_model(name: str, flag: str = "--model") -> None:
    """Refuse what cannot be a model folder, before anything heavy is imported; ``bundled`` and Hugging Face ids pass.

    Raises:
        InputError: a file, a folder without ``config.json``, or a path where there is nothing.
    """
    path = Path(name).expanduser()
    if name == "bundled" or (path / "config.json").is_file():
        return
    if path.is_dir():
        raise InputError(
            f"{flag} {name!r} is no model folder: it has no config.json; 'factcheck export' makes one from a checkpoint"
        )
    if path.is_file():
        raise InputError(
            f"{flag} {name!r} is a file; give a model folder ('factcheck export' makes one from a checkpoint)"
        )
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise InputError(
            f"{flag} {name!r}: no such folder; give a model folder, 'bundled', or a Hugging Face id like 'owner/name'"
        )


def check_image_root(path: str | None) -> None:
    """Refuse an ``--image-root`` that is no folder.

    Raises:
        InputError: see above.
    """
    if path is not None and not Path(path).is_dir():
        raise InputError(f"--image-root {path!r} is no folder; give the folder that image paths are relative to")


def check_checkpoint(path: str, name: str = "checkpoint") -> None:
    """Refuse what cannot be a training checkpoint, before anything heavy is imported.

    Raises:
        InputError: no such file, or none that PyTorch wrote (they are zip archives).
    """
    if not Path(path).is_file():
        raise InputError(f"{name} {path!r}: no such file; 'factcheck fit' writes checkpoints")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{name} {path!r} is no checkpoint; give a .ckpt file that 'factcheck fit' wrote")


def column_mapping(text: str | None) -> dict[str, str] | None:
    """``claim=text,document=body`` as ``{"claim": "text", "document": "body"}``.

    Raises:
        InputError: a piece is not of the form ``name=column``.
    """
    if not text:
        return None
    mapping = {}
    for piece in text.split(","):
        name, equals, column = piece.partition("=")
        if not (equals and name.strip() and column.strip()):
            raise InputError(
                f"--columns: {piece!r} is not of the form NAME=COLUMN (for example claim=text,document=body)"
            )
        mapping[name.strip()] = column.strip()
    return mapping


def counted(number: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def probability(text: str) -> float:
    """An argparse type: a number in [0, 1]."""
    return _number(text, float, lambda value: 0 <= value <= 1, "a number in [0, 1]")


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
def progress_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Progress on standard error: a bar on a terminal, a line a minute where output goes to a file."""
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
        yield _progress_lines(what)
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


def _progress_lines(what: str, seconds: float = 60.0) -> Callable[[int, int | None], None]:
    """A function that prints ``what: 1200 of 5000, 3 min left`` when its last line is ``seconds`` old."""
    start = last = time.monotonic()
    first: int | None = None

    def update(done: int, total: int | None) -> None:
        nonlocal last, first
        if first is None:
            first = done  # what a resumed run finds done took no time
        now = time.monotonic()
        if now - last < seconds:
            return
        last = now
        line = f"{what}: {done}"
        if total is not None:
            line += f" of {total}"
            if done > first:
                line += f", {(now - start) / (done - first) * (total - done) / 60:.0f} min left"
        print(line, file=sys.stderr, flush=True)

    return update


def quiet_libraries() -> None:
    """Keep libraries' own notes and bars off the terminal; their warnings about real trouble stay."""
    import os

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
