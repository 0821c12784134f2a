"""One contract over every index."""

import numpy as np
import pytest

from retrieval import assemble
from retrieval.errors import InputError
from retrieval.indexes import BM25Index, FaissIndex, HybridIndex, Passages, QdrantIndex
from retrieval.indexes.faiss_index import choose_factory
from retrieval.indexes.hybrid import reciprocal_rank_fusion

DIMENSION, COUNT = 32, 400


@pytest.fixture(scope="module")
def passages():
    """Texts of random words, and vectors that count them, so that both kinds of index agree on what is near."""
    rng = np.random.default_rng(0)
    vocabulary = [f"{a}{b}o" for a in "bdfgklmn" for b in ("ar", "el", "it", "um")]
    rows = np.array([rng.choice(DIMENSION, 5, replace=False) for _ in range(COUNT)])
    vectors = np.zeros((COUNT, DIMENSION), np.float32)
    np.put_along_axis(vectors, rows, 1 + 0.1 * rng.random(rows.shape, np.float32), 1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Passages([" ".join(vocabulary[w] for w in row) for row in rows], vectors)


def take(passages, rows):
    return Passages([passages.texts[i] for i in rows], passages.vectors[rows])


FACTORIES = ["Flat", "IVF4,Flat", "IVF4,PQ16x4fs,RFlat", "IVF4,PQ16x4fs", "HNSW16", "OPQ16,IVF4,PQ16x4fs,RFlat"]
KINDS = [*FACTORIES, "bm25", "hybrid", "qdrant"]


@pytest.fixture(params=KINDS)
def new(request, tmp_path):
    """Makes an empty index; opened again by its class."""
    kind = request.param
    if kind == "bm25":
        return BM25Index
    if kind == "hybrid":
        return lambda: HybridIndex(FaissIndex(DIMENSION, factory="Flat"), BM25Index())
    if kind == "qdrant":
        pytest.importorskip("qdrant_client", reason="needs the extra 'qdrant'")
        return lambda: QdrantIndex(DIMENSION, path=tmp_path / "collection")
    return lambda: FaissIndex(DIMENSION, factory=kind, probe=4)


IDS = np.arange(COUNT) * 7 + 3


def test_finds_what_was_added(new, passages):
    index = new()
    index.add(IDS, passages)
    assert len(index) == COUNT
    scores, ids = index.search(take(passages, range(20)), 5)
    assert scores.shape == ids.shape == (20, 5)
    assert scores.dtype == np.float32
    assert ids.dtype == np.int64
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    found = [IDS[i] in ids[i] for i in range(20)]
    assert np.mean(found) >= 0.9


def test_delete_hides_and_the_id_is_free_again(new, passages):
    index = new()
    index.add(IDS, passages)
    assert index.delete(IDS[:10]) == 10
    assert index.delete(IDS[:10]) == 0
    assert index.delete(np.array([10**9])) == 0
    assert len(index) == COUNT - 10
    assert not np.isin(index.search(take(passages, range(20)), 10)[1], IDS[:10]).any()
    index.add(IDS[:10], take(passages, range(10)))
    assert len(index) == COUNT
    assert np.isin(IDS[:10], index.search(take(passages, range(10)), 10)[1]).mean() >= 0.9


def test_only_allowed_ids_are_searched(new, passages):
    index = new()
    index.add(IDS, passages)
    allowed = IDS[50:80]
    ids = index.search(take(passages, range(60)), 10, allowed)[1]
    assert set(ids[ids >= 0].tolist()) <= set(allowed.tolist())
    assert (ids[50:60] == IDS[50:60, None]).any(1).mean() >= 0.9
    none_scores, none = index.search(take(passages, [0]), 3, np.empty(0, np.int64))
    assert (none == -1).all()
    assert np.isneginf(none_scores).all()


def test_saved_and_opened_again_it_answers_the_same(new, passages, tmp_path):
    index = new()
    index.add(IDS, passages)
    index.delete(IDS[:10])
    before = index.search(take(passages, range(30)), 8)
    index.save(tmp_path / "saved")
    if isinstance(index, QdrantIndex):
        index.close()
    opened = type(index).open(tmp_path / "saved")
    assert len(opened) == COUNT - 10
    after = opened.search(take(passages, range(30)), 8)
    np.testing.assert_array_equal(after[1], before[1])
    np.testing.assert_allclose(after[0], before[0], rtol=1e-6)


def test_fewer_matches_than_asked_for(new, passages):
    index = new()
    index.add(IDS, passages)
    index.delete(IDS[3:])
    scores, ids = index.search(take(passages, [0]), 10)
    assert IDS[0] in ids[0]
    assert (ids[0, 3:] == -1).all()
    assert np.isneginf(scores[0, 3:]).all()


def test_empty_index_and_no_queries(new, passages):
    index = new()
    assert len(index) == 0
    assert (index.search(take(passages, [0, 1]), 3)[1] == -1).all()
    index.add(IDS, passages)
    assert index.search(Passages([], np.empty((0, DIMENSION), np.float32)), 3)[1].shape == (0, 3)


def test_mistakes_are_refused(new, passages, tmp_path):
    index = new()
    index.add(IDS, passages)
    with pytest.raises(InputError, match="id 3 is already in the index"):
        index.add(np.array([3]), take(passages, [0]))
    with pytest.raises(InputError, match="ids repeat"):
        index.add(np.array([1, 1]), take(passages, [0, 1]))
    with pytest.raises(InputError, match="one id a passage"):
        index.add(np.array([1, 2]), take(passages, [0]))
    with pytest.raises(InputError, match="top_k is 0"):
        index.search(take(passages, [0]), 0)
    with pytest.raises(InputError, match="needs"):
        index.search(Passages(), 1)
    with pytest.raises(InputError, match="build it again"):
        type(index).open(tmp_path / "nothing")


def test_compressed_index_with_stored_vectors_is_near_exact(passages):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((3000, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = (vectors[:100] @ vectors.T).argsort(1)[:, ::-1][:, :10]
    index = FaissIndex(64, factory="IVF8,PQ16x4fs", probe=8)
    index.add(np.arange(3000), Passages(vectors=vectors))

    def recall():
        found = index.search(Passages(vectors=vectors[:100]), 10)[1]
        return np.mean([np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)])

    codes_only = recall()
    index.attach_vectors(vectors.astype(np.float16))
    assert codes_only < 0.8
    assert recall() > 0.95


def test_opened_faiss_is_read_only_unless_asked(passages, tmp_path):
    index = FaissIndex(DIMENSION, factory="Flat")
    index.add(np.arange(COUNT), passages)
    index.save(tmp_path)
    with pytest.raises(InputError, match="read-only"):
        FaissIndex.open(tmp_path).add(np.array([COUNT]), take(passages, [0]))
    opened = FaissIndex.open(tmp_path, writable=True)
    opened.add(np.array([COUNT]), take(passages, [0]))
    assert len(opened) == COUNT + 1


def test_bm25_takes_additions_after_opening(passages, tmp_path):
    index = BM25Index()
    index.add(np.arange(COUNT), passages)
    index.save(tmp_path)
    opened = BM25Index.open(tmp_path)
    opened.add(np.array([COUNT]), Passages(["something entirely different"]))
    assert opened.search(Passages(["entirely different things"]), 1)[1].tolist() == [[COUNT]]
    assert opened.search(Passages(["zzz"]), 1)[1].tolist() == [[-1]]


def test_factory_is_chosen_by_size_and_preference():
    assert choose_factory(1000, 384, "fast") == "Flat"
    assert choose_factory(10**6, 384, "exact") == "Flat"
    assert choose_factory(10**6, 384, "fast") == "IVF2048,PQ96x4fs,RFlat"
    assert choose_factory(10**6, 384, "small") == "IVF2048,PQ96x4fs"
    assert choose_factory(10**8, 384, "small") == "IVF4096,PQ96x4fs"
    with pytest.raises(InputError, match="unknown index preference 'tiny'"):
        choose_factory(1, 2, "tiny")
    with pytest.raises(InputError, match="does not understand factory 'Nonsense'"):
        FaissIndex(8, factory="Nonsense")
    with pytest.raises(InputError, match="needs at least as many vectors"):
        FaissIndex(8, factory="IVF16,Flat").add(np.arange(2), Passages(vectors=np.eye(8, dtype=np.float32)[:2]))


def test_reciprocal_rank_fusion_against_a_loop():
    rng = np.random.default_rng(0)
    a = np.array([rng.permutation(30)[:10] for _ in range(5)])
    b = np.array([rng.permutation(30)[:8] for _ in range(5)])
    b[0, 5:] = -1
    scores, ids = reciprocal_rank_fusion([a, b], 12)
    for i in range(5):
        expected = {}
        for ranking in (a[i], b[i]):
            for rank, item in enumerate(ranking, 1):
                if item >= 0:
                    expected[item] = expected.get(item, 0) + 1 / (60 + rank)
        want = sorted(expected, key=lambda item: (-expected[item], item))[:12]
        assert [x for x in ids[i].tolist() if x >= 0] == want
        np.testing.assert_allclose(scores[i, : len(want)], [expected[x] for x in want], rtol=1e-6)


def test_qdrant_needs_one_place(tmp_path):
    with pytest.raises(InputError, match="either url"):
        QdrantIndex(4)
    pytest.importorskip("qdrant_client", reason="needs the extra 'qdrant'")
    QdrantIndex(4, path=tmp_path).close()
    with pytest.raises(InputError, match="dimension 4, expected 5"):
        QdrantIndex(5, path=tmp_path)


def test_training_takes_a_sample_of_bounded_size_in_silence(monkeypatch, capfd):
    vectors = np.random.default_rng(0).standard_normal((3000, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    sizes = []
    train = FaissIndex.train
    monkeypatch.setattr(FaissIndex, "train", lambda self, sample: (sizes.append(len(sample)), train(self, sample)))
    for limit in (10**9, 4 * 16 * 700, 0):
        monkeypatch.setattr(assemble, "TRAIN_BYTES", limit)
        index = assemble.build_vectors(vectors, "fast", "IVF64,Flat", lambda done: None)
        assert len(index) == 3000
        rows = index.search(Passages(vectors=vectors[:5].astype(np.float32)), 1)[1]
        assert rows[:, 0].tolist() == [0, 1, 2, 3, 4]
    # Adding asks again, of an index that is trained.
    assert sizes[0::2] == [3000, 700, 128]
    assert capfd.readouterr().err == ""
