"""Making sure that what was written is on the disk before what it replaces is removed."""

import contextlib
import os
from pathlib import Path

__all__ = ["sync", "sync_folder"]


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's names, is on the disk (folders where the system allows it)."""
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            stack.enter_context(contextlib.suppress(OSError))
        handle = os.open(path, os.O_RDONLY)
        stack.callback(os.close, handle)
        os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Wait until every file below a folder, and every folder's list of names, is on the disk."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)
