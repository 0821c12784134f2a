"""Building an index folder: streaming, resumable, and swapped in at one stroke.

A corpus is read once and written in shards of a few thousand sentences, each complete or absent; a killed build continues
after its last shard. Then the shards are joined and indexed in a new data folder, and the manifest, replaced last, makes
that folder the index. An index that was there before stays readable until then.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack, overload

import numpy as np

from retrieval.arguments import check_image_encoder, checked_choice
from retrieval.build.assemble import assemble, check_unique
from retrieval.build.corpus import CorpusFormat, Document, as_paths, detect_format, read_corpus
from retrieval.build.folder import check_index_folder, empty, is_data, only_one_build, place, resume
from retrieval.build.memory import MemoryCorpus
from retrieval.build.shards import ShardWriter
from retrieval.build.text_files import files_below
from retrieval.durable import sync_folder
from retrieval.encoders.base import TextEncoder
from retrieval.encoders.cache import EmbeddingCache
from retrieval.encoders.load import load_encoder
from retrieval.indexes.faiss_kinds import PREFERENCES, check_factory
from retrieval.manifest import FORMAT_VERSION, file_checksums, write_manifest
from retrieval.text.sentences import MAX_CHARS

if TYPE_CHECKING:
    from retrieval.search.search import EvidenceSearch

__all__ = ["ImageEncoder", "build_index"]

#: A shard is closed at this many sentences: the work that a kill can lose.
SHARD_SENTENCES = 2048


class ImageEncoder(Protocol):
    """What turns photos into vectors: any object with this method (and a ``fingerprint`` and a ``name``, if it has them)."""

    def embed_images(self, images: list[bytes]) -> np.ndarray:
        """Encoded image files to float32 (n, D), rows of length 1."""
        ...


Report = Callable[[str, int, int | None], None]


class _Options(TypedDict, total=False):
    """The keywords of :func:`build_index`, for type checkers."""

    encoder: str | os.PathLike[str] | TextEncoder
    preset: str
    factory: str | None
    image_encoder: ImageEncoder | None
    format: str | CorpusFormat | None
    columns: Mapping[str, str] | None
    max_chars: int
    cache: str | Path | bool
    runtime: str
    progress: Report | None


@overload
def build_index(corpus: Any, out: str | Path, **options: Unpack[_Options]) -> dict[str, Any]: ...


@overload
def build_index(corpus: Any, out: None = None, **options: Unpack[_Options]) -> "EvidenceSearch": ...


def build_index(
    corpus: Any,
    out: str | Path | None = None,
    *,
    encoder: str | os.PathLike[str] | TextEncoder = "bundled",
    preset: str = "fast",
    factory: str | None = None,
    image_encoder: ImageEncoder | None = None,
    format: str | CorpusFormat | None = None,
    columns: Mapping[str, str] | None = None,
    max_chars: int = MAX_CHARS,
    cache: str | Path | bool = True,
    runtime: str = "torch",
    progress: Report | None = None,
) -> "dict[str, Any] | EvidenceSearch":
    """Build an index of a corpus, or build it again.

    Args:
        corpus: path of a table (JSONL, JSON, CSV, TSV, Parquet, Excel), a folder of tables, a BEIR folder or archive, a text or a
            folder of texts, or several of them; or a table (pyarrow, pandas, polars, ``datasets.Dataset``) or an iterable of
            dicts with the same columns.
        out: folder of the index. An index that is there is replaced when the new one is complete; an unfinished build of
            the same corpus and settings is continued. None keeps no folder: the index is there to be searched at once, and
            gone with the process.
        encoder: name or folder as for :func:`retrieval.load_encoder`, or an encoder (then opening needs the same one).
        preset: ``fast``, ``small`` or ``exact``; see :func:`retrieval.indexes.faiss_kinds.choose_factory`.
        factory: FAISS factory string instead of a preset.
        image_encoder: makes the documents' images searchable.
        format: corpus format of a path; None finds it; a :class:`~retrieval.build.corpus.CorpusFormat` says more.
        columns: our field name → the corpus's column.
        max_chars: longest sentence.
        cache: keep vectors by content, in the index folder (True) or a file; False keeps none.
        runtime: what runs an encoder given by name, as for :func:`retrieval.load_encoder`; opening the index uses it too.
        progress: called with (stage, done, total or None).

    Returns:
        The manifest; without ``out`` the opened :class:`retrieval.EvidenceSearch`.

    Raises:
        InputError: a bad corpus or option, or another build is running in the same folder.

    Example:
        >>> index = build_index([{"id": "moon", "text": "The Moon orbits the Earth. It has no air."}])
        >>> [hit.text for hit in index.search(["Does the Moon have air?"], top_k=1)[0]]
        ['It has no air.']
    """
    checked_choice("preset", preset, PREFERENCES)
    how = format if isinstance(format, CorpusFormat) else CorpusFormat(dict(columns or {}), format)
    if image_encoder is not None:
        check_image_encoder(image_encoder)
    if out is not None:
        check_index_folder(Path(out))
    documents: Callable[[], Iterator[Document]]
    paths = as_paths(corpus)
    if paths is not None:
        form: Any = how.format or [detect_format(path) for path in paths]
        identity = [_identity(path, Path(out) if out is not None else path) for path in paths]
        skip = None if out is None else Path(out)
        documents = partial(read_corpus, paths, format=how, photos=image_encoder is not None, skip=skip)
    else:
        held = MemoryCorpus(corpus)
        form, identity = "memory", held.identity()
        documents = partial(held.documents, how, image_encoder is not None)
    if isinstance(encoder, str | os.PathLike):
        name, text_encoder = _lasting(os.fspath(encoder)), load_encoder(encoder, runtime=runtime)
    else:
        name, text_encoder = None, encoder
    if factory:
        check_factory(factory, text_encoder.dimension)
    plan = {
        "format_version": FORMAT_VERSION,
        "corpus": identity,
        "format": [form, how.quoting, how.header, how.date_order, how.delimiter],
        "columns": dict(how.columns),
        "max_chars": max_chars,
        "encoder": text_encoder.fingerprint,
        "image_encoder": _image_fingerprint(image_encoder),
        "shard_sentences": SHARD_SENTENCES,
    }
    kind = {"name": name, "runtime": None if name is None else runtime}
    build = _Build(plan, documents, text_encoder, image_encoder, kind, preset, factory, progress or _silent)
    if out is not None:
        return build.into(Path(out), cache)
    from retrieval.search.search import open_index

    with tempfile.TemporaryDirectory(prefix="index-") as folder:
        build.into(Path(folder), cache if cache is not True else False)
        # The files stay mapped when their names go.
        return open_index(folder, encoder=text_encoder, image_encoder=image_encoder, verify=False)


@dataclass(frozen=True)
class _Build:
    """What is built of what, by what; see :func:`build_index`."""

    plan: Mapping[str, Any]
    documents: Callable[[], Iterator[Document]]
    encoder: TextEncoder
    image_encoder: ImageEncoder | None
    kind: Mapping[str, Any]
    preset: str
    factory: str | None
    report: Report

    def into(self, out: Path, cache: str | Path | bool) -> dict[str, Any]:
        """Build in a folder, or go on there; returns the manifest."""
        out.mkdir(parents=True, exist_ok=True)
        with only_one_build(out):
            work = resume(out / "building", dict(self.plan))
            if not (work / "checked").is_file():
                _check_corpus(self.documents, self.report)
                (work / "checked").touch()
            path = out / "embeddings.sqlite" if cache is True else Path(cache) if cache else None
            embeddings = EmbeddingCache(path, ours=cache is True)
            try:
                writer = ShardWriter(work, self.encoder, embeddings, self.image_encoder, self.plan["max_chars"])
                writer.write(self.documents(), SHARD_SENTENCES, self.report)
            finally:
                embeddings.close()
            final = work / "final"
            shutil.rmtree(final, ignore_errors=True)
            built = assemble(work, final, self.encoder.dimension, self.preset, self.factory, self.report)
            files = file_checksums(final)
            sync_folder(final)  # the old data go once the manifest names the new
            digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
            data = place(final, out, f"data-{digest}", files)
            manifest = self._manifest(data, built, files)
            write_manifest(out, manifest)
            # Readers of the old data keep their mapped files; only the names go.
            for old in out.glob("data-*"):
                if old.name != data and is_data(old):
                    shutil.rmtree(old, ignore_errors=True)
            empty(work)
            shutil.rmtree(work, ignore_errors=True)
        return manifest | {"encoded": embeddings.encoded, "reused": embeddings.reused}

    def _manifest(self, data: str, built: dict[str, Any], files: dict[str, dict[str, Any]]) -> dict[str, Any]:
        about = {"dimension": self.encoder.dimension, "metric": "inner_product", "normalised": True}
        return {
            "format_version": FORMAT_VERSION,
            "data": data,
            "encoder": {**self.kind, "fingerprint": self.encoder.fingerprint, **about},
            "image_encoder": self.plan["image_encoder"],
            "image_encoder_name": _lasting(getattr(self.image_encoder, "name", None)),
            "preset": self.preset,
            "factory": built["factory"],
            "max_chars": self.plan["max_chars"],
            "counts": {key: value for key, value in built.items() if key != "factory"},
            "files": files,
        }


def _silent(stage: str, done: int, total: int | None) -> None:
    """No progress is shown."""


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
