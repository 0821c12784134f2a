"""Searches among some of the passages find what an exact search among them finds."""

import json

import numpy as np
import pytest

from retrieval import build_index, open_index
from retrieval.errors import InputError
from retrieval.indexes import FaissIndex, Passages, QdrantIndex
from retrieval.indexes import faiss as faiss_index

DIMENSION, COUNT = 32, 12_000


@pytest.fixture(scope="module")
def clustered():
    """Vectors in 100 clouds, as the texts of a corpus lie, and queries near some of them."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((100, DIMENSION))
    vectors = centres[rng.integers(0, 100, COUNT)] + 0.7 * rng.standard_normal((COUNT, DIMENSION))
    queries = vectors[rng.integers(0, COUNT, 60)] + 0.3 * rng.standard_normal((60, DIMENSION))
    return [(v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32) for v in (vectors, queries)]


def recall(index, vectors, queries, allowed, top_k=10):
    scores, ids = index.search(Passages(vectors=queries), top_k, allowed)
    wanted = min(top_k, len(allowed))
    assert ((ids >= 0).sum(1) == wanted).all()
    assert np.isin(ids[ids >= 0], allowed).all()
    assert (np.diff(scores[:, :wanted], axis=1) <= 1e-5).all()
    best = np.argsort(-queries @ vectors[allowed].T, axis=1)[:, :wanted]
    return np.mean([np.isin(row, allowed[places]).sum() / wanted for row, places in zip(ids, best, strict=True)])


@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("factory", ["IVF256,PQ16x4fs,RFlat", "IVF256,Flat", "HNSW32", "PCA24,IVF64,PQ12x4fs,RFlat"])
def test_a_filter_costs_no_recall(factory, attached, clustered, monkeypatch):
    """Few allowed passages lie in clusters that a search without the filter never visits."""
    monkeypatch.setattr(faiss_index, "EXHAUSTIVE_BYTES", 4 * DIMENSION * 100)  # several blocks
    monkeypatch.setattr(faiss_index, "EXHAUSTIVE_QUERIES", 25)
    vectors, queries = clustered
    index = FaissIndex(DIMENSION, factory=factory)
    index.add(np.arange(COUNT), Passages(vectors=vectors))
    if attached:
        index.attach_vectors(vectors.astype(np.float16))
    everything = recall(index, vectors, queries, np.arange(COUNT))
    rng = np.random.default_rng(1)
    for count in (1, 4, 60, 1000):
        found = recall(index, vectors, queries, np.sort(rng.choice(COUNT, count, replace=False)))
        assert found > (0.99 if attached or "Flat" not in factory.split(",")[-1][1:] else 0.9), count
    # Too many to score each.
    monkeypatch.setattr(faiss_index, "EXHAUSTIVE_BELOW", 0)
    assert recall(index, vectors, queries, np.sort(rng.choice(COUNT, 1000, replace=False))) > everything - 0.02


def test_what_was_deleted_stays_out_of_a_filtered_search(clustered):
    vectors, queries = clustered
    index = FaissIndex(DIMENSION, factory="HNSW16")
    index.add(np.arange(COUNT) * 3, Passages(vectors=vectors))
    index.delete(np.arange(100) * 3)
    _, ids = index.search(Passages(vectors=queries), 5, np.array([0, 3, 6, 300, 303, 1]))
    assert {-1, 300, 303} == set(ids.ravel().tolist())


def test_many_results_are_found_though_few_clusters_are_visited(clustered):
    vectors, queries = clustered
    index = FaissIndex(DIMENSION, factory="IVF256,Flat", probe=1)
    index.add(np.arange(COUNT), Passages(vectors=vectors))
    assert (index.search(Passages(vectors=queries), 3000)[1] >= 0).mean() > 0.95


@pytest.mark.parametrize("count", [None, 9000])
def test_many_results_of_a_small_index_with_stored_vectors(clustered, count):
    vectors, queries = clustered
    index = FaissIndex(DIMENSION, factory="IVF256,PQ16x4fs")
    index.add(np.arange(COUNT), Passages(vectors=vectors))
    index.attach_vectors(vectors.astype(np.float16))
    allowed = None if count is None else np.arange(count)
    assert (index.search(Passages(vectors=queries), 4000, allowed)[1] >= 0).mean() > 0.95


def test_filters_that_are_no_ids_are_refused(clustered):
    vectors, queries = clustered
    index = FaissIndex(DIMENSION)
    index.add(np.arange(10), Passages(vectors=vectors[:10]))
    with pytest.raises(InputError, match=r"found bool; give np\.flatnonzero"):
        index.search(Passages(vectors=queries), 1, np.ones(10, bool))
    with pytest.raises(InputError, match="vectors have shape"):
        index.search(Passages(vectors=queries[:, :5]), 1)
    with pytest.raises(InputError, match="vectors have shape"):
        index.search(Passages(vectors=queries[0]), 1)


@pytest.fixture
def news(tmp_path, hashing_encoder):
    rows = [
        {"id": f"n{i}", "text": f"The river rose by {i} metres in May.", "source": "rare" if i == 7 else "usual"}
        for i in range(300)
    ]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder, factory="IVF64,Flat")
    return tmp_path / "index"


@pytest.mark.parametrize("method", ["hybrid", "dense"])
def test_a_source_of_one_document_is_found(news, hashing_encoder, method):
    index = open_index(news, encoder=hashing_encoder, method=method)
    for query in ("The river rose by 200 metres", "economy of Peru"):
        (hits,) = index.search([query], filters={"source": "rare"})
        assert [hit.document_id for hit in hits] == ["n7"]


@pytest.mark.parametrize("filters", [{"source": 7}, {"document_id": [5]}, {"language": {"en": 1, 2: 3}}])
def test_filter_values_are_strings(news, hashing_encoder, filters):
    with pytest.raises(InputError, match="expected a string or a list of strings"):
        open_index(news, encoder=hashing_encoder).search(["river"], filters=filters)


def test_another_index_must_hold_these_sentences(news, hashing_encoder):
    other = FaissIndex(48)
    other.add(np.arange(3), Passages(vectors=hashing_encoder.encode(["a", "b", "c"])))
    with pytest.raises(InputError, match=r"holds 3 passages, .* 300 sentences"):
        open_index(news, encoder=hashing_encoder, index=other)


@pytest.mark.slow
def test_a_collection_that_measures_distance_is_refused(tmp_path):
    qdrant = pytest.importorskip("qdrant_client", reason="needs the extra 'qdrant'")
    client = qdrant.QdrantClient(path=str(tmp_path / "q"))
    params = qdrant.models.VectorParams(size=4, distance=qdrant.models.Distance.EUCLID)
    client.create_collection("evidence", vectors_config=params)
    client.close()
    with pytest.raises(InputError, match="measures Euclid, where less is nearer"):
        QdrantIndex(4, path=tmp_path / "q")


def test_deleting_twice_counts_once(tmp_path):
    pytest.importorskip("qdrant_client", reason="needs the extra 'qdrant'")
    index = QdrantIndex(4, path=tmp_path / "q")
    index.add(np.arange(3), Passages(vectors=np.eye(4, dtype=np.float32)[:3]))
    assert index.delete(np.array([0, 0, 99, -3])) == 1
    assert len(index) == 2


@pytest.mark.slow
def test_sentences_of_one_long_document(tmp_path, hashing_encoder):
    """Its text stays decoded between hits; what comes back is what the spans say."""
    texts = {f"d{n}": " ".join(f"Line {i} of book {n} is here." for i in range(3000)) for n in range(6)}
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"id": k, "text": v}) + "\n" for k, v in texts.items()))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder)
    index = open_index(tmp_path / "index", encoder=hashing_encoder)
    for _ in range(2):
        for hits in index.search([f"Line {n * 7} of book {n}" for n in range(6)], top_k=20):
            assert len(hits) == 20
            assert all(texts[hit.document_id][hit.start : hit.end] == hit.text for hit in hits)
