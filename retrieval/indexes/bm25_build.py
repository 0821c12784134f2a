"""Building a saved BM25 index from a stream of texts, in memory that does not grow with them.

Three passes over files: words become numbers; blocks of passages become postings sorted by word; and ranges of words are
merged from all blocks, scored and written in the order of bm25s's sparse matrix.
"""

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.npy import NpyReader, NpyWriter
from retrieval.text.words import BM25_B, BM25_K1, words

__all__ = ["BM25Builder"]

#: Words of passages handled at once, and postings merged at once: what bounds the memory.
BLOCK_WORDS, MERGE_POSTINGS = 1 << 20, 1 << 20
_POSTING = np.dtype([("word", np.int32), ("passage", np.int32), ("count", np.int32)])


class BM25Builder:
    """Writes the folder that :meth:`retrieval.indexes.BM25Index.open` reads; passages are numbered from 0.

    In memory are the vocabulary, 12 bytes a passage, and blocks of fixed size.

    Args:
        folder: the index's folder, created.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._vocabulary: dict[str, int] = {}
        self._lengths = array("i")
        self._tokens = NpyWriter(folder / "tokens.npy", np.int32)

    def add(self, texts: Sequence[str]) -> None:
        """Append passages."""
        known = self._vocabulary
        numbers = array("i")
        for text in texts:
            found = [known.setdefault(word, len(known)) for word in words(text)]
            self._lengths.append(len(found))
            numbers.extend(found)
        self._tokens.append(np.frombuffer(numbers, np.int32) if numbers else np.empty(0, np.int32))

    def finish(self) -> None:
        """Write the index."""
        folder = self._folder
        self._tokens.close()
        lengths = np.frombuffer(self._lengths, np.int32) if self._lengths else np.empty(0, np.int32)
        with NpyWriter(folder / "lengths.npy", np.int64) as writer:
            writer.append(lengths)
        with NpyWriter(folder / "ids.npy", np.int64) as writer:
            writer.append(np.arange(len(lengths)))
        np.save(folder / "deleted.npy", np.empty(0, np.int64))
        with (folder / "vocabulary.json").open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(list(self._vocabulary), ensure_ascii=False))
        if not lengths.any():
            return
        blocks, frequency = self._postings(lengths)
        try:
            self._merge(blocks, frequency, lengths)
        finally:
            for block in blocks:
                block.unlink()
        (folder / "params.index.json").write_text(json.dumps(_parameters(len(lengths)), indent=4), "utf-8")

    def _postings(self, lengths: np.ndarray) -> tuple[list[Path], np.ndarray]:
        """Files of postings sorted by word and passage, a file a block, and the number of passages that hold each word."""
        tokens = NpyReader(self._folder / "tokens.npy")
        frequency = np.zeros(len(self._vocabulary), np.int64)
        ends = np.cumsum(lengths, dtype=np.int64)
        files: list[Path] = []
        first = 0
        while first < len(lengths):
            begin = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, begin + BLOCK_WORDS, side="right")))
            passages = np.repeat(np.arange(last - first, dtype=np.int64), lengths[first:last])
            keys = tokens[begin : int(ends[last - 1])].astype(np.int64) * (last - first) + passages
            keys, counts = np.unique(keys, return_counts=True)
            postings = np.empty(len(keys), _POSTING)
            postings["word"], postings["passage"] = np.divmod(keys, last - first)
            postings["passage"] += first
            postings["count"] = counts
            frequency += np.bincount(postings["word"], minlength=len(frequency))
            files.append(self._folder / f"postings-{len(files):06d}.tmp")
            postings.tofile(files[-1])
            first = last
        return files, frequency

    def _merge(self, blocks: list[Path], frequency: np.ndarray, lengths: np.ndarray) -> None:
        ends = np.cumsum(frequency)
        pointers = np.concatenate([[0], ends])
        inverse = np.log1p((len(lengths) - frequency + 0.5) / (frequency + 0.5))
        mean = lengths.mean()
        streams = [block.open("rb") for block in blocks]
        waiting = [np.empty(0, _POSTING) for _ in streams]
        try:
            with (
                NpyWriter(self._folder / "data.csc.index.npy", np.float32) as data,
                NpyWriter(self._folder / "indices.csc.index.npy", np.int32) as indices,
            ):
                first = 0
                while first < len(frequency):
                    last = max(first + 1, int(np.searchsorted(ends, pointers[first] + MERGE_POSTINGS, side="right")))
                    parts = []
                    for i, stream in enumerate(streams):
                        part, waiting[i] = _take(stream, waiting[i], last, MERGE_POSTINGS // len(streams) + 1)
                        parts.append(part)
                    # Blocks come in the order of their passages, which a stable sort keeps.
                    merged = np.concatenate(parts)
                    merged = merged[np.argsort(merged["word"], kind="stable")]
                    norm = BM25_K1 * (1 - BM25_B + BM25_B * lengths[merged["passage"]] / mean)
                    data.append(inverse[merged["word"]] * merged["count"] / (merged["count"] + norm))
                    indices.append(merged["passage"])
                    first = last
        finally:
            for stream in streams:
                stream.close()
        np.save(self._folder / "indptr.csc.index.npy", pointers)


def _take(stream: Any, waiting: np.ndarray, last: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Postings of words below ``last`` from what is waiting and from the stream, and what then waits."""
    parts = []
    while True:
        cut = int(np.searchsorted(waiting["word"], last))
        parts.append(waiting[:cut])
        if cut < len(waiting):
            return np.concatenate(parts), waiting[cut:].copy()
        waiting = np.fromfile(stream, _POSTING, size)
        if not len(waiting):
            return np.concatenate(parts), waiting


def _parameters(count: int) -> dict[str, Any]:
    """What bm25s writes about an index."""
    import bm25s

    scorer = bm25s.BM25(k1=BM25_K1, b=BM25_B, method="lucene")
    names = ("k1", "b", "delta", "method", "idf_method", "dtype", "int_dtype", "backend")
    return {name: getattr(scorer, name) for name in names} | {"num_docs": count, "version": bm25s.__version__}
