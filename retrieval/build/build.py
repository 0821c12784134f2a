"""Building an index folder: streaming, resumable, and swapped in at one stroke.

A corpus is read once and written in shards of a few thousand sentences, each complete or absent; a killed build continues
after its last shard. Then the shards are joined and indexed in a new data folder, and the manifest, replaced last, makes
that folder the index. An index that was there before stays readable until then.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from retrieval.arguments import check_image_encoder, checked_choice
from retrieval.build.assemble import assemble
from retrieval.encoders.cache import EmbeddingCache
from retrieval.build.corpus import CORPUS_FORMATS, Document, detect_format, read_corpus
from retrieval.durable import sync_folder
from retrieval.encoders.base import TextEncoder
from retrieval.encoders.load import load_encoder
from retrieval.errors import InputError
from retrieval.build.assemble import check_unique
from retrieval.indexes.faiss import PREFERENCES, check_factory
from retrieval.durable import only_one
from retrieval.manifest import DATA_FOLDER, FORMAT_VERSION, MANIFEST, file_checksums, verify_files, write_manifest
from retrieval.text.sentences import MAX_CHARS
from retrieval.build.shards import ShardWriter
from retrieval.build.text_files import files_below

__all__ = ["ImageEncoder", "build_index", "check_index_folder"]

#: A shard is closed at this many sentences: the work that a kill can lose.
SHARD_SENTENCES = 2048
#: What a build writes into the folder of its index.
_OWN = re.compile(rf"\.lock|building|manifest\.json(\.tmp)?|embeddings\.sqlite([.-]\w+)*|{DATA_FOLDER.pattern}")
#: What it writes into a data folder.
_DATA = {f"{name}.arrow" for name in ("documents", "sentences", "photos")} | {
    *("vectors.npy", "photo_vectors.npy", "caption_vectors.npy"),
    *("index", "photo", "caption"),
}


class ImageEncoder(Protocol):
    """What turns photos into vectors: any object with this method (and a ``fingerprint`` and a ``name``, if it has them)."""

    def embed_images(self, images: list[bytes]) -> np.ndarray:
        """Encoded image files to float32 (n, D), rows of length 1."""
        ...


def build_index(
    corpus: str | Path,
    out: str | Path,
    *,
    encoder: str | os.PathLike[str] | TextEncoder = "bundled",
    preset: str = "fast",
    factory: str | None = None,
    image_encoder: ImageEncoder | None = None,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    max_chars: int = MAX_CHARS,
    cache: str | Path | bool = True,
    runtime: str = "torch",
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Build an index of a corpus, or build it again.

    Args:
        corpus: JSONL, CSV, TSV or Parquet file, BEIR folder or folder of text files.
        out: folder of the index. An index that is there is replaced when the new one is complete; an unfinished build of
            the same corpus and settings is continued.
        encoder: name or folder as for :func:`retrieval.load_encoder`, or an encoder (then opening needs the same one).
        preset: ``fast``, ``small`` or ``exact``; see :func:`retrieval.indexes.faiss.choose_factory`.
        factory: FAISS factory string instead of a preset.
        image_encoder: makes the documents' photos searchable.
        format: corpus format; None finds it.
        columns: our field name → the corpus's column.
        max_chars: longest sentence.
        cache: keep vectors by content, in the index folder (True) or a file; False keeps none.
        runtime: what runs an encoder given by name, as for :func:`retrieval.load_encoder`; opening the index uses it too.
        progress: called with (stage, done, total or None).

    Returns:
        The manifest.

    Raises:
        InputError: a bad corpus or option, or another build is running in the same folder.
    """
    corpus, out = Path(corpus), Path(out)
    checked_choice("preset", preset, PREFERENCES)
    if format is not None:
        checked_choice("format", format, CORPUS_FORMATS)
    if image_encoder is not None:
        check_image_encoder(image_encoder)
    found = detect_format(corpus)
    check_index_folder(out)
    if isinstance(encoder, str | os.PathLike):
        name, text_encoder = _lasting(os.fspath(encoder)), load_encoder(encoder, runtime=runtime)
    else:
        name, text_encoder = None, encoder
    if factory:
        check_factory(factory, text_encoder.dimension)
    report = progress or (lambda stage, done, total: None)
    plan = {
        "format_version": FORMAT_VERSION,
        "corpus": _identity(corpus, out),
        "format": format or found,
        "columns": dict(columns or {}),
        "max_chars": max_chars,
        "encoder": text_encoder.fingerprint,
        "image_encoder": _image_fingerprint(image_encoder),
        "shard_sentences": SHARD_SENTENCES,
    }
    out.mkdir(parents=True, exist_ok=True)
    with _only_one(out):
        work = _resume(out / "building", plan)
        photos = image_encoder is not None
        documents = partial(read_corpus, corpus, format=format, columns=columns, photos=photos, skip=out)
        if not (work / "checked").is_file():
            _check_corpus(documents, report)
            (work / "checked").touch()
        path = out / "embeddings.sqlite" if cache is True else Path(cache) if cache else None
        embeddings = EmbeddingCache(path, ours=cache is True)
        try:
            writer = ShardWriter(work, text_encoder, embeddings, image_encoder, max_chars)
            writer.write(documents(), SHARD_SENTENCES, report)
        finally:
            embeddings.close()
        final = work / "final"
        shutil.rmtree(final, ignore_errors=True)
        built = assemble(work, final, text_encoder.dimension, preset, factory, report)
        files = file_checksums(final)
        sync_folder(final)  # the old data go once the manifest names the new
        digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
        data = _place(final, out, f"data-{digest}", files)
        manifest = {
            "format_version": FORMAT_VERSION,
            "data": data,
            "encoder": {
                "name": name,
                "runtime": None if name is None else runtime,
                "fingerprint": text_encoder.fingerprint,
                "dimension": text_encoder.dimension,
                "metric": "inner_product",
                "normalised": True,
            },
            "image_encoder": plan["image_encoder"],
            "image_encoder_name": _lasting(getattr(image_encoder, "name", None)),
            "preset": preset,
            "factory": built.pop("factory"),
            "max_chars": max_chars,
            "counts": built,
            "files": files,
        }
        write_manifest(out, manifest)
        # Readers of the old data keep their mapped files; only the names go.
        for old in out.glob("data-*"):
            if old.name != data and _is_data(old):
                shutil.rmtree(old, ignore_errors=True)
        _empty(work)
        shutil.rmtree(work, ignore_errors=True)
    return manifest | {"encoded": embeddings.encoded, "reused": embeddings.reused}


