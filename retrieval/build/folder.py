"""The folder of an index while it is built: whose it is, the unfinished build in it, and how the new data take their place."""

import json
import re
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from retrieval.durable import only_one, replacing
from retrieval.errors import InputError
from retrieval.manifest import DATA_FOLDER, MANIFEST, verify_files

__all__ = ["check_index_folder", "empty", "is_data", "only_one_build", "place", "resume"]

#: What a build writes into the folder of its index.
_OWN = re.compile(
    r"\.lock|building|manifest\.json(\.tmp)?|\.manifest\.json\..*\.partial\.json|embeddings\.sqlite([.-]\w+)*|"
    + DATA_FOLDER.pattern
)
#: What a killed build may leave of its plan.
_PARTIAL_PLAN = re.compile(r"plan\.tmp|\.plan\.json\..*\.partial\.json")
#: What it writes into a data folder.
_DATA = {f"{name}.arrow" for name in ("documents", "sentences", "photos")} | {
    *("vectors.npy", "photo_vectors.npy", "caption_vectors.npy"),
    *("index", "photo", "caption"),
}


def check_index_folder(out: Path) -> None:
    """Refuse to build in a folder that somebody else keeps something in.

    Raises:
        InputError: ``out`` is a file, or a folder that holds other things than an index or its unfinished build.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"index folder {out} is a file", hint="name a folder")
    held = {path.name for path in out.iterdir()} if out.is_dir() else set()
    foreign = {name for name in held if not _OWN.fullmatch(name)}
    planned = _is_plan(out / "building" / "plan.json")
    if planned or (MANIFEST in held and _is_index(out)):
        foreign.clear()  # what else lies beside an index is left alone
    if MANIFEST in held and not _is_index(out):
        foreign.add(MANIFEST)
    if not planned and any(not _PARTIAL_PLAN.fullmatch(path.name) for path in (out / "building").glob("*")):
        foreign.add("building")
    if ".lock" in held and not _is_lock(out / ".lock"):
        foreign.add(".lock")
    if foreign:
        raise InputError(
            f"index folder {out} holds {sorted(foreign)[0]!r}, which no index build wrote",
            hint="name a new or an empty folder",
        )


def _is_index(out: Path) -> bool:
    """Whether the manifest is one of ours, of whatever version and in whatever state."""
    try:
        manifest = json.loads((out / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return any(is_data(path) and any(path.iterdir()) for path in out.iterdir())
    return isinstance(manifest, dict) and {"format_version", "data", "encoder"} <= set(manifest)


def is_data(folder: Path) -> bool:
    """Whether a folder is one of ours for data, perhaps removed in part: nothing else lies in it."""
    named = DATA_FOLDER.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink()
    return bool(named) and {path.name for path in folder.iterdir()} <= _DATA


def _is_plan(path: Path) -> bool:
    try:
        plan = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(plan, dict) and {"format_version", "corpus", "shard_sentences"} <= set(plan)


def _is_lock(path: Path) -> bool:
    """Whether a file holds what we write into a lock: the number of a process, or nothing yet."""
    try:
        return path.read_bytes()[:32].isdigit() or not path.stat().st_size
    except OSError:
        return False


def place(final: Path, out: Path, data: str, files: dict[str, dict[str, Any]]) -> str:
    """Move a complete index to its place and return the folder's name. One of the same contents may be in use there: it stays."""
    name, number = data, 0
    while (out / name).exists():
        try:
            verify_files(out / name, files, contents=True)
            return name
        except InputError:  # damaged, and perhaps in use all the same
            number += 1
            name = f"{data}-{number}"
    final.rename(out / name)
    return name


def resume(work: Path, plan: dict[str, Any]) -> Path:
    """The work folder of a build, kept if it belongs to the same plan, else emptied."""
    path = work / "plan.json"
    try:
        same = json.loads(path.read_text("utf-8")) == json.loads(json.dumps(plan))
    except (OSError, ValueError):
        same = False
    if not same:
        work.mkdir(parents=True, exist_ok=True)
        empty(work)
        with replacing(path) as partial:
            partial.write_text(json.dumps(plan, indent=2), "utf-8")
    return work


def empty(work: Path) -> None:
    """Remove all but the plan. What an interruption leaves of it is a build with fewer shards, which can be continued."""
    (work / "complete").unlink(missing_ok=True)
    for path in sorted(work.iterdir(), reverse=True):  # from the last shard
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "plan.json":
            path.unlink(missing_ok=True)


def only_one_build(folder: Path) -> AbstractContextManager[None]:
    """Refuse a second build in the same folder."""
    refusal = f"index folder {folder}: another build is running there; wait for it or name another folder"
    return only_one(folder / ".lock", refusal)
