"""Streaming verification of a claims file: constant memory, resumable after any interruption."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from factcheck.data import open_claims
from factcheck.data.claims import ClaimsSource
from factcheck.errors import InputError
from factcheck.verification.known import KnownVerdicts
from factcheck.verification.parts import Part, Parts
from factcheck.verification.summary import Clock, Counts, RunSummary
from factcheck.verification.verdict_table import check_output, with_threshold, write_tables
from retrieval.arguments import checked_int

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["RunInterrupted", "RunSummary", "verify_file"]

logger = logging.getLogger(__name__)

_CHANGED = "changed while it was read{}"
_AGAIN = "run the command again once nothing writes to it"
# Rows whose photo files are read together, and bytes of photos from which a chunk is verified in parts.
_ROWS_READ = 16
_PHOTO_BYTES = 256 * 2**20


class RunInterrupted(Exception):
    """A run was asked to stop, and did after the chunk in hand: what is finished is kept, and the same call goes on from there.

    Attributes:
        done: rows finished, those of earlier runs included.
        total: rows in all, None if unknown.
    """

    def __init__(self, done: int, total: int | None) -> None:
        super().__init__(f"stopped after {done} of {'?' if total is None else total} rows")
        self.done, self.total = done, total


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
    """

    columns: Mapping[str, str] | None = None
    image_root: str | Path | None = None
    on_error: str = "mark"
    chunk_size: int = 256
    fresh: bool = False
    since: str | Path | None = None
    shard: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "chunk_size", checked_int("`chunk_size`", self.chunk_size, 1))
        if self.image_root is not None and not Path(self.image_root).is_dir():
            raise InputError(
                f"`image_root` {str(self.image_root)!r} is not a folder",
                field="image_root",
                hint="give the folder that image paths are relative to",
            )
        if self.shard is not None and not 0 <= self.shard[0] < self.shard[1]:
            raise InputError(
                f"`shard` is {self.shard[0]}/{self.shard[1]}",
                field="shard",
                hint=f"number {self.shard[1]} shards from 0 to {max(0, self.shard[1] - 1)}",
            )


