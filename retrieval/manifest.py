"""The manifest of an index folder: what it holds, and the proof that it is whole."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from retrieval.errors import InputError

__all__ = ["FORMAT_VERSION", "MANIFEST", "file_checksums", "read_manifest", "verify_files", "write_manifest"]

FORMAT_VERSION = 1
MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an index.

    Raises:
        InputError: the folder is no index, its build never ended, or it has another format version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        if (folder / "building").is_dir():
            raise InputError(
                f"index {folder}: its first build did not end; run the same 'factcheck index build' to resume it"
            )
        raise InputError(
            f"index {folder}: no {MANIFEST} there; build an index with 'factcheck index build CORPUS --out DIR'"
        )
    try:
        manifest = json.loads(path.read_text("utf-8"))
        version = manifest["format_version"]
        missing = {"data", "encoder", "files", "counts", "preset"} - set(manifest)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"index {folder}: {MANIFEST} is damaged ({error}); build the index again") from None
    if version != FORMAT_VERSION:
        raise InputError(
            f"index {folder}: format version {version}, this software reads {FORMAT_VERSION}; build the index again"
        )
    if missing:
        raise InputError(
            f"index {folder}: {MANIFEST} is damaged ({sorted(missing)[0]} is missing); build the index again"
        )
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Put a manifest in place at one stroke: until then the old index is the index."""
    partial = folder / (MANIFEST + ".tmp")
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=2, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(folder / MANIFEST)


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
        if not path.is_file():
            raise InputError(f"index file {path} is missing; build the index again")
        size = path.stat().st_size
        if size != expected["bytes"]:
            raise InputError(
                f"index file {path} has {size} bytes, expected {expected['bytes']}; it is damaged, build the index again"
            )
        if contents and _sha256(path) != expected["sha256"]:
            raise InputError(f"index file {path} has another checksum than when it was built; build the index again")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
