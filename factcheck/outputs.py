"""Refusing, before the work, outputs that could not be written at its end or would overwrite what it reads."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from factcheck.errors import InputError

__all__ = ["check_output_file", "check_output_folder", "refuse_standard_output", "same_file"]


def check_output_file(
    field: str, path: str | Path | None, inputs: Mapping[str, str | Path | None] | None = None
) -> None:
    """Refuse a file to be written at the end of the work; ``path`` may be None (nothing is written).

    Args:
        field: the parameter that names the file (``report``).
        path: the file.
        inputs: files that must not be overwritten, by what messages call them (``the truth table``).

    Raises:
        InputError: there is no such folder or no right to write there, the path is a folder, or it is one of ``inputs``.
    """
    if not path:
        return
    given, path = str(path), Path(path)
    folder = path.parent
    problem = hint = None
    if path.is_dir():
        problem, hint = "is a folder", "name a file in it"
    elif not folder.is_dir():
        what = f"{str(folder)!r} is not a folder" if folder.exists() else f"there is no folder {str(folder)!r}"
        problem, hint = f"cannot be written: {what}", "make it first"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem, hint = f"cannot be written: no right to write in {str(folder)!r}", "name a file in another folder"
    elif path.exists() and not os.access(path, os.W_OK):
        problem, hint = "exists and may not be written", "name another file"
    else:
        taken = next((what for what, other in (inputs or {}).items() if same_file(path, other)), None)
        if taken:
            problem, hint = f"is {taken} itself and would overwrite it", "name another file"
    if problem:
        raise InputError(f"`{field}` {given!r} {problem}", field=field, hint=hint)


def refuse_standard_output(field: str, path: str | None) -> None:
    """Refuse ``-`` for a file, where standard output has something else (InputError)."""
    if path == "-":
        raise InputError(
            f"`{field}` '-': standard output has the tables",
            field=field,
            hint="name a file (a file called '-' is './-')",
        )


def check_output_folder(
    field: str,
    path: str | Path,
    kind: str,
    config: Mapping[str, object] | None = None,
) -> None:
    """Refuse a folder to be written: a file, a place without the right to write, or somebody else's folder.

    Args:
        field: the parameter that names the folder (``out``).
        path: the folder, which may be missing, empty, or hold what an earlier run wrote.
        kind: what is written there, with its article (``a model folder``).
        config: what ``config.json`` says in a folder that this program wrote. Without it, any folder will do.

    Raises:
        InputError: see above.
    """
    given, path = str(path), Path(path)
    standing = path if path.exists() else next(p for p in path.absolute().parents if p.exists())
    problem, hint = None, "name a folder elsewhere"
    if path.is_symlink() and not path.exists():
        problem, hint = "is a link to a folder that does not exist", "make it first, or name another folder"
    elif path.exists() and not path.is_dir():
        problem, hint = "is a file", "name a folder"
    elif not standing.is_dir():
        problem = f"cannot be made: {str(standing)!r} is a file"
    elif not os.access(standing, os.W_OK | os.X_OK):
        problem = f"cannot be written: no right to write in {str(standing)!r}"
    elif config and path.exists() and any(path.iterdir()) and not _holds(path, config):
        problem, hint = f"exists and is not {kind}", "name another, or an empty folder"
    if problem:
        raise InputError(f"`{field}` {given!r} {problem}", field=field, hint=hint)


def _holds(path: Path, config: Mapping[str, object]) -> bool:
    """Whether a folder's ``config.json`` says what one of ours would."""
    try:
        found = json.loads((path / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and all(found.get(key) == value for key, value in config.items())


def same_file(path: str | Path, other: str | Path | None) -> bool:
    """Whether two paths lead to one existing file, by links or otherwise."""
    try:
        return other is not None and os.path.samefile(path, other)
    except (OSError, ValueError):  # one of them is not there, or no path at all (a Hugging Face id)
        return False
