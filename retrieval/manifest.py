"""The manifest of an index folder: what it holds, and the proof that it is whole."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from retrieval.durable import replacing
from retrieval.errors import InputError

__all__ = [
    "DATA_FOLDER",
    "FORMAT_VERSION",
    "MANIFEST",
    "file_checksums",
    "read_manifest",
    "verify_files",
    "write_manifest",
]

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
#: Name of the folder of an index's data: after its contents, with a number where a damaged one of that name stands in the way.
DATA_FOLDER = re.compile(r"data-[0-9a-f]{16}(-\d+)?")

#: What must be there, in which part, and its type; parts before what is in them.
_FIELDS: tuple[tuple[str | None, str, Any], ...] = (
    *((None, name, dict) for name in ("encoder", "files", "counts")),
    *((None, name, str) for name in ("data", "preset", "factory")),
    (None, "image_encoder", str | None),
    ("encoder", "dimension", int),
    ("encoder", "fingerprint", str),
    ("encoder", "name", str | None),
    *(("counts", name, int) for name in ("documents", "sentences", "photos")),
)
#: Files that every index has, and those of one with photos.
_FILES = {
    *("documents.arrow", "sentences.arrow", "photos.arrow", "vectors.npy"),
    *(f"index/dense/{name}" for name in ("index.json", "vectors.faiss")),
    *(f"index/lexical/{name}" for name in ("ids.npy", "deleted.npy", "vocabulary.json")),
}
_PHOTO_FILES = {f"{kind}/{name}" for kind in ("photo", "caption") for name in ("index.json", "vectors.faiss")}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an index.

    Raises:
        InputError: the folder is no index, its build never ended, or it has another format version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        unfinished = (folder / "building").is_dir()
        raise InputError(
            f"index {folder}: " + ("its first build did not end" if unfinished else f"no {MANIFEST} there"),
            hint="run the same `build_index` again to resume it" if unfinished else "build an index with `build_index`",
        )
    try:
        manifest = json.loads(path.read_text("utf-8"))
        version = manifest["format_version"]
        found = f"format version {version}, this software reads {FORMAT_VERSION}" if version != FORMAT_VERSION else None
        fault = None if found else _fault(manifest)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        found, fault = None, str(error)
    if fault is not None:
        found = f"{MANIFEST} is damaged ({fault})"
    if found is not None:
        raise InputError(f"index {folder}: {found}", hint="build the index again")
    return manifest


def _fault(manifest: dict[str, Any]) -> str | None:
    """What in a manifest is not what :func:`retrieval.build.build.build_index` writes, or None."""
    for part, name, kind in _FIELDS:
        found = manifest if part is None else manifest[part]
        if name not in found:
            return f"{part or 'it'} lacks {name}"
        if not isinstance(found[name], kind):
            return f"{name} is {type(found[name]).__name__}"
    if not DATA_FOLDER.fullmatch(manifest["data"]):
        return f"data is {manifest['data']!r}"
    photos = _PHOTO_FILES if manifest["counts"]["photos"] else set()
    if missing := (_FILES | photos) - set(manifest["files"]):
        return f"files lack {sorted(missing)[0]}"
    for name, entry in manifest["files"].items():
        if not (
            isinstance(entry, dict) and isinstance(entry.get("bytes"), int) and isinstance(entry.get("sha256"), str)
        ):
            return f"entry of {name}"
    return None


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Put a manifest in place at one stroke: until then the old index is the index."""
    with replacing(folder / MANIFEST) as partial, partial.open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=2, ensure_ascii=False)


def file_checksums(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every file below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def verify_files(folder: Path, files: dict[str, dict[str, Any]], contents: bool) -> None:
    """Compare the files below a folder with a manifest: their sizes, and with ``contents`` their checksums.

    Raises:
        InputError: a file is missing or differs, with its name.
    """
    for name, expected in files.items():
        path = folder / name
        try:
            size = path.stat().st_size if path.is_file() else None
            checksum = _sha256(path) if contents and size == expected["bytes"] else None
        except OSError as error:
            fault: str | None = f"cannot be read ({error.strerror})"
        else:
            fault = _difference(expected, size, checksum if contents else expected["sha256"])
        if fault is not None:
            raise InputError(f"index file {path} {fault}", hint="build the index again")


def _difference(expected: dict[str, Any], size: int | None, checksum: str | None) -> str | None:
    if size is None:
        return "is missing"
    if size != expected["bytes"]:
        return f"has {size} bytes, expected {expected['bytes']}; it is damaged"
    return None if checksum == expected["sha256"] else "has another checksum than when it was built"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
