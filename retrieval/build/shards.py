"""Shards of a build: documents, sentences, vectors and photos of a few thousand sentences, complete or absent."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from retrieval.build.corpus import Document, Photo
from retrieval.encoders.base import TextEncoder
from retrieval.encoders.cache import EmbeddingCache
from retrieval.errors import InputError
from retrieval.store import DOCUMENTS, IMAGES, SENTENCES, mapped_table
from retrieval.text.dates import date_range

__all__ = ["ShardWriter", "shard_folders"]

_log = logging.getLogger("retrieval")

#: A shard is closed when the photos that its rows hold themselves pass this many bytes: until then they are in memory.
IMAGE_BYTES = 64 * 2**20
#: Photos read and embedded at once.
IMAGES_AT_ONCE = 32
#: Counts of a shard that its user should hear of, where each keeps its first case, and what is said.
_WARNINGS = (
    (
        "unreadable_dates",
        "unreadable_date",
        "dates that could not be read: {}, the first {!r}; a search with a date filter leaves these documents out. "
        "Write dates as 2020-12-31",
    ),
    (
        "garbled",
        "first_garbled",
        "text files, lines or rows that are not UTF-8: {}, the first {!r}; what could not be decoded was replaced by "
        "\ufffd. Save the corpus as UTF-8",
    ),
)


def shard_folders(work: Path) -> list[Path]:
    """The complete shards of a build, in order."""
    return sorted(p for p in work.glob("shard-*") if p.suffix != ".tmp")


class ShardWriter:
    """Writes a corpus as shards, from where an earlier build was cut off.

    Args:
        work: folder of the shards.
        encoder: encodes sentences and captions.
        cache: gives and keeps their vectors.
        image_encoder: encodes photos; None leaves them out.
        max_chars: longest sentence.
    """

    def __init__(
        self, work: Path, encoder: TextEncoder, cache: EmbeddingCache, image_encoder: Any, max_chars: int
    ) -> None:
        self.work, self.encoder, self.cache = work, encoder, cache
        self.image_encoder, self.max_chars = image_encoder, max_chars

    def write(
        self, documents: Iterator[Document], shard_sentences: int, report: Callable[[str, int, int | None], None]
    ) -> None:
        """Write every document that no complete shard holds."""
        for leftover in self.work.glob("shard-*.tmp"):
            shutil.rmtree(leftover)
        self._drop_damaged()
        done = shard_folders(self.work)
        complete = self.work / "complete"
        if complete.is_file() and complete.read_text("utf-8") == str(len(done)):
            return
        read = sum(_about(folder)["documents"] for folder in done)
        sum(1 for _ in islice(documents, read))  # what the shards hold already is read over
        number, batch, sentences, held = len(done), [], 0, 0
        report("encoding", read, None)
        for document in documents:
            split = document.sentences(self.max_chars)
            batch.append((document, split))
            sentences += len(split)
            held += sum(len(photo.data or b"") for photo in document.photos)
            # Documents without sentences must not gather without end either. Where a shard ends follows from the corpus
            # alone, so that a build that was cut off gives the same index.
            if sentences >= shard_sentences or len(batch) >= 4 * shard_sentences or held >= IMAGE_BYTES:
                self._write(number, batch)
                read, number, batch, sentences, held = read + len(batch), number + 1, [], 0, 0
                report("encoding", read, None)
        if batch:
            self._write(number, batch)
            report("encoding", read + len(batch), None)
        self._warn()
        complete.write_text(str(len(shard_folders(self.work))), "utf-8")

    def _drop_damaged(self) -> None:
        """Remove all from the first shard that is missing or unreadable: made again, from the cache if there is one."""
        folders = shard_folders(self.work)
        good = (folder.name == f"shard-{i:06d}" and _readable(folder) for i, folder in enumerate(folders))
        first = next((i for i, whole in enumerate(good) if not whole), len(folders))
        for folder in reversed(folders[first:]):  # from the end, so that an interruption leaves no gap
            (self.work / "complete").unlink(missing_ok=True)
            shutil.rmtree(folder)

    def _warn(self) -> None:
        """Say once what of the corpus could not be read as it was meant, also where an earlier build met it."""
        abouts = [_about(folder) for folder in shard_folders(self.work)]
        for count, first, message in _WARNINGS:
            total = sum(about[count] for about in abouts)
            if total:
                example = next(about[first] for about in abouts if about[count])
                _log.warning("%s", message.format(total, example))

    def _write(self, number: int, batch: list[tuple[Document, list[Any]]]) -> None:
        folder = self.work / f"shard-{number:06d}.tmp"
        folder.mkdir()
        rows: list[dict[str, Any]] = []
        spans: list[dict[str, int]] = []
        texts: list[str] = []
        photos: list[dict[str, Any]] = []
        images: list[Photo] = []
        unreadable_dates: list[str] = []
        for i, (document, split) in enumerate(batch):
            days = date_range(document.date) or (None, None)
            if document.date is not None and days[0] is None:
                unreadable_dates.append(document.date)
            rows.append(
                {
                    "id": document.id,
                    "text": document.text.encode("utf-8", "replace").decode("utf-8"),
                    "title": document.title,
                    "date": document.date,
                    "date_first": days[0],
                    "date_last": days[1],
                    "source": document.source,
                    "language": document.language,
                    "metadata": json.dumps(document.metadata, ensure_ascii=True) if document.metadata else None,
                    "first_sentence": len(texts),
                    "sentences": len(split),
                }
            )
            spans += [{"document": i, "start": s.start, "end": s.end} for s in split]
            texts += [s.text for s in split]
            for photo in document.photos if self.image_encoder is not None else ():
                photos.append({"document": i, "reference": photo.reference, "caption": photo.caption})
                images.append(photo)
        garbled = [document.garbled for document, _ in batch if document.garbled]
        vectors, readable = self._embed(images)
        kept = [i for i, good in enumerate(readable) if good]
        photos = [photos[i] for i in kept]
        _save(folder / "documents.arrow", rows, DOCUMENTS)
        _save(folder / "sentences.arrow", spans, SENTENCES)
        _save(folder / "photos.arrow", photos, IMAGES)
        np.save(folder / "vectors.npy", self.cache.encode(self.encoder, texts))
        np.save(folder / "photo_vectors.npy", vectors.astype(np.float16))
        np.save(folder / "caption_vectors.npy", self.cache.encode(self.encoder, [p["caption"] for p in photos]))
        about = {
            "documents": len(rows),
            "sentences": len(texts),
            "photos": len(kept),
            "unreadable": len(images) - len(kept),
            "dated": sum(row["date_first"] is not None for row in rows),
            "unreadable_dates": len(unreadable_dates),
            "unreadable_date": unreadable_dates[0] if unreadable_dates else None,
            "garbled": len(garbled),
            "first_garbled": garbled[0] if garbled else None,
        }
        (folder / "about.json").write_text(json.dumps(about), "utf-8")
        os.rename(folder, folder.with_suffix(""))

    def _embed(self, photos: list[Photo]) -> tuple[np.ndarray, list[bool]]:
        """Vectors of the photos that can be read, float32 (m, D), and which those are."""
        vectors: list[np.ndarray] = []
        readable = [False] * len(photos)
        for start in range(0, len(photos), IMAGES_AT_ONCE):
            # Files are read here, a few at a time: those of a whole shard may be larger than memory.
            part = enumerate(photos[start : start + IMAGES_AT_ONCE], start)
            found, good = self._embed_at_once({i: data for i, photo in part if (data := photo.read())})
            vectors += found
            for i in good:
                readable[i] = True
        return (np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32)), readable

    def _embed_at_once(self, images: Mapping[int, bytes]) -> tuple[list[np.ndarray], list[int]]:
        """Vectors of the images that the encoder takes, float32 (m, D) in parts, and their keys."""
        if not images:
            return [], []
        try:
            return [np.asarray(self.image_encoder.embed_images(list(images.values())), np.float32)], list(images)
        except InputError:
            if len(images) == 1:
                return [], []
        # One broken photo must not cost its neighbours: find it.
        parts = [self._embed_at_once({i: data}) for i, data in images.items()]
        return [vector for found, _ in parts for vector in found], [i for _, good in parts for i in good]


def _about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "about.json").read_text("utf-8"))


def _readable(folder: Path) -> bool:
    """Whether the files of a shard are there, open, and hold as many rows as the shard says."""
    try:
        about = _about(folder)
        rows = {"documents": about["documents"], "sentences": about["sentences"], "photos": about["photos"]}
        if not {"dated", "first_garbled"} <= about.keys():
            return False  # of an earlier version
        schemas = {"documents": DOCUMENTS, "sentences": SENTENCES, "photos": IMAGES}
        for name, count in rows.items():
            if mapped_table(folder / f"{name}.arrow", schemas[name], full=True).num_rows != count:
                return False
        vectors = {"vectors": rows["sentences"], "photo_vectors": rows["photos"], "caption_vectors": rows["photos"]}
        return all(len(np.load(folder / f"{name}.npy", mmap_mode="r")) == count for name, count in vectors.items())
    except (OSError, EOFError, ValueError, KeyError, TypeError, pa.ArrowException):
        return False


def _save(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
