"""What is wrong with the files of a training, said before it starts and in the words of ``factcheck fit``."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytorch_lightning as pl

from factcheck.data.images import image_file, is_url
from factcheck.errors import InputError
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.rows import TrainingRow

__all__ = ["check_monitors", "check_photos", "training_messages"]

_PHOTO_FIGURE = "val/weighted_f1"
_LOOKED_AT = 2000  # rows of a file: enough to tell 5% from 10%, and quick on a network drive


@contextlib.contextmanager
def training_messages() -> Iterator[None]:
    """Readers' messages with the options that a training has: no bad row is passed over, columns are named by the data module.

    Raises:
        InputError: what the reader raised, reworded.
    """
    try:
        yield
    except InputError as error:
        raise InputError(_reworded(str(error))) from None


def check_photos(path: Path, rows: Sequence[TrainingRow], folder: Path) -> None:
    """Look whether the photos that a file names are there (of 2,000 rows spread over it at most).

    Single photos that are missing or broken are usual in sets made of news: their rows teach the stance, and nothing is said of up
    to 5%. More is worth a warning, and all of them nearly always a wrong folder, which training would not survive unnoticed: two of
    the three heads would learn nothing. Only where all are URLs, as Factify 2 has them before they are fetched, training on the
    text alone may be meant, and a warning has to do.

    Args:
        path: the file, as messages name it.
        rows: its rows.
        folder: what its image paths are relative to.

    Raises:
        InputError: none of the photos is there.
    """
    spread = rows[:: max(1, -(-len(rows) // _LOOKED_AT))]
    named = [image for row in spread for image in (row.claim_image, row.document_image) if image is not None]
    missing = [image for image in named if not _present(image, folder)]
    if not missing:
        return
    if len(missing) == len(named):
        if not all(map(_is_url, missing)):
            first = next(image for image in missing if not _is_url(image))
            raise InputError(
                f"{path}: none of its photos is in {str(folder)!r}, the first is {first!r}; give the folder that image paths are "
                "relative to (--data.image_root FOLDER), or train on text alone (--model.image_encoder null)"
            )
        _warn(f"{path}: its photos are URLs, which must be fetched first; training goes on with the text alone")
    elif len(missing) > 0.05 * len(named):
        _warn(
            f"{path}: {len(missing)} of {len(named)} photos looked for are not in {str(folder)!r} (--data.image_root names another "
            "folder); their rows teach the stance alone"
        )


def check_monitors(trainer: pl.Trainer, rows: Sequence[tuple[Path, TrainingRow]], reads_photos: bool) -> None:
    """Refuse callbacks that watch the five-class figure where validation will not measure it.

    Args:
        trainer: whose callbacks to look at.
        rows: the validation rows, each with the folder of its photos.
        reads_photos: whether the model does.

    Raises:
        InputError: a callback would look for the figure in vain, hours later.
    """
    watching = [type(c).__name__ for c in trainer.callbacks if getattr(c, "monitor", None) == _PHOTO_FIGURE]
    if not watching or not trainer.limit_val_batches or (reads_photos and any(map(_has_five_classes, rows))):
        return
    why = "no validation row has a five-class label and both photos" if reads_photos else "the model reads no photos"
    raise InputError(
        f"{why}, so {_PHOTO_FIGURE}, which {' and '.join(watching)} would monitor, is never measured; monitor val/stance_accuracy "
        "(--trainer.callbacks.monitor val/stance_accuracy sets that of the last callback, the configuration file that of others)"
    )


def _has_five_classes(item: tuple[Path, TrainingRow]) -> bool:
    folder, row = item
    return row.label != UNLABELLED and _present(row.claim_image, folder) and _present(row.document_image, folder)


def _present(image: str | bytes | None, folder: Path) -> bool:
    if not isinstance(image, str):
        return image is not None
    full = None if is_url(image) else image_file(image, os.path.abspath(folder))
    return full is not None and os.path.isfile(full)


def _is_url(image: str | bytes) -> bool:
    return isinstance(image, str) and is_url(image)


def _warn(line: str) -> None:
    print(f"factcheck: warning: {line}", file=sys.stderr)


def _reworded(message: str) -> str:
    if "no column 'claim'" in message and "'premise'" in message and "'hypothesis'" in message:
        found = message.partition("; name the column")[0]
        return (
            f"{found}. Sentence pairs are read from JSON Lines alone: write them as objects with premise, hypothesis and label, one a "
            "line, to a file whose name ends in .jsonl"
        )
    message = re.sub(
        r"\(--columns claim=text[^)]*\)",
        "(--data.columns '{claim: text}'; in Python columns={'claim': 'text'})",
        message,
    )
    return re.sub(
        r"correct the row, or mark bad rows and go on \([^)]*\)",
        "correct the row or leave it out: training takes no bad rows",
        message,
    )
