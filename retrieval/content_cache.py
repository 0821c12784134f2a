"""Results kept on disk by the content that they were computed from: embeddings, texts read in images, answers of servers."""

import contextlib
import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from retrieval.arguments import checked_int
from retrieval.errors import InputError

__all__ = ["ContentCache", "cache_folder", "content_key"]

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_use ON entries (used);
CREATE TABLE IF NOT EXISTS total (bytes INTEGER NOT NULL);
INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total);
"""
#: Of an entry, beside its value: the key, the row and its place in the indexes.
_OVERHEAD = 96
_MOST_PARAMETERS = 500


def cache_folder(name: str) -> Path:
    """Where results of that kind are kept that can be computed again: below ``$FACTCHECK_CACHE``, else ``~/.cache/factcheck``."""
    base = os.environ.get("FACTCHECK_CACHE")
    return (Path(base) if base else Path.home() / ".cache" / "factcheck") / name


def content_key(*parts: str | bytes) -> bytes:
    """A key of 32 bytes that differs whenever a part does. Parts are told apart: ("ab", "c") is not ("a", "bc").

    >>> content_key("ab", "c") == content_key("a", "bc")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


class ContentCache:
    """A mapping of keys to bytes in one SQLite file, shared by threads and processes, with a limit to its size.

    A key names everything that the value depends on (see :func:`content_key`), so that an entry is never out of date. What has
    not been used for longest goes first when the limit is reached. A cache may lose what it holds: a damaged file is begun anew,
    a full disk or a file without the right to it only makes it forget, and says so once in the log.

    Args:
        path: the file, which is made with its folders.
        max_bytes: size of the entries at most, at least 1.

    Raises:
        InputError: ``max_bytes`` is below 1, or ``path`` is a folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, ContentCache(f"{folder}/cache.sqlite") as cache:
    ...     cache.put({content_key("model", "text"): b"value"})
    ...     cache.get([content_key("model", "text"), content_key("model", "other")])
    [b'value', None]
    """

    def __init__(self, path: str | Path, max_bytes: int = 2 * 2**30) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise InputError(f"cache {str(path)!r} is a folder", field="path", hint="name a file in it")
        self.max_bytes = checked_int("max_bytes", max_bytes, 1)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = -1
        self._told = False

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, None where there is none."""
        found: dict[bytes, bytes] = {}
        with self._lock, self._forgiving():
            connection = self._open()
            for start in range(0, len(keys), _MOST_PARAMETERS):
                some = list(dict.fromkeys(keys[start : start + _MOST_PARAMETERS]))
                marks = ",".join("?" * len(some))
                found |= dict(connection.execute(f"SELECT key, value FROM entries WHERE key IN ({marks})", some))
                connection.execute(f"UPDATE entries SET used = ? WHERE key IN ({marks})", [time.time(), *some])
            connection.commit()
        return [found.get(key) for key in keys]

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep the values; those over the limit, the longest unused first, are removed."""
        with self._lock, self._forgiving():
            connection = self._open()
            now = time.time()
            rows = [(key, value, len(value) + len(key) + _OVERHEAD, now) for key, value in entries.items()]
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                added = self._sizes(connection, entries)
                connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", rows)
                connection.execute("UPDATE total SET bytes = bytes + ?", [sum(row[2] for row in rows) - added])
                self._evict(connection)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def __enter__(self) -> "ContentCache":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "max_bytes": self.max_bytes}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def _open(self) -> sqlite3.Connection:
        # A connection must not cross a fork.
        if self._connection is None or self._pid != os.getpid():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
            connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
            self._connection, self._pid = connection, os.getpid()
        return self._connection

    @staticmethod
    def _sizes(connection: sqlite3.Connection, keys: Iterable[bytes]) -> int:
        """Bytes of those of the keys that are there already."""
        size = 0
        for key in keys:
            for (found,) in connection.execute("SELECT size FROM entries WHERE key = ?", [key]):
                size += found
        return size

    def _evict(self, connection: sqlite3.Connection) -> None:
        (total,) = connection.execute("SELECT bytes FROM total").fetchone()
        if total <= self.max_bytes:
            return
        # A tenth more than needed, so that a full cache does not evict at every turn.
        target, removed = total - self.max_bytes + self.max_bytes // 10, []
        for key, size in connection.execute("SELECT key, size FROM entries ORDER BY used"):
            if target <= 0:
                break
            removed.append((key,))
            target -= size
            total -= size
        connection.executemany("DELETE FROM entries WHERE key = ?", removed)
        connection.execute("UPDATE total SET bytes = ?", [total])

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            self._connection = None
            damaged = "malformed" in str(error) or "not a database" in str(error)
            if damaged:
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self._tell(f"{error}; it is begun anew" if damaged else str(error))
        except OSError as error:
            self._tell(str(error.strerror or error))

    def _tell(self, why: str) -> None:
        if not self._told:
            self._told = True
            logger.warning("cache %s: %s", self.path, why)
