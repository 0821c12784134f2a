"""A claims table on its way through a verifier: read and decoded ahead, verified chunk by chunk, each chunk kept."""

import contextlib
import hashlib
import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from factcheck.data.claims import ClaimsSource
from factcheck.errors import InputError
from factcheck.verification.known import KnownVerdicts
from factcheck.verification.parts import Part, Parts
from factcheck.verification.summary import Clock, Counts
from retrieval.arguments import checked_folder, checked_int

if TYPE_CHECKING:
    from factcheck.verification.verifier import Prepared, Verifier

__all__ = ["AGAIN", "CHANGED", "Chunks", "ClaimsFile", "RunOptions", "ahead", "finish", "gaps", "with_images"]

CHANGED = "changed while it was read{}"
AGAIN = "run the command again once nothing writes to it"
# Rows whose photo files are read together, and bytes of photos from which a chunk is verified in parts.
_ROWS_READ = 16
_PHOTO_BYTES = 128 * 2**20


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a claims file is read and its run kept.

    Attributes:
        columns: names of columns in the file, as ``{"claim": "text"}``.
        image_root: folder that image paths are relative to; None for the folder of the file.
        on_error: ``mark`` turns bad rows into rows with status ``error``; ``fail`` stops at the first.
        chunk_size: rows held in memory at once, and kept together.
        fresh: start over; what an interrupted run had finished is removed.
        since: an earlier verdict table; the verdicts of rows whose content, models and options are the same are taken from it.
        shard: ``(i, n)`` verifies the i-th of n stretches of the rows, i from 0, as one of n runs whose tables
            :func:`factcheck.verification.merge.merge_shards` puts together.
        keep: columns of the claims table that travel into the verdict table as text; ``("all",)`` for all.
        workers: processes that verify, each with models of its own.
    """

    columns: Mapping[str, str] | None = None
    image_root: str | Path | None = None
    on_error: str = "mark"
    chunk_size: int = 256
    fresh: bool = False
    since: str | Path | None = None
    shard: tuple[int, int] | None = None
    keep: Sequence[str] = ()
    workers: int = 1

    def __post_init__(self) -> None:
        for name in ("chunk_size", "workers"):
            object.__setattr__(self, name, checked_int(name, getattr(self, name), 1))
        if self.image_root is not None:
            checked_folder("image_root", self.image_root, "give the folder that image paths are relative to")
        if self.shard is not None and not 0 <= self.shard[0] < self.shard[1]:
            raise InputError(
                f"`shard` is {self.shard[0]}/{self.shard[1]}",
                field="shard",
                hint=f"number {self.shard[1]} shards from 0 to {max(0, self.shard[1] - 1)}",
            )


class ClaimsFile:
    """A claims table on disk and what it held when the run began.

    Attributes:
        path: where it is.
        digest: SHA-256 of its content, whatever its name, place and time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = self._read_stamp()
        self.digest = self._hash()

    def check(self) -> None:
        """Refuse a table that has been written to: the verdicts would be of both, with rows lost.

        Raises:
            InputError: it was written to or removed.
        """
        try:
            same = self._read_stamp() == self._stamp
        except OSError:
            same = False
        if not same:
            raise InputError(f"{self.path} {CHANGED.format('')}", hint=AGAIN)

    def check_whole(self, parts: Parts) -> None:
        """As :meth:`check`, by the content itself.

        Raises:
            InputError: it is another one. If nothing else showed it, the parts may hold rows of both, and are removed.
        """
        self.check()
        if self._hash() != self.digest:
            parts.remove()
            raise InputError(f"{self.path} {CHANGED.format('')}", hint=AGAIN)

    def _files(self) -> list[Path]:
        return sorted(p for p in self.path.rglob("*.arrow")) if self.path.is_dir() else [self.path]

    def _read_stamp(self) -> list[tuple[int, int]]:
        return [(stat.st_size, stat.st_mtime_ns) for stat in (path.stat() for path in self._files())]

    def _hash(self) -> str:
        digest = hashlib.sha256()
        for path in self._files():
            try:
                with path.open("rb") as data:
                    digest.update(hashlib.file_digest(data, "sha256").digest())
            except OSError as error:
                raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
        return digest.hexdigest()


