"""One contract over every index."""

import numpy as np
import pytest

from retrieval import build_index
from retrieval.build import assemble
from retrieval.errors import InputError
from retrieval.indexes import BM25Index, FaissIndex, HybridIndex, Passages, QdrantIndex
from retrieval.indexes import faiss as faiss_index
from retrieval.indexes.faiss_kinds import check_factory, choose_factory
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
#: Training a rotation takes most of a second each time.
SLOW = "OPQ16,IVF4,PQ16x4fs,RFlat"
KINDS = [
    *(f for f in FACTORIES if f != SLOW),
    pytest.param(SLOW, marks=pytest.mark.slow),
    "bm25",
    "hybrid",
    pytest.param("qdrant", marks=pytest.mark.slow),
]


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
    with pytest.raises(InputError, match="`top_k` is 0"):
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
    with pytest.raises(InputError, match="`preference` is 'tiny', expected one of fast, small, exact"):
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


MANY = 3000


@pytest.fixture(scope="module")
def many():
    """Thousands of passages: their files are larger than what is read ahead of a memory map."""
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((MANY, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Passages([f"{' '.join(rng.choice(list('bcdfghjk'), 6))} number{i}x" for i in range(MANY)], vectors)


@pytest.mark.slow
def test_opened_changed_and_saved_over_itself(new, many, tmp_path):
    index, folder = new(), tmp_path / "saved"
    index.add(np.arange(MANY), many)
    index.save(folder)
    files = {file.relative_to(folder) for file in folder.rglob("*")}
    queries = take(many, range(50))
    for start in (0, 5):
        if isinstance(index, QdrantIndex):
            index.close()
        index = type(index).open(folder)
        assert index.delete(np.arange(start, start + 5)) == 5
        before = index.search(queries, 5)
        index.save(folder)
        # What was open before goes on.
        np.testing.assert_array_equal(index.search(queries, 5)[1], before[1])
    if isinstance(index, QdrantIndex):
        index.close()
    opened = type(index).open(folder)
    assert len(opened) == MANY - 10
    scores, ids = opened.search(queries, 5)
    np.testing.assert_array_equal(ids, before[1])
    np.testing.assert_allclose(scores, before[0], rtol=1e-6)
    assert not np.isin(ids, np.arange(10)).any()
    assert np.mean([i in ids[i] for i in range(10, 50)]) >= 0.9
    left = {file.relative_to(folder) for file in folder.rglob("*")} - files
    assert {path.name for path in left} <= {"deleted.npy"}


@pytest.mark.slow
def test_fresh_index_saved_over_another(new, many, tmp_path):
    index, folder = new(), tmp_path / "saved"
    if isinstance(index, QdrantIndex):
        pytest.skip("its collection is not in the folder")
    index.add(np.arange(MANY) + 100, many)
    index.delete(np.arange(5) + 100)
    index.save(folder)
    other = type(index).open(folder)
    fresh = new() if isinstance(index, BM25Index) else type(index)(*_two_parts(index))
    fresh.add(np.arange(2), take(many, [7, 8]))
    fresh.save(folder)
    opened = type(index).open(folder)
    assert len(opened) == 2
    assert opened.search(take(many, [7, 8]), 1)[1].tolist() == [[0], [1]]
    # Readers of the old files keep them.
    assert other.search(take(many, [9]), 1)[1].tolist() == index.search(take(many, [9]), 1)[1].tolist()


def _two_parts(index):
    """Arguments for an index of the same class that takes two vectors."""
    return (FaissIndex(DIMENSION, factory="Flat"), BM25Index()) if isinstance(index, HybridIndex) else (DIMENSION,)


def test_texts_without_words_saved_over_texts_with_words(many, tmp_path):
    index = BM25Index()
    index.add(np.arange(MANY), many)
    index.save(tmp_path)
    empty = BM25Index()
    empty.add(np.arange(2), Passages(["...", ""]))
    empty.save(tmp_path)
    opened = BM25Index.open(tmp_path)
    assert len(opened) == 2
    assert (opened.search(take(many, [0]), 3)[1] == -1).all()


def test_a_save_that_fails_leaves_the_old_index(many, tmp_path, monkeypatch):
    import faiss

    index = FaissIndex(DIMENSION, factory="Flat")
    index.add(np.arange(MANY), many)
    index.save(tmp_path)
    files = sorted(tmp_path.iterdir())

    def full(index, path):
        with open(path, "wb") as stream:
            stream.write(b"half")
        raise RuntimeError("no space left on device")

    monkeypatch.setattr(faiss, "write_index", full)
    with pytest.raises(RuntimeError, match="no space"):
        index.save(tmp_path)
    assert sorted(tmp_path.iterdir()) == files
    assert len(FaissIndex.open(tmp_path)) == MANY


UNFILTERED = [
    "PQ4",
    "PQ16x4",
    "PQ16x4fs",
    "OPQ16,PQ16x4fs",
    "PQ16x4fs,RFlat",
    "RQ4x4fs",
    "IVF4,RQ4x4",
    "RaBitQfs",
]


@pytest.mark.slow
@pytest.mark.parametrize("factory", UNFILTERED)
def test_factories_that_faiss_cannot_filter_are_filtered_afterwards(factory, many, tmp_path, monkeypatch):
    index = FaissIndex(DIMENSION, factory=factory, probe=4)
    index.add(np.arange(MANY), many)
    queries = take(many, range(40))
    everything = index.search(queries, MANY)
    index.delete(np.arange(5))
    monkeypatch.setattr(faiss_index, "FILTERED_BYTES", 12 * 1000)
    # None deleted, some allowed, few allowed and far from the queries, one allowed, none allowed.
    for allowed in (None, np.arange(0, MANY, 3), np.arange(2990, MANY), np.array([7]), np.array([2]), np.arange(0)):
        scores, ids = index.search(queries, 5, allowed)
        assert (np.diff(np.where(ids >= 0, scores, -1e9), axis=1) <= 1e-5).all()
        assert np.isneginf(scores[ids < 0]).all()
        wanted = np.setdiff1d(np.arange(MANY) if allowed is None else allowed, np.arange(5))
        assert (np.isin(ids, wanted) | (ids == -1)).all()
        for i in range(len(ids)):
            kept = np.isin(everything[1][i], wanted)
            assert np.count_nonzero(ids[i] >= 0) == min(5, len(wanted))
            if "R" not in factory.split(",")[-1]:  # how deep a refinement looks depends on how much is asked for
                expected = everything[0][i][kept][:5]
                np.testing.assert_allclose(scores[i][: len(expected)], expected, rtol=1e-4, atol=1e-5)
    index.save(tmp_path)
    opened = FaissIndex.open(tmp_path)
    assert not np.isin(opened.search(queries, 5)[1], np.arange(5)).any()


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("Foo", "does not understand factory 'Foo' for dimension 32: could not parse index string Foo"),
        ("PQ5", "multiple of"),
        ("IDMap,Flat", "leave IDMap out"),
        ("Flat,IDMap", "leave IDMap out"),
        ("NSG8", "use HNSW"),
        ("PCA16,NSG8", "use HNSW"),
        ("NSG8,RFlat", "use HNSW"),
        ("MinMax,SQ8", "IndexRowwiseMinMax"),
        ("IVF8,RQ4x4fs", "leave fs out"),
        ("IVF8,PQ16x4fs,Refine(PQ16x4fs)", "use RFlat"),
    ],
)
def test_factories_that_would_fail_later_are_refused(factory, reason):
    with pytest.raises(InputError) as caught:
        check_factory(factory, DIMENSION)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "faiss::" not in str(caught.value)
    with pytest.raises(InputError):
        FaissIndex(DIMENSION, factory=factory)


