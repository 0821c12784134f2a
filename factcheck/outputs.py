"""Refusing, before the work, outputs that could not be written at its end or would overwrite what it reads."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from factcheck.errors import InputError

__all__ = ["check_output_file", "check_output_folder", "refuse_standard_output", "same_file"]


def check_output_file(
    name: str, path: str | Path | None, inputs: Mapping[str, str | Path | None] | None = None
) -> None:
    """Refuse a file to be written at the end of the work; ``path`` may be None (nothing is written).

    Args:
        name: the option, as messages name it (``--report``).
        path: the file.
        inputs: files that must not be overwritten, by what messages call them (``the truth table``).

    Raises:
        InputError: there is no such folder or no right to write there, the path is a folder, or it is one of ``inputs``.
    """
    if not path:
        return
    given, path = str(path), Path(path)
    if path.is_dir():
        raise InputError(f"{name} {given!r} is a folder; name a file in it")
    folder = path.parent
    if not folder.is_dir():
        what = f"{str(folder)!r} is no folder" if folder.exists() else f"there is no folder {str(folder)!r}"
        raise InputError(f"{name} {given!r}: {what}; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{name} {given!r}: no right to write in {str(folder)!r}; name a file in another folder")
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{name} {given!r} is there and may not be written; name another file")
    for what, other in (inputs or {}).items():
        if same_file(path, other):
            raise InputError(f"{name} {given!r} is {what} itself and would overwrite it; name another file")


def refuse_standard_output(name: str, path: str | None) -> None:
    """Refuse ``-`` for the file of an option, where standard output has something else (InputError)."""
    if path == "-":
        raise InputError(f"{name} '-': standard output has the tables; name a file (a file called '-' is './-')")


def check_output_folder(
    name: str,
    path: str | Path,
    kind: str,
    config: Mapping[str, object] | None = None,
) -> None:
    """Refuse a folder to be written: a file, a place without the right to write, or somebody else's folder.

    Args:
        name: the option, as messages name it (``--out``).
        path: the folder, which may be missing, empty, or hold what an earlier run wrote.
        kind: what is written there (``model folder``).
        config: what ``config.json`` says in a folder that this program wrote. Without it, any folder will do.

    Raises:
        InputError: see above.
    """
    given, path = str(path), Path(path)
    if path.is_symlink() and not path.exists():
        raise InputError(
            f"{name} {given!r} is a link to a folder that is not there; make it first, or name another folder"
        )
    if path.exists() and not path.is_dir():
        raise InputError(f"{name} {given!r} is a file; name a folder")
    standing = path if path.exists() else next(p for p in path.absolute().parents if p.exists())
    if not standing.is_dir():
        raise InputError(f"{name} {given!r}: {str(standing)!r} is a file; name a folder elsewhere")
    if not os.access(standing, os.W_OK | os.X_OK):
        raise InputError(f"{name} {given!r}: no right to write in {str(standing)!r}; name a folder elsewhere")
    if not config or not path.exists() or not any(path.iterdir()):
        return
    try:
        found = json.loads((path / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or any(found.get(key) != value for key, value in config.items()):
        raise InputError(f"{name} {given!r} exists and is no {kind}; name another, or an empty folder")


def same_file(path: str | Path, other: str | Path | None) -> bool:
    """Whether two paths lead to one existing file, by links or otherwise."""
    try:
        return other is not None and os.path.samefile(path, other)
    except (OSError, ValueError):  # one of them is not there, or no path at all (a Hugging Face id)
        return False
