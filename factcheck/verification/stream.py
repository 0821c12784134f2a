"""Streaming verification of a claims file: constant memory, resumable after any interruption."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from factcheck.data import open_claims
from factcheck.data.claims import ClaimsSource
from factcheck.errors import InputError
from factcheck.judges.usage import UsageMeter
from factcheck.verification.chunks import AGAIN, CHANGED, Chunks, ClaimsFile, RunOptions, finish, gaps
from factcheck.verification.own_columns import OwnColumns
from factcheck.verification.parts import Part, Parts
from factcheck.verification.summary import Clock, RunSummary
from factcheck.verification.verdict_table import Thresholds, check_output, count_withheld, with_threshold, write_tables

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["Finisher", "RunInterrupted", "RunSummary", "verify_file"]

logger = logging.getLogger(__name__)

#: Makes parts elsewhere: of a table, read in a way, the rows of these stretches; each is kept among the parts, and yielded then.
Finisher = Callable[[ClaimsFile, RunOptions, Parts, Sequence[tuple[int, int | None]], Clock], Iterator[Part]]


class RunInterrupted(Exception):
    """A run was asked to stop, and did after the chunk in hand: what is finished is kept, and the same call goes on from there.

    Attributes:
        done: rows finished, those of earlier runs included.
        total: rows in all, None if unknown.
    """

    def __init__(self, done: int, total: int | None) -> None:
        super().__init__(f"stopped after {done} of {'?' if total is None else total} rows")
        self.done, self.total = done, total


def verify_file(
    verifier: "Verifier",
    claims: str | Path,
    out: str | Path,
    *,
    progress: Callable[[int, int | None], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    load: "Callable[[], Verifier] | None" = None,
    finisher: Finisher | None = None,
    **options: Any,
) -> RunSummary:
    """Verify every row of a claims file and write the verdict table.

    Each chunk of rows is kept in ``<out>.parts/``; when all are there they are merged into ``out``, which appears in
    one step. A run that was interrupted, however hard, goes on from what it has finished, if the table's content, models and
    options are the same; its place, name and time, the size of chunks, the workers, the columns kept and the threshold may be
    others.

    Args:
        verifier: a loaded verifier.
        claims: CSV, TSV, JSONL or Parquet file, or a folder of ``Dataset.save_to_disk``.
        out: verdict table; its ending (``.parquet``, ``.csv``, ``.tsv``, ``.jsonl``) chooses the format.
        progress: called at the start and after each chunk with the rows done and the rows in all (None if unknown).
        should_stop: asked after each chunk; true ends the run there.
        load: makes an equal verifier in another process; a function that can be pickled. Needed with more than one worker.
        finisher: makes the chunks in this process's place, see :func:`factcheck.verification.cluster.verify_on_ray`.
        options: the fields of :class:`factcheck.verification.chunks.RunOptions`.

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
    own = OwnColumns(claims, run.keep, run.columns)
    parts = Parts(out.with_name(out.name + ".parts"))
    start = time.perf_counter()
    table = ClaimsFile(claims)
    facts = {"claims": table.digest, "format": source.format.to_dict(), **verifier.facts}
    with parts.locked():
        stretch = _stretch(source, run.shard, out)
        done = parts.begin({**facts, "shard": run.shard}, run.fresh)
        summary = RunSummary(out=out, resumed=sum(part.rows for part in done), remade=parts.remade, facts=facts)
        if parts.remade:
            logger.warning("%d damaged chunks of the interrupted run are made anew", parts.remade)
        clock, meter = Clock(), UsageMeter(verifier.judge)
        job = _Job(verifier, source, run, parts, table, clock, load, finisher, should_stop or (lambda: False))
        try:
            for part in job.made(tuple(done), stretch, progress):
                done.append(part)
        except InputError:
            if not done:  # nothing that a later run could go on from
                parts.remove()
            raise
        done.sort(key=lambda part: part.first)
        _check_rows(done, stretch, claims, parts)
        table.check_whole(parts)
        with clock.stage("write"):
            _merge(parts, done, out, verifier.thresholds, summary, stretch if run.shard else None, own)
        clock.count(meter.taken())
        summary.judge = dict(clock.usage)
        summary.stages, summary.seconds = dict(clock.seconds), time.perf_counter() - start
        parts.remove()
    return summary


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


@dataclass(frozen=True, slots=True)
class _Job:
    """What makes the parts that are missing, in this process or in several."""

    verifier: "Verifier"
    source: ClaimsSource
    run: RunOptions
    parts: Parts
    table: ClaimsFile
    clock: Clock
    load: "Callable[[], Verifier] | None"
    finisher: Finisher | None
    should_stop: Callable[[], bool]

    def made(
        self, done: Sequence[Part], stretch: _Stretch, progress: Callable[[int, int | None], None] | None
    ) -> Iterator[Part]:
        """Each part when it is on the disk.

        Raises:
            RunInterrupted: the run was asked to stop.
        """
        rows = sum(part.rows for part in done)
        if progress:
            progress(rows, stretch.rows)
        for part in self._parts(gaps(done, stretch.first, stretch.stop)):
            rows += part.rows
            if progress:
                progress(rows, stretch.rows)
            yield part
            if self.run.workers == 1 and self.should_stop() and rows != stretch.rows:
                break
        if self.should_stop() and rows != stretch.rows:
            raise RunInterrupted(rows, stretch.rows)

    def _parts(self, missing: list[tuple[int, int | None]]) -> Iterator[Part]:
        if self.finisher is not None:
            return self.finisher(self.table, self.run, self.parts, missing, self.clock)
        if self.run.workers == 1 or not missing:
            chunks = Chunks(self.verifier, self.source, self.run, self.clock)
            return finish(chunks, self.parts, missing, self.table, self.clock)
        known = [(start, stop) for start, stop in missing if stop is not None]
        if self.load is None or len(known) < len(missing):
            what = "a table of known length" if self.load else "`load`, which makes a verifier in another process"
            raise InputError(f"`workers` above 1 needs {what}", field="workers")
        from factcheck.verification.workers import finish_with_workers

        arguments = (self.load, self.table, self.run, self.parts, known, self.clock, self.should_stop)
        return finish_with_workers(*arguments)


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
        raise InputError(f"{claims} {CHANGED.format(counted)}", hint=AGAIN)


def _merge(
    parts: Parts,
    done: Sequence[Part],
    out: Path,
    thresholds: Thresholds,
    summary: RunSummary,
    shard: _Stretch | None,
    own: OwnColumns,
) -> None:
    """Write the parts as one table and count it."""
    ids: list[np.ndarray] = []  # hashes: of ten million rows 80 MB
    first = 0 if shard is None else shard.first
    tables = own.added(first, (with_threshold(table, thresholds) for table in parts.tables(done)))
    about = {"facts": summary.facts, "abstain_below": thresholds.to_json()}
    if shard is not None:
        about["stretch"] = asdict(shard)
    for part, table in zip(done, write_tables(tables, out, columns=own.names, about=about), strict=True):
        summary.add(part.counts)
        summary.abstained += count_withheld(table)
        ids.append(np.fromiter(map(hash, table["id"].to_pylist()), np.int64, table.num_rows))
    if ids:
        summary.duplicate_ids = summary.rows - len(np.unique(np.concatenate(ids)))
