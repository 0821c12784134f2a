"""Vectors by the content of their text, so that a rebuild encodes only what is new."""

import hashlib
import logging
import sqlite3
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from retrieval.encoders.base import TextEncoder
from retrieval.errors import InputError

__all__ = ["EmbeddingCache"]

_log = logging.getLogger("retrieval")

#: What SQLite says of a file that is damaged, no database at all, or one of other tables; all else (locked, full) passes.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


class EmbeddingCache:
    """An SQLite file of float16 vectors under the hash of encoder and text.

    Written in whole transactions, so a killed process loses its last batch and damages nothing. Vectors pass through
    float16 whether they come from the cache or not: an index does not depend on the state of its cache. A damaged file is
    renamed, with a warning, and a new one begun.

    Args:
        path: the file; None keeps nothing.
        ours: nobody else keeps a file under this name, so one that is no such cache is a damaged one.

    Raises:
        InputError: the file is no such cache, or cannot be opened.
    """

    def __init__(self, path: Path | None, ours: bool = False) -> None:
        self.encoded = self.reused = 0
        self._path, self._ours = path, ours
        self._db: sqlite3.Connection | None = None
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            self._set_aside(error)

    def encode(self, encoder: TextEncoder, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Vectors of the texts, float16 (n, D), from the cache or from the encoder."""
        salt = encoder.fingerprint.encode()
        keys = [hashlib.blake2b(salt + t.encode("utf-8", "surrogatepass"), digest_size=16).digest() for t in texts]
        known = self._read(set(keys), encoder.dimension)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        fresh: dict[bytes, np.ndarray] = {}
        if new:
            vectors = encoder.encode(list(new.values()), batch_size=batch_size).astype(np.float16)
            fresh = dict(zip(new, vectors, strict=True))
        if self._db is not None and fresh:
            try:
                self._write(fresh)
            except sqlite3.DatabaseError as error:
                self._set_aside(error)
                self._write(fresh)
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
                self._set_aside(error)
                return found
            # One of another length was not written by us; it counts as missing.
            found |= {
                key: np.frombuffer(v, np.float16) for key, v in rows if isinstance(v, bytes) and len(v) == 2 * dimension
            }
        return found

    def _write(self, fresh: dict[bytes, np.ndarray]) -> None:
        assert self._db is not None
        with self._db:
            rows = ((key, vector.tobytes()) for key, vector in fresh.items())
            self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Rename a damaged file, never delete it, and begin a new one. What is not known to be ours stays where it is."""
        self.close()
        self._db = None
        path, code = self._path, getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        assert path is not None
        if code not in _DAMAGE:
            raise _unusable(path, error) from None
        if code != sqlite3.SQLITE_CORRUPT and not self._ours:
            raise InputError(
                f"{path} is not an embedding cache ({error})", field="cache", hint="delete it or name another file"
            ) from None
        number = next(n for n in count(1) if not path.with_name(f"{path.name}.damaged{n}").exists())
        for ending in ("", "-wal", "-shm"):
            file = path.with_name(path.name + ending)
            if file.exists():
                file.rename(path.with_name(f"{path.name}.damaged{number}{ending}"))
        _log.warning(
            "embedding cache %s is damaged (%s); it was renamed to %s.damaged%d, and what it held is encoded again",
            *(path, error, path.name, number),
        )
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as again:
            raise _unusable(path, again) from None


def _unusable(path: Path, error: sqlite3.DatabaseError) -> InputError:
    return InputError(
        f"embedding cache {path} cannot be used ({error})", field="cache", hint="free it or name another file"
    )


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
        db.execute("SELECT key, vector FROM vectors LIMIT 0")
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
