"""Joining the shards of a build into one store and its indexes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.errors import InputError
from retrieval.indexes.base import Passages
from retrieval.indexes.bm25_index import BM25Index
from retrieval.indexes.faiss_index import FaissIndex
from retrieval.shards import shard_folders
from retrieval.store import DOCUMENTS, PHOTOS, SENTENCES

__all__ = ["assemble", "build_vectors"]

#: Vectors that train an inverted file, for each cluster, and those handled at once.
TRAIN_PER_CLUSTER, CHUNK = 50, 32768
_FILES = {"documents": DOCUMENTS, "sentences": SENTENCES, "photos": PHOTOS}


def assemble(
    work: Path,
    final: Path,
    dimension: int,
    preset: str,
    factory: str | None,
    report: Callable[[str, int, int | None], None],
) -> dict[str, Any]:
    """Join the shards in ``work`` into the new folder ``final``; returns counts and the FAISS factory used.

    Raises:
        InputError: the corpus is empty, or two documents have one id.
    """
    shards = shard_folders(work)
    abouts = [json.loads((shard / "about.json").read_text("utf-8")) for shard in shards]
    counts = {key: sum(about[key] for about in abouts) for key in ("documents", "sentences", "photos", "unreadable")}
    if not counts["documents"]:
        raise InputError("the corpus holds no document; an index needs at least one")
    final.mkdir(parents=True)
    _join_tables(shards, abouts, final)
    _check_ids(final)
    vectors = _join_vectors(shards, "vectors", counts["sentences"], dimension, final)
    dense = build_vectors(vectors, preset, factory, lambda done: report("indexing", done, counts["sentences"]))
    dense.save(final / "index" / "dense")
    _lexical(shards, report, counts["sentences"]).save(final / "index" / "lexical")
    if counts["photos"]:
        shapes = [np.load(shard / "photo_vectors.npy", mmap_mode="r").shape for shard in shards]
        width = next(shape[1] for shape in shapes if shape[0])
        for name, size in (("photo_vectors", width), ("caption_vectors", dimension)):
            stored = _join_vectors(shards, name, counts["photos"], size, final)
            build_vectors(stored, preset, None, lambda done: None).save(final / name.removesuffix("_vectors"))
    return counts | {"factory": dense.factory}


def build_vectors(vectors: np.ndarray, preset: str, factory: str | None, report: Callable[[int], None]) -> FaissIndex:
    """A FAISS index of stored vectors (n, D), trained on a fixed random sample and filled in chunks."""
    count = len(vectors)
    index = FaissIndex(vectors.shape[1], factory=factory, preference=preset, expected=count)
    clusters = index.clusters
    wanted = min(count, max(TRAIN_PER_CLUSTER * clusters, 20_000))
    if count and not index.raw.is_trained:
        sample = np.sort(np.random.default_rng(0).choice(count, wanted, replace=False))
        index.train(vectors[sample].astype(np.float32))
    for start in range(0, count, CHUNK):
        part = vectors[start : start + CHUNK].astype(np.float32)
        index.add(np.arange(start, start + len(part)), Passages(vectors=part))
        report(start + len(part))
    return index


def _join_tables(shards: list[Path], abouts: list[dict[str, int]], final: Path) -> None:
    for name, schema in _FILES.items():
        documents = sentences = 0
        with pa.OSFile(str(final / f"{name}.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for shard, about in zip(shards, abouts, strict=True):
                table = pa.ipc.open_file(pa.memory_map(str(shard / f"{name}.arrow"))).read_all()
                column, offset = ("first_sentence", sentences) if name == "documents" else ("document", documents)
                place = schema.get_field_index(column)
                table = table.set_column(place, schema.field(place), pc.add(table[column], offset).cast(pa.int64()))
                writer.write_table(table)
                documents, sentences = documents + about["documents"], sentences + about["sentences"]


def _check_ids(final: Path) -> None:
    ids = pa.ipc.open_file(pa.memory_map(str(final / "documents.arrow"))).read_all()["id"]
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    counted = ids.value_counts()
    repeated = counted.filter(pc.greater(counted.field("counts"), 1)).field("values")
    raise InputError(
        f"{len(repeated)} document ids occur more than once in the corpus (first: {repeated[0].as_py()!r}); "
        "give every document its own id, or leave the id column out"
    )


def _join_vectors(shards: list[Path], name: str, count: int, dimension: int, final: Path) -> np.ndarray:
    path = final / f"{name}.npy"
    joined = np.lib.format.open_memmap(path, "w+", np.float16, (count, dimension))
    position = 0
    for shard in shards:
        part = np.load(shard / f"{name}.npy", mmap_mode="r")
        if len(part):
            joined[position : position + len(part)] = part
            position += len(part)
    joined.flush()
    return np.load(path, mmap_mode="r")


def _lexical(shards: list[Path], report: Callable[[str, int, int | None], None], total: int) -> BM25Index:
    index = BM25Index()
    position = 0
    for shard in shards:
        documents = pa.ipc.open_file(pa.memory_map(str(shard / "documents.arrow"))).read_all()["text"].to_pylist()
        spans = pa.ipc.open_file(pa.memory_map(str(shard / "sentences.arrow"))).read_all()
        rows = zip(*(spans[name].to_pylist() for name in SENTENCES.names), strict=True)
        texts = [documents[document][start:end] for document, start, end in rows]
        index.add(np.arange(position, position + len(texts)), Passages(texts=texts))
        position += len(texts)
        report("words", position, total)
    return index
