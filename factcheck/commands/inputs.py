"""Refusing inputs that cannot be what a command needs, before anything heavy is imported or loaded."""

import zipfile
from pathlib import Path

from factcheck.errors import InputError
from retrieval.arguments import checked_file, checked_folder

__all__ = ["check_checkpoint", "check_image_root", "check_model"]


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
            f"{flag} {name!r} is not a model folder: it has no config.json; 'factcheck export' makes one from a checkpoint"
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
    """Refuse an ``--image-root`` that is not a folder.

    Raises:
        InputError: see above.
    """
    if path is not None:
        checked_folder("image_root", path, "give the folder that image paths are relative to")


def check_checkpoint(path: str, name: str = "checkpoint") -> None:
    """Refuse what cannot be a training checkpoint, before anything heavy is imported.

    Raises:
        InputError: no such file, or none that PyTorch wrote (they are zip archives).
    """
    checked_file(f"{name} {path!r}", path, hint="'factcheck fit' writes checkpoints")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{name} {path!r} is not a checkpoint; give a .ckpt file that 'factcheck fit' wrote")
