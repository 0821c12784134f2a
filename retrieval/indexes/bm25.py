"""Words in BM25, by bm25s: the index, and building a saved one from a stream of texts in memory that does not grow with them.

The builder makes three passes over files: words become numbers; blocks of passages become postings sorted by word; and ranges
of words are merged from all blocks, scored and written in the order of bm25s's sparse matrix.
"""

import json
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import InputError, as_input_error
from retrieval.indexes.base import EvidenceIndex, Passages, check_new_ids, check_search, save_array, save_text, top_rows
from retrieval.npy import NpyReader, NpyWriter
from retrieval.text.words import BM25_B, BM25_K1, is_letter, letter_places, was_cut_otherwise, words

__all__ = ["BM25Builder", "BM25Index"]

#: Words of passages handled at once, and postings merged at once: what bounds the memory.
BLOCK_WORDS, MERGE_POSTINGS = 1 << 20, 1 << 20
_POSTING = np.dtype([("word", np.int32), ("passage", np.int32), ("count", np.int32)])


class BM25Index(EvidenceIndex):
    """BM25 over the words of passages (Robertson & Zaragoza 2009; bm25s, Lù 2024).

    Scores are precomputed, so they are computed again at the first search or save after an addition.
    """

    def __init__(self) -> None:
        self._vocabulary: dict[str, int] = {}
        self._tokens: list[np.ndarray] = []
        self._ids = np.empty(0, np.int64)
        self._deleted = np.empty(0, np.int64)
        self._scorer: Any = None
        self._folder: Path | None = None

    def add(self, ids: np.ndarray, passages: Passages) -> None:
        """Add texts."""
        if passages.texts is None:
            raise InputError("a BM25 index needs texts")
        ids = check_new_ids(ids, passages, np.delete(self._ids, self._deleted), 0)
        self._load_tokens()
        known = self._vocabulary
        self._tokens += [
            np.array([known.setdefault(word, len(known)) for word in words(text)], np.int32) for text in passages.texts
        ]
        self._ids = np.concatenate([self._ids, ids])
        self._scorer = None

    def delete(self, ids: np.ndarray) -> int:
        """Mask texts; word statistics change with the next addition only."""
        positions = np.setdiff1d(np.flatnonzero(np.isin(self._ids, np.asarray(ids, np.int64))), self._deleted)
        self._deleted = np.union1d(self._deleted, positions)
        return len(positions)

    def search(self, queries: Passages, top_k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Passages that share words with the query; one that shares none is never returned."""
        top_k = check_search(queries, top_k, allowed)
        if queries.texts is None:
            raise InputError("a BM25 index needs queries as texts")
        scores = np.full((len(queries.texts), top_k), -np.inf, np.float32)
        ids = np.full((len(queries.texts), top_k), -1, np.int64)
        # Texts without a word match nothing, and bm25s needs at least one.
        if not len(self) or not self._vocabulary:
            return scores, ids
        self._build()
        mask = None
        if allowed is not None or len(self._deleted):
            mask = (
                np.ones(len(self._ids), bool) if allowed is None else np.isin(self._ids, np.asarray(allowed, np.int64))
            )
            mask[self._deleted] = False
        for i, query in enumerate(queries.texts):
            wanted = dict.fromkeys(words(query))
            letters = [word for word in wanted if is_letter(word)]
            tokens = [self._vocabulary[w] for w in wanted if w in self._vocabulary and w not in letters]
            if not tokens and not letters:
                continue
            found = self._scorer.get_scores_from_ids(tokens)
            for letter in letters:
                found += self._letter_scores(letter)
            found[found <= 0] = -np.inf
            if mask is not None:
                found[~mask] = -np.inf
            best = top_rows(found, top_k)
            scores[i, : len(best)], ids[i, : len(best)] = found[best], self._ids[best]
        return scores, ids

    def save(self, folder: Path) -> None:
        """Write bm25s's own files, the words as numbers (for later additions), ids and the mask of deleted texts."""
        folder.mkdir(parents=True, exist_ok=True)
        self._load_tokens()
        lengths = np.array([len(t) for t in self._tokens], np.int64)
        if lengths.any():
            self._build()
        save_array(folder / "lengths.npy", lengths)
        save_array(folder / "tokens.npy", np.concatenate([np.empty(0, np.int32), *self._tokens]))
        save_array(folder / "ids.npy", self._ids)
        save_array(folder / "deleted.npy", self._deleted)
        save_text(folder / "vocabulary.json", json.dumps(list(self._vocabulary), ensure_ascii=False))
        if not lengths.any():
            # What says that there are scores; without words there are none.
            (folder / "params.index.json").unlink(missing_ok=True)
            return
        with tempfile.TemporaryDirectory(prefix="partial-", dir=folder) as partial:
            # bm25s writes a whole folder, and over files that it may have mapped itself.
            self._scorer.save(partial, show_progress=False)
            for file in sorted(Path(partial).iterdir()):
                file.replace(folder / file.name)

    @classmethod
    def open(cls, folder: Path) -> "BM25Index":
        """Open a saved index with its scores memory-mapped."""
        import bm25s

        index = cls()
        damage = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError)
        with as_input_error(f"{folder} holds no readable BM25 index", *damage, hint="build it again"):
            index._ids = np.load(folder / "ids.npy")
            index._deleted = np.load(folder / "deleted.npy")
            found = json.loads((folder / "vocabulary.json").read_text("utf-8"))
            index._vocabulary = {str(word): i for i, word in enumerate(found)}
            if (folder / "params.index.json").is_file():
                written = json.loads((folder / "params.index.json").read_text("utf-8"))
                expected = _parameters(len(index._ids)) | {"version": written["version"]}
                if {key: written[key] for key in expected} != expected:
                    raise ValueError("params.index.json is damaged")
                index._scorer = bm25s.BM25.load(folder, mmap=True, load_vocab=False)
        if was_cut_otherwise(index._vocabulary):
            raise InputError(
                f"{folder} was built by an earlier version, which took a run of Thai, Lao, Khmer or Myanmar for one word",
                hint="build it again",
            )
        index._folder = folder
        return index

    def __len__(self) -> int:
        return len(self._ids) - len(self._deleted)

    def check(self, passages: int) -> None:
        """Refuse an opened index whose arrays do not belong together; reads all postings.

        Args:
            passages: how many it must hold, under the ids 0 … passages - 1.

        Raises:
            ValueError: it holds other ids, or its postings are damaged.
        """
        whole = np.array_equal(self._ids, np.arange(passages)) and _are_places(self._deleted, passages)
        if whole and self._scorer is not None:
            data, rows, ends = (self._scorer.scores[name] for name in ("data", "indices", "indptr"))
            whole = _are_places(rows, passages) and data.dtype == np.float32 and data.shape == rows.shape
            whole = whole and _are_places(ends, len(rows) + 1) and len(ends) == len(self._vocabulary) + 1
            whole = whole and ends[0] == 0 and ends[-1] == len(rows) and bool((np.diff(ends) >= 0).all())
        if not whole:
            raise ValueError("the postings of its BM25 index")

    def _letter_scores(self, letter: str) -> np.ndarray:
        """BM25 of a letter that stands alone in a query, float32 (passages,), as if every text had its letters among its words.

        The vocabulary is gone through for the pairs that begin or end with it. Of a pair bm25s keeps idf · c / (c + norm),
        which gives c / norm; these add up over pairs to the letter's own.
        """
        scores, count = self._scorer.scores, len(self._ids)
        gains = np.zeros((2, count))  # as first letter of a pair, as last
        for word, number in self._vocabulary.items():
            places = letter_places(letter, word) if letter in word else ()
            if any(places):
                part = slice(*scores["indptr"][number : number + 2])
                share = scores["data"][part] / _rarity(count, part.stop - part.start)
                gains[np.ix_(np.flatnonzero(places), scores["indices"][part])] += share / (1 - share)
        # An occurrence at the end of a run begins no pair, one at its start ends none.
        gain = gains.max(0)
        return (_rarity(count, int(np.count_nonzero(gain))) * gain / (1 + gain)).astype(np.float32)

    def _load_tokens(self) -> None:
        """Read back the words that an opened index left on disk, which only an addition needs."""
        if self._folder is not None:
            lengths = np.load(self._folder / "lengths.npy")
            flat = np.load(self._folder / "tokens.npy")
            self._tokens = np.split(flat, np.cumsum(lengths)[:-1]) if len(lengths) else []
            self._folder = None

    def _build(self) -> None:
        import bm25s

        if self._scorer is not None:
            return
        self._load_tokens()
        self._scorer = bm25s.BM25(k1=BM25_K1, b=BM25_B, method="lucene")
        self._scorer.index((self._tokens, self._vocabulary), create_empty_token=False, show_progress=False)


def _are_places(numbers: np.ndarray, count: int) -> bool:
    """Whether these are whole numbers (n,) in 0 … count - 1."""
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        return False
    return not len(numbers) or (numbers.min() >= 0 and numbers.max() < count)


def _rarity(count: int, frequency: int) -> float:
    """The idf of a word that ``frequency`` of ``count`` passages hold."""
    return float(np.log1p((count - frequency + 0.5) / (frequency + 0.5)))


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
