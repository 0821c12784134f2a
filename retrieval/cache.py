"""Vectors by the content of their text, so that a rebuild encodes only what is new."""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.encoders import TextEncoder
from retrieval.errors import InputError

__all__ = ["EmbeddingCache"]


class EmbeddingCache:
    """An SQLite file of float16 vectors under the hash of encoder and text.

    Written in whole transactions, so a killed process loses its last batch and damages nothing. Vectors pass through
    float16 whether they come from the cache or not: an index does not depend on the state of its cache.

    Args:
        path: the file; None keeps nothing.

    Raises:
        InputError: the file is no such cache.
    """

    def __init__(self, path: Path | None) -> None:
        self.encoded = self.reused = 0
        self._path = path
        self._db: sqlite3.Connection | None = None
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path} is no embedding cache ({error}); delete it or name another file") from None

    def encode(self, encoder: TextEncoder, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Vectors of the texts, float16 (n, D), from the cache or from the encoder."""
        salt = encoder.fingerprint.encode()
        keys = [hashlib.blake2b(salt + t.encode("utf-8", "surrogatepass"), digest_size=16).digest() for t in texts]
        known = self._read(set(keys), encoder.dimension)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        vectors = encoder.encode(list(new.values()), batch_size=batch_size).astype(np.float16) if new else []
        fresh = dict(zip(new, vectors, strict=True))
        if self._db is not None and fresh:
            with self._db:
                rows = ((key, vector.tobytes()) for key, vector in fresh.items())
                self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        self.encoded += len(new)
        self.reused += len(texts) - len(new)
        result = np.empty((len(texts), encoder.dimension), np.float16)
        for i, key in enumerate(keys):
            result[i] = fresh[key] if key in fresh else known[key]
        return result

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()

    def _read(self, keys: set[bytes], dimension: int) -> dict[bytes, np.ndarray]:
        found: dict[bytes, np.ndarray] = {}
        if self._db is None:
            return found
        wanted = list(keys)
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            try:
                rows = self._db.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part).fetchall()
            except sqlite3.DatabaseError as error:
                raise InputError(
                    f"embedding cache {self._path} is damaged ({error}); delete it: what it held is encoded anew"
                ) from None
            # One of another length was not written by us; it counts as missing.
            found |= {key: np.frombuffer(v, np.float16) for key, v in rows if len(v) == 2 * dimension}
        return found
