"""What is wrong with a training, said before it starts: images that are not there, figures that nobody will measure."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl

from factcheck.data.images import image_file, is_url
from factcheck.errors import InputError
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.rows import TrainingRow

__all__ = ["check_images", "check_monitors"]

_LOG = logging.getLogger("factcheck")
_OF_IMAGES = ("val/weighted_f1", "val/image_accuracy")
_LOOKED_AT = 2000  # rows of a file: enough to tell 5% from 10%, and quick on a network drive


def check_images(path: Path, rows: Sequence[TrainingRow], folder: Path) -> None:
    """Look whether the images that a file names are there (of 2,000 rows spread over it at most).

    Single images that are missing or broken are usual in sets made of news: their rows teach the stance, and nothing is said of up
    to 5%. More is worth a warning, and all of them nearly always a wrong folder, which training would not survive unnoticed: two of
    the three heads would learn nothing. Only where all are URLs, as Factify 2 has them before they are fetched, training on the
    text alone may be meant, and a warning has to do.

    Args:
        path: the file, as messages name it.
        rows: its rows.
        folder: what its image paths are relative to.

    Raises:
        InputError: none of the images is there.
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
                f"{path}: none of its photos is in {str(folder)!r}, the first is {first!r}",
                field="image_root",
                hint="give the folder that image paths are relative to as `image_root`, or null as `image_encoder` to train on text "
                "alone",
            )
        _LOG.warning("%s: its photos are URLs, which must be fetched first; training goes on with the text alone", path)
    elif len(missing) > 0.05 * len(named):
        _LOG.warning(
            "%s: %d of %d photos looked for are not in %r (`image_root` names another folder); their rows teach the stance alone",
            path,
            len(missing),
            len(named),
            str(folder),
        )


def check_monitors(trainer: pl.Trainer, rows: Sequence[tuple[Path, TrainingRow]], reads_images: bool) -> None:
    """Refuse callbacks that watch a figure which this training will not measure.

    A module of somebody else's may log figures of its own: of those nothing is said.

    Args:
        trainer: whose callbacks to look at.
        rows: the validation rows, each with the folder of its images.
        reads_images: whether the model does.

    Raises:
        InputError: a callback would look for its figure in vain, hours later.
    """
    watching: dict[str, list[str]] = {}
    callbacks: list[pl.Callback] = getattr(trainer, "callbacks", [])
    for callback in callbacks:
        if monitor := getattr(callback, "monitor", None):
            watching.setdefault(str(monitor), []).append(type(callback).__name__)
    figures = _figures(rows, reads_images) if watching and trainer.limit_val_batches else []
    ours = type(trainer.lightning_module).__module__.startswith("factcheck.")
    for monitor, names in watching.items():
        if monitor in (*figures, "train/loss", "epoch", "step") or not (ours or monitor in _OF_IMAGES):
            continue
        why = "it is none of those measured"
        if not trainer.limit_val_batches:
            why = "there is no validation"
        elif monitor in _OF_IMAGES:
            why = "no validation row has such a label and both photos" if reads_images else "the model reads no photos"
        raise InputError(
            f"{' and '.join(names)} would monitor {monitor}, which is never measured: {why}",
            field="callbacks.monitor",
            hint=f"monitor one of {', '.join(figures) or 'train/loss'} (`callbacks.monitor` sets that of the last callback, the "
            "configuration file that of others)",
        )


def _figures(rows: Sequence[tuple[Path, TrainingRow]], reads_images: bool) -> list[str]:
    """The figures that a validation on these rows will measure, in the order in which to name them."""
    names = []
    if reads_images and any(row.label != UNLABELLED and _has_pair(folder, row) for folder, row in rows):
        names.append("val/weighted_f1")
    sources = dict.fromkeys(row.source for _, row in rows if row.stance != UNLABELLED)
    if sources:
        names.append("val/stance_accuracy")
    names.append("val/loss")
    if reads_images and any(row.relation != UNLABELLED and _has_pair(folder, row) for folder, row in rows):
        names.append("val/image_accuracy")
    return names + [f"val/stance_accuracy/{source}" for source in sources if len(sources) > 1]


def _has_pair(folder: Path, row: TrainingRow) -> bool:
    return _present(row.claim_image, folder) and _present(row.document_image, folder)


def _present(image: str | bytes | None, folder: Path) -> bool:
    if not isinstance(image, str):
        return image is not None
    full = None if is_url(image) else image_file(image, os.path.abspath(folder))
    return full is not None and os.path.isfile(full)


def _is_url(image: str | bytes) -> bool:
    return isinstance(image, str) and is_url(image)
