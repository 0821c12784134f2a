"""A BM25 index written from a stream, next to one built in memory."""

import numpy as np
import pytest

import retrieval.indexes.bm25 as bm25_build
from retrieval import InputError
from retrieval.indexes import BM25Index, Passages
from retrieval.npy import NpyReader, NpyWriter
from retrieval.text.words import BM25_B, BM25_K1, words


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


CATS = ["我的猫很大，猫很黑。", "没有。", "狗和猫。", "猫", "rome", "แมวกินปลา", "大きい猫猫猫の絵"]


def test_a_lone_letter_is_found_as_if_it_were_a_word(tmp_path):
    builder = bm25_build.BM25Builder(tmp_path)
    builder.add(CATS)
    builder.finish()
    built, added = BM25Index.open(tmp_path), BM25Index()
    added.add(np.arange(len(CATS)), Passages(texts=CATS))
    lengths = np.array([len(words(text)) for text in CATS])
    counts = np.array([text.count("猫") for text in CATS])
    counts[6] = 3
    idf = np.log1p((7 - 4 + 0.5) / (4 + 0.5))
    expected = idf * counts / (counts + BM25_K1 * (1 - BM25_B + BM25_B * lengths / lengths.mean()))
    for index in (built, added):
        scores, found = index.search(Passages(texts=["猫", "rome 猫", "狗"]), 7)
        order = found[0][found[0] >= 0]
        assert set(order.tolist()) == set(np.flatnonzero(counts).tolist())
        np.testing.assert_allclose(scores[0][: len(order)], expected[order], rtol=1e-5)
        assert scores[1][0] == index.search(Passages(texts=["rome"]), 1)[0][0, 0]
        assert found[2].tolist() == [2, *6 * [-1]]


def test_words_inside_a_run_of_thai_are_found(tmp_path):
    index = BM25Index()
    index.add(np.arange(len(CATS)), Passages(texts=CATS))
    assert index.search(Passages(texts=["แมว", "ปลา", "หมา"]), 2)[1].tolist() == [[5, -1], [5, -1], [-1, -1]]


def test_an_index_whose_words_were_cut_otherwise_is_refused(tmp_path, monkeypatch):
    texts = ["Rome is old.", "แมวกินปลา", "北京很大", "đã"]
    for name, held in (("new", texts), ("latin", [texts[0], *texts[2:]]), ("old", texts)):
        if name != "new":  # as earlier versions cut them
            monkeypatch.setattr(bm25_build, "words", lambda text: [text] if text == texts[1] else words(text))
        builder = bm25_build.BM25Builder(tmp_path / name)
        builder.add(held)
        builder.finish()
    for name in ("new", "latin"):
        assert BM25Index.open(tmp_path / name).search(Passages(texts=["old Rome"]), 1)[1].tolist() == [[0]]
    with pytest.raises(
        InputError, match=r"old was built by an earlier version, which took a run of Thai.* build it again"
    ):
        BM25Index.open(tmp_path / "old")


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