@pytest.mark.parametrize("factory", [*FACTORIES, *UNFILTERED, "IVF4_HNSW8,SQ8", "PQ16,Refine(SQ8)", "L2norm,Flat"])
def test_factories_that_work_pass_the_check(factory):
    check_factory(factory, DIMENSION)


def test_too_few_vectors_for_a_code_book_are_refused_in_one_line(passages):
    with pytest.raises(InputError, match="could not be trained on 100 vectors: Number of training points") as caught:
        FaissIndex(DIMENSION, factory="IVF4,PQ16").add(np.arange(100), take(passages, range(100)))
    assert "\n" not in str(caught.value)


def test_build_refuses_a_factory_before_it_encodes(tmp_path):
    class Encoder:
        dimension, fingerprint = DIMENSION, "x"

        def encode(self, texts):
            raise AssertionError("nothing is encoded")

    (tmp_path / "corpus.jsonl").write_text('{"text": "A sentence."}\n', "utf-8")
    with pytest.raises(InputError, match="does not understand factory 'Foo'"):
        build_index(tmp_path / "corpus.jsonl", tmp_path / "out", encoder=Encoder(), factory="Foo")
    assert not (tmp_path / "out").exists()


def test_opened_hybrid_is_read_only_unless_asked(passages, tmp_path):
    index = HybridIndex(FaissIndex(DIMENSION, factory="Flat"), BM25Index())
    index.add(np.arange(COUNT), passages)
    index.save(tmp_path)
    opened = HybridIndex.open(tmp_path)
    with pytest.raises(InputError, match="writable=True"):
        opened.add(np.array([COUNT]), take(passages, [0]))
    assert len(opened) == len(opened.lexical) == COUNT
    opened = HybridIndex.open(tmp_path, writable=True)
    opened.add(np.array([COUNT]), take(passages, [0]))
    opened.save(tmp_path)
    assert len(HybridIndex.open(tmp_path)) == COUNT + 1


