"""Text files: which there are in a folder, and what is written in them, whole or line by line."""

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from retrieval.errors import InputError

__all__ = ["TextLines", "files_below", "read_text_file"]


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
        raise InputError(f"{path}: cannot be read ({reason}); make it readable or take it out of the corpus") from None


class TextLines:
    """The lines of a file, decoded as by :func:`read_text_file`, with their ends.

    Args:
        path: the file.
        newline: as for :func:`open`.

    Raises:
        InputError: in the going through, where the file begins like UTF-16 and is not.
    """

    def __init__(self, path: Path, newline: str | None = None) -> None:
        self._path, self._newline, self._replaced = path, newline, False

    def __iter__(self) -> Iterator[str]:
        encoding = _encoding(self._path)
        # Bytes that are not UTF-8 come as surrogates, which UTF-8 has none of: a U+FFFD of the text is told from ours.
        errors = "strict" if encoding == "utf-16" else "surrogateescape"
        try:
            with self._path.open(encoding=encoding, errors=errors, newline=self._newline) as stream:
                for line in stream:
                    try:
                        line.encode("utf-8")
                    except UnicodeEncodeError:
                        line = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                        self._replaced = True
                    yield line
        except UnicodeDecodeError as error:
            raise InputError(f"{self._path}: not readable as UTF-16 ({error.reason}); save it as UTF-8") from None

    def replaced(self) -> bool:
        """Whether a line that was read since the last call holds U+FFFD for what could not be decoded."""
        replaced, self._replaced = self._replaced, False
        return replaced


def _encoding(path: Path) -> str:
    with path.open("rb") as stream:
        mark = stream.read(2)
    return "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
