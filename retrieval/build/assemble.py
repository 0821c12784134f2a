"""Joining the shards of a build into one store and its indexes.

Everything passes through in pieces, and FAISS is trained on a sample of bounded size, so memory does not grow with the corpus but
for what must be held: the FAISS index itself (``bytes a vector`` of its preset), 12 bytes a sentence and 8 a document, and the
vocabulary.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.build.shards import shard_folders
from retrieval.errors import InputError
from retrieval.indexes.base import Passages
from retrieval.indexes.bm25 import BM25Builder
from retrieval.indexes.faiss import FaissIndex
from retrieval.npy import NpyReader, NpyWriter
from retrieval.store import DOCUMENTS, IMAGES, SENTENCES

__all__ = ["assemble", "build_vectors", "check_unique"]

#: Vectors that train an inverted file, for each cluster, and the bytes they may take in all (in float32; FAISS holds about as
#: much again while it trains). Vectors handled at once afterwards.
TRAIN_PER_CLUSTER, TRAIN_BYTES, CHUNK = 50, 80_000_000, 32768
#: Ids hashed at once.
_IDS_AT_ONCE = 8192
#: Of each shard, and in all: ``dated`` are documents whose date can be read, ``unreadable_dates`` those with one that cannot,
#: ``garbled`` those that are not UTF-8, ``unreadable`` photos that cannot be read.
_COUNTS = ("documents", "dated", "unreadable_dates", "garbled", "sentences", "photos", "unreadable")
_FILES = {"documents": DOCUMENTS, "sentences": SENTENCES, "photos": IMAGES}


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
    counts = {key: sum(about[key] for about in abouts) for key in _COUNTS}
    if not counts["documents"]:
        raise InputError("the corpus holds no document; an index needs at least one")
    final.mkdir(parents=True)
    _join_tables(shards, abouts, final)
    # Checked before the reading, too; the corpus may have grown since.
    check_unique(lambda: _ids(final))
    vectors = _join_vectors(shards, "vectors", dimension, final)
    dense = build_vectors(vectors, preset, factory, lambda done: report("indexing", done, counts["sentences"]))
    dense.save(final / "index" / "dense")
    chosen = dense.factory
    del dense
    _lexical(shards, final / "index" / "lexical", report, counts["sentences"])
    if counts["photos"]:
        shapes = [np.load(shard / "photo_vectors.npy", mmap_mode="r").shape for shard in shards]
        width = next(shape[1] for shape in shapes if shape[0])
        for name, size in (("photo_vectors", width), ("caption_vectors", dimension)):
            stored = _join_vectors(shards, name, size, final)
            build_vectors(stored, preset, None, lambda done: None).save(final / name.removesuffix("_vectors"))
    return counts | {"factory": chosen}


def build_vectors(
    vectors: "np.ndarray | NpyReader", preset: str, factory: str | None, report: Callable[[int], None]
) -> FaissIndex:
    """A FAISS index of stored vectors (n, D), trained on a fixed random sample and filled in chunks."""
    count = len(vectors)
    index = FaissIndex(vectors.shape[1], factory=factory, preference=preset, expected=count)
    clusters = index.clusters
    most = max(TRAIN_BYTES // (4 * vectors.shape[1]), 2 * clusters)
    wanted = min(count, max(TRAIN_PER_CLUSTER * clusters, 20_000), most)
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


def _ids(final: Path) -> Iterator[str]:
    # A plain file, not a memory map, and the ids alone: the texts are not read.
    options = pa.ipc.IpcReadOptions(included_fields=[DOCUMENTS.get_field_index("id")])
    with pa.OSFile(str(final / "documents.arrow")) as source, pa.ipc.open_file(source, options=options) as reader:
        for i in range(reader.num_record_batches):
            yield from reader.get_batch(i).column(0).to_pylist()


def _join_vectors(shards: list[Path], name: str, dimension: int, final: Path) -> NpyReader:
    path = final / f"{name}.npy"
    with NpyWriter(path, np.float16, (dimension,)) as writer:
        for shard in shards:
            part = np.load(shard / f"{name}.npy")
            if len(part):
                writer.append(part)
    return NpyReader(path)


def _lexical(shards: list[Path], folder: Path, report: Callable[[str, int, int | None], None], total: int) -> None:
    builder = BM25Builder(folder)
    position = 0
    for shard in shards:
        documents = pa.ipc.open_file(pa.memory_map(str(shard / "documents.arrow"))).read_all()["text"].to_pylist()
        spans = pa.ipc.open_file(pa.memory_map(str(shard / "sentences.arrow"))).read_all()
        rows = zip(*(spans[name].to_pylist() for name in SENTENCES.names), strict=True)
        texts = [documents[document][start:end] for document, start, end in rows]
        builder.add(texts)
        position += len(texts)
        report("words", position, total)
    builder.finish()


def check_unique(ids: Callable[[], Iterable[str]]) -> None:
    """Refuse repeated ids: by their hashes, 8 bytes each, and only where those repeat by the ids themselves.

    Args:
        ids: gives all ids, each time it is called.

    Raises:
        InputError: an id occurs more than once.
    """
    from pandas.util import hash_array

    def chunks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        stream = iter(ids())
        while part := list(islice(stream, _IDS_AT_ONCE)):
            names = np.array(part, dtype=object)
            yield names, hash_array(names, categorize=False)

    hashes = [part for _, part in chunks()]
    found, counts = np.unique(np.concatenate(hashes or [np.empty(0, np.uint64)]), return_counts=True)
    del hashes
    suspects = found[counts > 1]
    if not len(suspects):
        return
    counted: Counter[str] = Counter()
    for names, part in chunks():
        counted.update(names[np.isin(part, suspects)].tolist())
    repeated = [name for name, count in counted.items() if count > 1]
    if repeated:
        raise InputError(
            f"{len(repeated)} document ids occur more than once in the corpus (first: {repeated[0]!r})",
            hint="give every document its own id, or leave the id column out",
        )
