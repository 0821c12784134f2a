"""Refusing, before the work, outputs that could not be written at its end or would overwrite what it reads."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from factcheck.errors import InputError

__all__ = [
    "REPORT_GENERATOR",
    "check_output_file",
    "check_output_folder",
    "is_json_with",
    "is_report",
    "refuse_standard_output",
    "same_file",
]

#: What a report says in its head, by which a later run knows it for one.
REPORT_GENERATOR = '<meta name="generator" content="factcheck">'
_HEAD_BYTES = 4096


def check_output_file(
    field: str,
    path: str | Path | None,
    inputs: Mapping[str, str | Path | None] | None = None,
    *,
    own: Callable[[Path], bool] | None = None,
    kind: str = "an earlier output of this command",
) -> None:
    """Refuse a file to be written at the end of the work; ``path`` may be None (nothing is written).

    Args:
        field: the parameter that names the file (``report``).
        path: the file.
        inputs: files that must not be overwritten, by what messages call them (``the truth table``).
        own: whether a file that exists is what an earlier run wrote here; others, unless empty, are refused. None: any may be replaced.
        kind: what ``own`` tells, with its article (``a verdict table``).

    Raises:
        InputError: there is no such folder or no right to write there, the path is a folder, one of ``inputs``, or somebody else's file.
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
    elif not _may_write(folder):
        problem, hint = f"cannot be written: no right to write in {str(folder)!r}", "name a file in another folder"
    elif path.exists() and not os.access(path, os.W_OK):
        problem, hint = "exists and may not be written", "name another file"
    else:
        taken = next((what for what, other in (inputs or {}).items() if same_file(path, other)), None)
        if taken:
            problem, hint = f"is {taken} itself and would overwrite it", "name another file"
        elif own is not None and path.is_file() and path.stat().st_size and not own(path):
            problem, hint = f"exists and is not {kind}", "name another file, or remove it first"
    _refuse(field, given, problem, hint)


def is_report(path: Path) -> bool:
    """Whether a file is a report that this program wrote (of its start alone)."""
    try:
        with path.open("rb") as file:
            return REPORT_GENERATOR.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def is_json_with(*keys: str) -> Callable[[Path], bool]:
    """Whether a file is a JSON object that has the keys, or an object or array of nothing but such objects."""

    def has_keys(found: Any) -> bool:
        return isinstance(found, dict) and set(keys) <= found.keys()

    def is_own(path: Path) -> bool:
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return False
        parts = list(found.values()) if isinstance(found, dict) else found
        return has_keys(found) or (isinstance(parts, list) and bool(parts) and all(map(has_keys, parts)))

    return is_own


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
    elif not _may_write(standing):
        problem = f"cannot be written: no right to write in {str(standing)!r}"
    elif config and path.exists() and any(path.iterdir()) and not _holds(path, config):
        problem, hint = f"exists and is not {kind}", "name another, or an empty folder"
    _refuse(field, given, problem, hint)


def _refuse(field: str, given: str, problem: str | None, hint: str | None) -> None:
    if problem:
        raise InputError(f"`{field}` {given!r} {problem}", field=field, hint=hint)


def _may_write(folder: Path) -> bool:
    """Whether a file can be made in a folder, tried: of some file systems the rights alone do not tell."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


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
