"""Vectors in Qdrant, where one machine does not hold the evidence (extra ``qdrant``)."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import InputError, as_input_error, first_line
from retrieval.indexes.base import EvidenceIndex, Passages, check_new_ids, check_search, checked_vectors, save_text
from retrieval.lazy import import_extra

__all__ = ["QdrantIndex"]


class QdrantIndex(EvidenceIndex):
    """A collection on a Qdrant server, or in a local folder (``qdrant-client``'s local mode, for up to some 20,000 vectors).

    The collection is its own persistence: :meth:`save` only writes where it is.

    Args:
        dimension: length of a vector.
        url: server, e.g. ``http://localhost:6333``; exclusive with ``path``.
        path: folder of a local collection.
        collection: its name; created if it does not exist.
        api_key: for a server that asks for one; never saved.

    Raises:
        InputError: the extra is missing, the server cannot be reached, or the collection has another dimension.
    """

    def __init__(
        self,
        dimension: int,
        *,
        url: str | None = None,
        path: Path | None = None,
        collection: str = "evidence",
        api_key: str | None = None,
    ) -> None:
        if (url is None) == (path is None):
            raise InputError(
                "a Qdrant index needs either url (a server) or path (a local folder), not both and not neither"
            )
        client = import_extra("qdrant_client", "qdrant", "a Qdrant index")
        models = client.models
        self._models, self.dimension, self.url, self.path, self.collection = models, dimension, url, path, collection
        try:
            self._client = client.QdrantClient(url=url, api_key=api_key) if url else client.QdrantClient(path=str(path))
            if not self._client.collection_exists(collection):
                params = models.VectorParams(size=dimension, distance=models.Distance.DOT)
                self._client.create_collection(collection, vectors_config=params)
            held: Any = self._client.get_collection(collection).config.params.vectors
            found, distance = held.size, held.distance
        except Exception as error:
            raise InputError(f"Qdrant at {url or path} could not be opened: {first_line(error)}") from error
        wrong = f"holds vectors of dimension {found}, expected {dimension}" if found != dimension else None
        if wrong is None and distance not in (models.Distance.DOT, models.Distance.COSINE):
            wrong = f"measures {distance.value}, where less is nearer; make one with Dot or Cosine"
        if wrong is not None:
            raise InputError(f"Qdrant collection {collection!r} {wrong}")

    def add(self, ids: np.ndarray, passages: Passages) -> None:
        """Upload vectors with their texts."""
        vectors = checked_vectors(passages, self.dimension)
        ids = np.asarray(ids, np.int64)
        if len(ids) and ids.min() < 0:
            raise InputError(f"id {ids.min()} is negative; Qdrant takes ids from 0")
        ids = check_new_ids(ids, passages, self._known(ids), 0)
        for start in range(0, len(ids), 1000):
            part = slice(start, start + 1000)
            texts = passages.texts[part] if passages.texts is not None else [None] * len(ids[part])
            points = [
                self._models.PointStruct(id=int(i), vector=v.tolist(), payload={"text": t} if t is not None else None)
                for i, v, t in zip(ids[part], vectors[part], texts, strict=True)
            ]
            self._client.upsert(self.collection, points, wait=True)

    def delete(self, ids: np.ndarray) -> int:
        """Delete points."""
        known = self._known(np.unique(np.asarray(ids, np.int64)))
        if len(known):
            selector = self._models.PointIdsList(points=known.tolist())
            self._client.delete(self.collection, selector, wait=True)
        return len(known)

    def search(self, queries: Passages, top_k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Nearest vectors by inner product, all queries in one request."""
        top_k = check_search(queries, top_k, allowed)
        models = self._models
        condition = None
        if allowed is not None:
            condition = models.Filter(must=[models.HasIdCondition(has_id=np.asarray(allowed).tolist())])
        vectors = checked_vectors(queries, self.dimension)
        requests = [models.QueryRequest(query=v.tolist(), limit=top_k, filter=condition) for v in vectors]
        answers = self._client.query_batch_points(self.collection, requests) if requests else []
        scores = np.full((len(vectors), top_k), -np.inf, np.float32)
        ids = np.full((len(vectors), top_k), -1, np.int64)
        for i, answer in enumerate(answers):
            for j, point in enumerate(answer.points):
                scores[i, j], ids[i, j] = point.score, point.id
        return scores, ids

    def save(self, folder: Path) -> None:
        """Write where the collection is; the vectors are there already."""
        folder.mkdir(parents=True, exist_ok=True)
        where = {
            "url": self.url,
            "path": None if self.path is None else str(Path(self.path).resolve()),
            "collection": self.collection,
            "dimension": self.dimension,
        }
        save_text(folder / "qdrant.json", json.dumps(where))

    @classmethod
    def open(cls, folder: Path, *, api_key: str | None = None) -> "QdrantIndex":
        """Connect to a saved collection."""
        with as_input_error(f"{folder} holds no Qdrant index", OSError, ValueError, hint="build it again"):
            where = json.loads((folder / "qdrant.json").read_text("utf-8"))
        path = None if where["path"] is None else Path(where["path"])
        return cls(where["dimension"], url=where["url"], path=path, collection=where["collection"], api_key=api_key)

    def close(self) -> None:
        """End the connection; a local folder can then be opened by another process."""
        self._client.close()

    def __len__(self) -> int:
        return int(self._client.count(self.collection, exact=True).count)

    def _known(self, ids: np.ndarray) -> np.ndarray:
        found = self._client.retrieve(self.collection, ids[ids >= 0].tolist(), with_payload=False) if len(ids) else []
        return np.array([point.id for point in found], np.int64)
