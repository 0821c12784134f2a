"""A BM25 index written from a stream, next to one built in memory."""

import numpy as np
import pytest

import retrieval.indexes.bm25_build as bm25_build
from retrieval.indexes import BM25Index, Passages
from retrieval.npy import NpyReader, NpyWriter


@pytest.mark.parametrize(("block", "merged"), [(1 << 20, 1 << 20), (700, 500), (1, 1)])
def test_equals_the_index_built_in_memory(tmp_path, monkeypatch, block, merged):
    monkeypatch.setattr(bm25_build, "BLOCK_WORDS", block)
    monkeypatch.setattr(bm25_build, "MERGE_POSTINGS", merged)
    rng = np.random.default_rng(0)
    vocabulary = ["".join(rng.choice(list("abcdefgh"), 5)) for _ in range(120)]
    weights = 1 / np.arange(1, 121)
    # Empty texts first, last and in between.
    sizes = np.concatenate([[0], rng.integers(0, 12, 150), [0]])
    texts = [" ".join(rng.choice(vocabulary, size, p=weights / weights.sum())) for size in sizes]
    whole = BM25Index()
    whole.add(np.arange(len(texts)), Passages(texts=texts))
    builder = bm25_build.BM25Builder(tmp_path / "streamed")
    for start in range(0, len(texts), 40):
        builder.add(texts[start : start + 40])
    builder.finish()
    whole.save(tmp_path / "whole")
    for path in (tmp_path / "whole").glob("*.npy"):
        streamed = np.load(tmp_path / "streamed" / path.name)
        np.testing.assert_allclose(streamed, np.load(path), rtol=1e-6, err_msg=path.name)
    assert not list((tmp_path / "streamed").glob("*.tmp"))
    opened = BM25Index.open(tmp_path / "streamed")
    queries = Passages(texts=texts[:20])
    np.testing.assert_allclose(opened.search(queries, 5)[0], whole.search(queries, 5)[0], rtol=1e-5)
    opened.add(np.array([10_000]), Passages(texts=["zebra"]))
    assert opened.search(Passages(texts=["zebra"]), 2)[1].tolist() == [[10_000, -1]]


def test_texts_without_words(tmp_path):
    builder = bm25_build.BM25Builder(tmp_path)
    builder.add(["", "?!"])
    builder.finish()
    opened = BM25Index.open(tmp_path)
    assert len(opened) == 2
    assert opened.search(Passages(texts=["word"]), 1)[1].tolist() == [[-1]]


def test_arrays_written_in_pieces(tmp_path):
    rows = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float16)
    with NpyWriter(tmp_path / "rows.npy", np.float16, (3,)) as writer:
        for start in (0, 7, 20, 20):
            writer.append(rows[start : {0: 7, 7: 20, 20: 35}[start]])
        with pytest.raises(ValueError, match="expected"):
            writer.append(rows[:, :2])
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), np.concatenate([rows[:35], rows[20:35]]))
    reader = NpyReader(tmp_path / "rows.npy")
    assert len(reader) == 50
    np.testing.assert_array_equal(reader[5:9], rows[5:9])
    np.testing.assert_array_equal(reader[np.array([3, 1])], rows[[3, 1]])
    assert reader[60:70].shape == (0, 3)