class Chunks:
    """Verdicts of stretches of a claims table, chunk by chunk; the next chunk is read and decoded while one is decided.

    Args:
        verifier: decides.
        source: the table.
        run: how it is read.
        clock: counts the time by stage.
    """

    def __init__(self, verifier: "Verifier", source: ClaimsSource, run: RunOptions, clock: Clock) -> None:
        self._verifier, self._source, self._run, self._clock = verifier, source, run, clock
        self._image_root = run.image_root or (source.path.parent if source.path is not None else None)
        self._known = None if run.since is None else KnownVerdicts(run.since)

    def between(self, start: int, stop: int | None) -> Iterator[tuple[int, pa.Table, Counts]]:
        """The first row's number, the verdicts and their counts, of each chunk of the rows from ``start`` to before ``stop``."""
        first = start
        with contextlib.closing(ahead(self._ready(start, stop))) as chunks:
            for chunk in chunks:
                made = [self._verdicts(table, prepared) for table, prepared in chunk]
                verdicts = pa.concat_tables(part for part, _ in made)
                yield first, verdicts, Counts.of(verdicts, sum(taken for _, taken in made))
                first += verdicts.num_rows

    def _ready(self, start: int, stop: int | None) -> "Iterator[list[tuple[pa.Table, Prepared | None]]]":
        limit = None if stop is None else stop - start
        tables = self._source.batches(self._run.chunk_size, start, limit=limit)
        for table in _timed(tables, self._clock, "read"):
            parts = _timed(with_images(table, self._image_root), self._clock, "read")
            # What may be taken over is not made ready for the models.
            prepare = self._known is None
            yield [(part, self._verifier.prepare(part, clock=self._clock) if prepare else None) for part in parts]

    def _verdicts(self, table: pa.Table, prepared: "Prepared | None") -> tuple[pa.Table, int]:
        if prepared is not None:
            return self._verifier.decide(prepared, clock=self._clock), 0
        assert self._known is not None
        return self._known.complete(table, self._verifier, self._clock)


def gaps(done: Sequence[Part], first: int, stop: int | None) -> list[tuple[int, int | None]]:
    """The rows from ``first`` to before ``stop`` that no part has, as such pairs; None is the end."""
    missing: list[tuple[int, int | None]] = []
    row = first
    for part in done:
        if part.first > row:
            missing.append((row, part.first))
        row = part.stop
    if stop is None or row < stop:
        missing.append((row, stop))
    return missing


def finish(
    chunks: Chunks, parts: Parts, missing: Sequence[tuple[int, int | None]], table: ClaimsFile, clock: Clock
) -> Iterator[Part]:
    """Make the parts that are missing, and yield each when it is on the disk."""
    for start, stop in missing:
        for first, verdicts, counts in chunks.between(start, stop):
            # Before the part is kept: a table that changed hours ago shows now, and not at the end.
            table.check()
            with clock.stage("write"):
                part = parts.write(first, verdicts, counts)
            yield part


Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The items, the next one made in a thread while one is used."""
    made: queue.Queue[tuple[str, Any]] = queue.Queue(1)
    unwanted = threading.Event()

    def tell(kind: str, what: Any) -> None:
        while not unwanted.is_set():
            with contextlib.suppress(queue.Full):
                made.put((kind, what), timeout=0.2)
                return

    def make() -> None:
        try:
            for item in items:
                tell("item", item)
                if unwanted.is_set():
                    return
            tell("end", None)
        except BaseException as error:
            tell("error", error)

    thread = threading.Thread(target=make, name="reading ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, what = made.get()
            if kind == "end":
                return
            if kind == "error":
                raise what
            yield what
    finally:
        unwanted.set()
        thread.join()


def with_images(table: pa.Table, root: str | Path | None) -> Iterator[pa.Table]:
    """A chunk with its photo files read, as one table, or as several where the files are so large that memory must be spared."""
    from factcheck.data import load_images

    held: list[pa.Table] = []
    size = 0
    for start in range(0, table.num_rows, _ROWS_READ):
        held.append(load_images(table.slice(start, _ROWS_READ), root))
        size += held[-1].nbytes
        if size > _PHOTO_BYTES:
            yield pa.concat_tables(held)
            held, size = [], 0
    if held:
        yield pa.concat_tables(held)


def _timed(tables: Iterable[pa.Table], clock: Clock, stage: str) -> Iterator[pa.Table]:
    """The tables, the time that making each takes counted to a stage."""
    source = iter(tables)
    while True:
        with clock.stage(stage):
            table = next(source, None)
        if table is None:
            return
        yield table