def test_hybrid_adds_to_both_or_to_neither(passages):
    index = HybridIndex(FaissIndex(DIMENSION, factory="Flat"), BM25Index())
    index.add(IDS[:10], take(passages, range(10)))
    index.lexical.add(IDS[10:11], take(passages, [10]))
    with pytest.raises(InputError, match="already in the index"):
        index.add(IDS[10:12], take(passages, [10, 11]))
    assert len(index.dense) == 10
    assert not np.isin(index.dense.search(take(passages, [10, 11]), 10)[1], IDS[10:12]).any()
    index.lexical.delete(IDS[10:11])
    index.add(IDS[10:12], take(passages, [10, 11]))
    assert len(index.dense) == len(index.lexical) == 12


def test_texts_and_vectors_of_unequal_number_are_refused(new, passages):
    index = new()
    unequal = Passages(passages.texts[:2], passages.vectors[:3])
    with pytest.raises(InputError, match="3 vectors for 2 texts"):
        index.add(np.arange(2), unequal)
    assert len(index) == 0
    index.add(IDS, passages)
    with pytest.raises(InputError, match="3 vectors for 2 texts"):
        index.search(unequal, 1)


def test_a_damaged_length_takes_no_memory(passages, tmp_path):
    index = FaissIndex(DIMENSION, factory="Flat")
    index.add(np.arange(COUNT), passages)
    index.save(tmp_path)
    path = tmp_path / "vectors.faiss"
    size, damaged = ((COUNT * DIMENSION * width).to_bytes(8, "little") for width in (1, 2**24))
    whole = path.read_bytes()
    assert whole.count(size) == 1
    path.write_bytes(whole.replace(size, damaged))
    for writable in (False, True):
        with pytest.raises(InputError, match="holds no readable FAISS index"):
            FaissIndex.open(tmp_path, writable=writable)
    path.write_bytes(whole)
    assert len(FaissIndex.open(tmp_path)) == COUNT  # the limit was that file's


def test_numbers_of_vectors_that_are_not_there_are_damage(passages, tmp_path):
    index = FaissIndex(DIMENSION, factory="IVF4,Flat", probe=4)
    index.add(np.arange(COUNT), passages)
    index.save(tmp_path)
    path = tmp_path / "vectors.faiss"
    path.write_bytes(path.read_bytes().replace((7).to_bytes(8, "little"), (2**40).to_bytes(8, "little")))
    with pytest.raises(InputError, match=r"gives vector 1099511627776 of \d+; its file is damaged; build it again"):
        FaissIndex.open(tmp_path).search(take(passages, [7]), 1)