def verify_file(
    verifier: "Verifier",
    claims: str | Path,
    out: str | Path,
    *,
    progress: Callable[[int, int | None], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    **options: Any,
) -> RunSummary:
    """Verify every row of a claims file and write the verdict table.

    Each chunk of rows is kept in ``<out>.parts/``; when all are there they are merged into ``out``, which appears in
    one step. A run that was interrupted, however hard, goes on from what it has finished, if the table's content, models and
    options are the same; its place, name and time, the size of chunks and the threshold may be others.

    Args:
        verifier: a loaded verifier.
        claims: CSV, TSV, JSONL or Parquet file, or a folder of ``Dataset.save_to_disk``.
        out: verdict table; its ending (``.parquet``, ``.csv``, ``.tsv``, ``.jsonl``) chooses the format.
        progress: called at the start and after each chunk with the rows done and the rows in all (None if unknown).
        should_stop: asked after each chunk; true ends the run there.
        options: the fields of :class:`RunOptions`.

    Raises:
        InputError: the file cannot be read, or changes while it is; ``out`` cannot be written, has an unknown ending, or is a file
            other than a verdict table (the claims, for one); what is finished was made with something else; or, with
            ``on_error="fail"``, a row is bad.
        RunInterrupted: ``should_stop`` said so.
    """
    run = RunOptions(**options)
    claims, out = Path(claims), Path(out)
    check_output(out, claims)
    source = open_claims(claims, columns=run.columns, on_error=run.on_error)
    parts = Parts(out.with_name(out.name + ".parts"))
    start = time.perf_counter()
    table = _ClaimsFile(claims)
    facts = {"claims": table.digest, "columns": dict(run.columns or {}), **verifier.facts}
    with parts.locked():
        stretch = _stretch(source, run.shard, out)
        done = parts.begin(facts, run.fresh)
        summary = RunSummary(out=out, resumed=sum(part.rows for part in done), remade=parts.remade, facts=facts)
        if parts.remade:
            logger.warning("%d damaged chunks of the interrupted run are made anew", parts.remade)
        clock = Clock()
        if progress:
            progress(summary.resumed, stretch.rows)
        try:
            chunks = _Chunks(verifier, source, run, clock)
            rows = summary.resumed
            for part in _finish(chunks, parts, tuple(done), stretch, table, clock):
                done.append(part)
                rows += part.rows
                if progress:
                    progress(rows, stretch.rows)
                if should_stop is not None and should_stop() and rows != stretch.rows:
                    raise RunInterrupted(rows, stretch.rows)
        except InputError:
            if not done:  # nothing that a later run could go on from
                parts.remove()
            raise
        done.sort(key=lambda part: part.first)
        _check_rows(done, stretch, claims, parts)
        table.check_whole(parts)
        with clock.stage("write"):
            _merge(parts, done, out, verifier.abstain_below, summary, stretch if run.shard else None)
        summary.stages, summary.seconds = dict(clock.seconds), time.perf_counter() - start
        parts.remove()
    return summary


class _ClaimsFile:
    """A claims table on disk and what it held when the run began.

    Attributes:
        digest: SHA-256 of its content, whatever its name, place and time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
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
            raise InputError(f"{self._path} {_CHANGED.format('')}", hint=_AGAIN)

    def check_whole(self, parts: Parts) -> None:
        """As :meth:`check`, by the content itself.

        Raises:
            InputError: it is another one. If nothing else showed it, the parts may hold rows of both, and are removed.
        """
        self.check()
        if self._hash() != self.digest:
            parts.remove()
            raise InputError(f"{self._path} {_CHANGED.format('')}", hint=_AGAIN)

    def _files(self) -> list[Path]:
        return sorted(p for p in self._path.rglob("*.arrow")) if self._path.is_dir() else [self._path]

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


class _Chunks:
    """Verdicts of stretches of a claims table, chunk by chunk."""

    def __init__(self, verifier: "Verifier", source: ClaimsSource, run: RunOptions, clock: Clock) -> None:
        self._verifier, self._source, self._run, self._clock = verifier, source, run, clock
        self._known = None if run.since is None else KnownVerdicts(run.since)

    def between(self, start: int, stop: int | None) -> Iterator[tuple[int, pa.Table, Counts]]:
        """The first row's number, the verdicts and their counts, of each chunk of the rows from ``start`` to before ``stop``."""
        limit = None if stop is None else stop - start
        images = True if self._run.image_root is None else self._run.image_root
        tables = self._source.batches(self._run.chunk_size, start, limit=limit)
        first = start
        for table in _timed(tables, self._clock, "read"):
            made = [
                self._verdicts(part) for part in _timed(_with_images(table, self._source, images), self._clock, "read")
            ]
            verdicts = pa.concat_tables(part for part, _ in made)
            yield first, verdicts, Counts.of(verdicts, sum(taken for _, taken in made))
            first += table.num_rows

    def _verdicts(self, table: pa.Table) -> tuple[pa.Table, int]:
        if self._known is None:
            return self._verifier.verify_batch(table, clock=self._clock), 0
        return self._known.complete(table, self._verifier, self._clock)


def _finish(
    chunks: _Chunks, parts: Parts, done: Sequence[Part], stretch: "_Stretch", table: _ClaimsFile, clock: Clock
) -> Iterator[Part]:
    """Make the parts that are missing, and yield each when it is on the disk."""
    for start, stop in _gaps(done, stretch):
        for first, verdicts, counts in chunks.between(start, stop):
            # Before the part is kept: a table that changed hours ago shows now, and not at the end.
            table.check()
            with clock.stage("write"):
                part = parts.write(first, verdicts, counts)
            yield part


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The rows that a run is to verify.

    Attributes:
        first: the first of them.
        stop: the one after the last; None where the end is not known.
        total: rows of the whole table; None likewise.
    """

    first: int
    stop: int | None
    total: int | None

    @property
    def rows(self) -> int | None:
        return None if self.stop is None else self.stop - self.first


def _stretch(source: ClaimsSource, shard: tuple[int, int] | None, out: Path) -> _Stretch:
    total = source.count()
    if shard is None:
        return _Stretch(0, total, total)
    if total is None or out.suffix.lower() != ".parquet":
        what = "the table cannot tell how many rows it has" if total is None else f"{str(out)!r} is not Parquet"
        raise InputError(f"`shard` needs a table of known length and a Parquet output; {what}", field="shard")
    number, count = shard
    return _Stretch(total * number // count, total * (number + 1) // count, total)


def _gaps(done: Sequence[Part], stretch: _Stretch) -> list[tuple[int, int | None]]:
    """The rows that no part has, as pairs of the first and the one after the last (None: to the end)."""
    gaps: list[tuple[int, int | None]] = []
    row = stretch.first
    for part in done:
        if part.first > row:
            gaps.append((row, part.first))
        row = part.stop
    if stretch.stop is None or row < stretch.stop:
        gaps.append((row, stretch.stop))
    return gaps


def _check_rows(done: Sequence[Part], stretch: _Stretch, claims: Path, parts: Parts) -> None:
    """Refuse parts that are not every row once; they are removed, as none can be trusted then.

    Raises:
        InputError: says how many rows there are and how many were read.
    """
    row = stretch.first
    for part in done:
        if part.first != row:
            break
        row = part.stop
    read = sum(part.rows for part in done)
    if row != stretch.first + read or (stretch.rows is not None and read != stretch.rows):
        parts.remove()
        counted = f" ({stretch.rows} rows were counted, {read} read)"
        raise InputError(f"{claims} {_CHANGED.format(counted)}", hint=_AGAIN)


def _merge(
    parts: Parts, done: Sequence[Part], out: Path, abstain_below: float, summary: RunSummary, shard: _Stretch | None
) -> None:
    """Write the parts as one table and count it."""
    ids: list[np.ndarray] = []  # hashes: of ten million rows 80 MB
    tables = (with_threshold(table, abstain_below) for table in parts.tables(done))
    about = {"facts": summary.facts, "abstain_below": abstain_below}
    if shard is not None:
        about["stretch"] = asdict(shard)
    for part, table in zip(done, write_tables(tables, out, about=about), strict=True):
        summary.add(part.counts)
        summary.abstained += table["abstained"].to_pylist().count(True)
        ids.append(np.fromiter(map(hash, table["id"].to_pylist()), np.int64, table.num_rows))
    if ids:
        summary.duplicate_ids = summary.rows - len(np.unique(np.concatenate(ids)))


def _with_images(table: pa.Table, source: ClaimsSource, root: str | Path | bool) -> Iterator[pa.Table]:
    """A chunk with its photo files read, as one table, or as several where the files are so large that memory must be spared."""
    from factcheck.data import load_images

    folder = root if not isinstance(root, bool) else source.path.parent if source.path is not None else None
    held: list[pa.Table] = []
    size = 0
    for start in range(0, table.num_rows, _ROWS_READ):
        held.append(load_images(table.slice(start, _ROWS_READ), folder))
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