def _check_corpus(documents: Callable[[], Iterator[Document]], report: Callable[[str, int, int | None], None]) -> None:
    """Read all documents once: a broken row or a repeated id must show now, not after hours of encoding."""

    def ids() -> Iterator[str]:
        done = 0
        for done, document in enumerate(documents(), 1):
            yield document.id
            if done % 1000 == 0:
                report("checking", done, None)
        report("checking", done, None)

    check_unique(ids)


def _lasting(name: str | None) -> str | None:
    """The name of an encoder as an index records it: a relative folder means another one where the index is opened later."""
    # As load_encoder reads names: 'bundled' is no folder, and what is no folder is a Hugging Face id.
    if not isinstance(name, str) or name == "bundled":
        return name
    folder = os.path.expanduser(name)
    return str(Path(folder).resolve()) if os.path.isdir(folder) and not os.path.isabs(folder) else name


def check_index_folder(out: Path) -> None:
    """Refuse to build in a folder that somebody else keeps something in.

    Raises:
        InputError: ``out`` is a file, or a folder that holds other things than an index or its unfinished build.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"index folder {out} is a file; name a folder")
    held = {path.name for path in out.iterdir()} if out.is_dir() else set()
    foreign = {name for name in held if not _OWN.fullmatch(name)}
    planned = _is_plan(out / "building" / "plan.json")
    if planned or (MANIFEST in held and _is_index(out)):
        foreign.clear()  # what else lies beside an index is left alone
    if MANIFEST in held and not _is_index(out):
        foreign.add(MANIFEST)
    if not planned and {path.name for path in (out / "building").glob("*")} - {"plan.tmp"}:
        foreign.add("building")
    if ".lock" in held and not _is_lock(out / ".lock"):
        foreign.add(".lock")
    if foreign:
        raise InputError(
            f"index folder {out} holds {sorted(foreign)[0]!r}, which no index build wrote; name a new or an empty folder"
        )


def _is_index(out: Path) -> bool:
    """Whether the manifest is one of ours, of whatever version and in whatever state."""
    try:
        manifest = json.loads((out / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return any(_is_data(path) and any(path.iterdir()) for path in out.iterdir())
    return isinstance(manifest, dict) and {"format_version", "data", "encoder"} <= set(manifest)


def _is_data(folder: Path) -> bool:
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


def _place(final: Path, out: Path, data: str, files: dict[str, dict[str, Any]]) -> str:
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


def _resume(work: Path, plan: dict[str, Any]) -> Path:
    """The work folder of a build, kept if it belongs to the same plan, else emptied."""
    path = work / "plan.json"
    try:
        same = json.loads(path.read_text("utf-8")) == json.loads(json.dumps(plan))
    except (OSError, ValueError):
        same = False
    if not same:
        work.mkdir(parents=True, exist_ok=True)
        _empty(work)
        partial = path.with_suffix(".tmp")
        partial.write_text(json.dumps(plan, indent=2), "utf-8")
        partial.replace(path)
    return work


def _empty(work: Path) -> None:
    """Remove all but the plan. What an interruption leaves of it is a build with fewer shards, which can be continued."""
    (work / "complete").unlink(missing_ok=True)
    for path in sorted(work.iterdir(), reverse=True):  # from the last shard
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "plan.json":
            path.unlink(missing_ok=True)


def _identity(corpus: Path, out: Path) -> list[list[Any]]:
    """Name, size and time of change of every file of a corpus: a build continues only on an unchanged one."""
    # An index inside the corpus's folder changes while it is built.
    files = [corpus] if corpus.is_file() else files_below(corpus, skip=out)
    root = corpus.parent
    digest = hashlib.sha256()
    for file in files:
        stat = file.stat()
        digest.update(os.fsencode(f"{file.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n"))
    return [[str(corpus.resolve()), len(files), digest.hexdigest()]]


def _image_fingerprint(image_encoder: ImageEncoder | None) -> str | None:
    if image_encoder is None:
        return None
    return str(getattr(image_encoder, "fingerprint", type(image_encoder).__qualname__))


def _only_one(folder: Path) -> AbstractContextManager[None]:
    """Refuse a second build in the same folder."""
    refusal = f"index folder {folder}: another build is running there; wait for it or name another folder"
    return only_one(folder / ".lock", refusal)
