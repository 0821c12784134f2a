"""Text files: which there are in a folder, and what is written in them."""

import codecs
import os
from pathlib import Path

from retrieval.errors import InputError

__all__ = ["files_below", "read_text_file"]


def files_below(folder: Path, skip: Path | None = None) -> list[Path]:
    """Every file below a folder, in order of their paths; links to folders are followed.

    A folder that is reached twice, as by a link that leads back to its own parent, counts once: under its own path, else
    under the first of its links.

    Args:
        folder: where to look.
        skip: a folder that is left out wherever it is met; one that is not there, or ``folder`` itself, leaves out nothing.
    """
    seen = {_identity(skip)} if skip is not None and skip.is_dir() else set()
    seen.discard(_identity(folder))
    files: list[Path] = []
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            for current, folders, names in os.walk(start):
                identity = _identity(Path(current))
                if identity in seen:
                    folders.clear()
                    continue
                seen.add(identity)
                here = Path(current)
                links += [here / name for name in folders if os.path.islink(here / name)]
                files += [here / name for name in names if os.path.isfile(here / name)]
        waiting = sorted(links)  # only now: a folder's own path goes before the links to it
    return sorted(files)


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def read_text_file(path: Path) -> tuple[str, bool]:
    """The text of a file, and whether all of it could be decoded: as UTF-16 if its first bytes say so, else as UTF-8.

    What is neither becomes U+FFFD. The mark of the byte order is no part of the text.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        encoding = _encoding(path)
        try:
            return path.read_text(encoding), True
        except UnicodeDecodeError:
            return path.read_text(encoding, errors="replace"), False
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{path}: cannot be read ({reason})", hint="make it readable or take it out of the corpus"
        ) from None


def _encoding(path: Path) -> str:
    with path.open("rb") as stream:
        mark = stream.read(2)
    return "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
