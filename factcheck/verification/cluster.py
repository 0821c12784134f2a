"""One run on a Ray cluster: chunks are read, given their photos and verified by processes of many machines.

Three stages of Ray Data: a reader walks through the table, tasks read photo files, actors (each with models of its own)
verify. A block of Ray is one chunk of the table, so that Ray neither joins nor cuts what is kept together. The finished chunks
come back to this process, which keeps them as any run does: see :func:`factcheck.verification.stream.verify_file`.
"""

import contextlib
import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from factcheck.errors import InputError
from factcheck.judges.usage import UsageMeter
from factcheck.verification.chunks import ClaimsFile, RunOptions, with_images
from factcheck.verification.known import KnownVerdicts
from factcheck.verification.parts import Part, Parts
from factcheck.verification.stream import RunSummary, verify_file
from factcheck.verification.summary import Clock, Counts
from retrieval.arguments import checked_int
from retrieval.errors import first_line
from retrieval.lazy import import_extra

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["RayCluster", "verify_on_ray"]

logger = logging.getLogger(__name__)

# Shares of a CPU that the stages before the models hold. An actor pool that takes every CPU leaves none to read with, and the run
# waits for ever. The two differ, as Ray runs neighbouring stages of equal needs as one, and a reader would wait for photos.
_READER_CPUS, _IMAGE_CPUS = 0.25, 0.5

# What a block holds: chunk by chunk, a table as an Arrow stream; or why there is none.
_CHUNK = pa.schema(
    [
        ("first", pa.int64()),  # number of the chunk's first row
        ("table", pa.large_binary()),  # of claims, after the last stage of verdicts
        ("taken_over", pa.int64()),
        ("seconds", pa.string()),  # by stage, as JSON
        ("usage", pa.string()),  # what a judge was asked, as JSON
        ("error", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """Which cluster, and how much of it.

    Attributes:
        address: ``local`` starts one on this machine for the time of the run; ``auto`` finds the one that this machine belongs
            to; else ``HOST:PORT`` of its head. A connection that this process has (``ray.init``) is used as it is.
        actors: processes that verify; None for as many as CPUs (of a run on CUDA, GPUs) less one to read with, at least one.
        cuda: each has a GPU of its own.
    """

    address: str = "local"
    actors: int | None = None
    cuda: bool = False

    def __post_init__(self) -> None:
        if self.actors is not None:
            checked_int("actors", self.actors, 1)
        if "://" in self.address:
            raise InputError(
                f"the address {self.address!r} is that of a Ray client, which cannot run Ray Data",
                field="address",
                hint="start the run on a machine of the cluster (ray job submit) with the address auto",
            )

    def shares(self, cpus: float, gpus: float) -> tuple[int, float]:
        """How many actors there are, and the CPUs of each, on a cluster with so many CPUs and GPUs.

        >>> RayCluster().shares(8, 0), RayCluster().shares(2, 0), RayCluster(actors=2).shares(2, 0)
        ((7, 1.0), (1, 1.0), (2, 0.625))
        """
        free = cpus - _READER_CPUS - _IMAGE_CPUS
        actors = self.actors or max(1, int(gpus) if self.cuda else int(cpus) - 1)
        if self.address != "local" and free >= 1:  # a cluster may grow when more is asked for
            return actors, 1.0
        # Ray counts in ten-thousandths.
        return actors, max(0.01, min(1.0, int(free / actors * 1000) / 1000))


def verify_on_ray(
    verifier: "Verifier",
    claims: str | Path,
    out: str | Path,
    *,
    load: "Callable[[], Verifier]",
    cluster: RayCluster | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    **options: Any,
) -> RunSummary:
    """As :func:`factcheck.verification.stream.verify_file`, on a Ray cluster: the same table, kept and resumed in the same way.

    A run that was begun on one machine may be finished on a cluster, and the other way round. An actor or a machine that dies is
    replaced, and its chunk made again.

    The claims, the photos, the models, an index and an earlier table must lie under the same paths on every machine of the
    cluster; paths that are not absolute are taken from this process's folder. ``out`` is written by this process alone.

    Args:
        verifier: says what verdicts rest on; used for nothing else, so that the CPU will do.
        claims, out, progress, should_stop: see there.
        load: makes an equal verifier in an actor; a function that can be pickled.
        cluster: where; None for one on this machine.
        options: the fields of :class:`factcheck.verification.chunks.RunOptions`.

    Raises:
        InputError: Ray is not installed, there is no such cluster, an actor's models or options are not those of ``verifier``,
            and see there.
        RunInterrupted: ``should_stop`` said so.
    """
    import_extra("ray.data", "ray", "a run on a cluster", "ray")
    cluster = cluster or RayCluster()
    if options.get("workers", 1) != 1:
        raise InputError("`workers` are processes of one machine", field="workers", hint="give a cluster its `actors`")
    since = options.get("since")
    if since is not None:
        KnownVerdicts(since)  # a mistake must show here, before a cluster is started
    facts = json.dumps(verifier.facts)

    def finish(
        table: ClaimsFile, run: RunOptions, parts: Parts, missing: Sequence[tuple[int, int | None]], clock: Clock
    ) -> Iterator[Part]:
        job = _Job(load, facts, table.path.absolute(), _absolute(run), os.getcwd())
        with contextlib.closing(_chunks(job, missing, cluster)) as chunks:
            for first, verdicts, taken_over, seconds, usage in chunks:
                table.check()
                clock.count(usage)
                for stage, spent in seconds.items():
                    clock.add(stage, spent)
                with clock.stage("write"):
                    part = parts.write(first, verdicts, Counts.of(verdicts, taken_over))
                yield part

    return verify_file(verifier, claims, out, progress=progress, should_stop=should_stop, finisher=finish, **options)


@dataclass(frozen=True)
class _Job:
    """What the processes of the cluster are told.

    Attributes:
        load: makes a verifier.
        facts: what its verdicts must rest on, as JSON.
        claims: the table.
        run: how it is read.
        folder: where relative paths begin.
    """

    load: "Callable[[], Verifier]"
    facts: str
    claims: Path
    run: RunOptions
    folder: str


def _absolute(run: RunOptions) -> RunOptions:
    def whole(path: str | Path | None) -> Path | None:
        return None if path is None else Path(path).absolute()

    return replace(run, image_root=whole(run.image_root), since=whole(run.since))


def _chunks(
    job: _Job, missing: Sequence[tuple[int, int | None]], cluster: RayCluster
) -> Generator[tuple[int, pa.Table, int, dict[str, float], dict[str, float]], None, None]:
    """First row, verdicts, rows taken over, seconds by stage and what a judge was asked, of each chunk of what is missing, in no order."""
    if not missing:
        return
    import ray

    with _connected(cluster):
        resources = ray.cluster_resources()
        actors, cpus = cluster.shares(resources.get("CPU", 0), resources.get("GPU", 0))
        logger.info("verifying with %d actors on %g CPUs", actors, resources.get("CPU", 0))
        stretches = [{"start": start, "stop": stop} for start, stop in missing]
        stages: Any = ray.data.from_items(stretches, override_num_blocks=len(stretches))
        # One chunk, one block: a block is given on as soon as it is larger than this.
        stages.context.target_max_block_size = 1
        stages.context.enable_progress_bars = False
        stages.context.print_on_execution_start = False
        common: dict[str, Any] = {"batch_size": 1, "batch_format": "pyarrow"}
        # One reader at a time: several, each waiting for its chunks to be taken, would leave no CPU to those who take them.
        one = ray.data.TaskPoolStrategy(size=1)
        stages = stages.map_batches(_read, fn_args=(job,), num_cpus=_READER_CPUS, compute=one, **common)
        stages = stages.map_batches(_add_images, fn_args=(job,), num_cpus=_IMAGE_CPUS, **common)
        stages = stages.map_batches(
            _Actor,
            fn_constructor_args=(job,),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors),
            num_cpus=cpus,
            num_gpus=1 if cluster.cuda else None,
            **common,
        )
        for block in stages.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for chunk in block.to_pylist():
                if chunk["error"] is not None:
                    raise InputError(chunk["error"])
                figures = (json.loads(chunk[name]) for name in ("seconds", "usage"))
                yield chunk["first"], _table(chunk["table"]), chunk["taken_over"], *figures


@contextlib.contextmanager
def _connected(cluster: RayCluster) -> Iterator[None]:
    """A connection to the cluster, which is ended again if it is made here."""
    import ray

    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"include_dashboard": False} if cluster.address == "local" else {}
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if in_main_thread else None
    try:
        ray.init(cluster.address, log_to_driver=False, logging_level=logging.WARNING, **options)
    except (ConnectionError, ValueError) as error:
        raise InputError(
            f"there is no Ray cluster at {cluster.address!r} ({first_line(error)})",
            field="address",
            hint="start one with Ray's own start command, or leave the address out for one on this machine",
        ) from None
    if handler is not None:  # Ray's own would end the run in the middle of a chunk
        signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _read(stretches: pa.Table, job: _Job) -> Iterator[pa.Table]:
    """The chunks of a stretch of the table, one by one."""
    from factcheck.data import open_claims

    stretch = stretches.to_pylist()[0]
    start, stop = stretch["start"], stretch["stop"]
    clock = Clock()
    try:
        source = open_claims(job.claims, columns=job.run.columns, on_error=job.run.on_error)
        tables = source.batches(job.run.chunk_size, start, limit=None if stop is None else stop - start)
        while True:
            with clock.stage("read"):
                table = next(tables, None)
            if table is None:
                return
            yield _chunk(start, table, seconds=clock.seconds)
            start += table.num_rows
            clock = Clock()
    except InputError as error:
        yield _chunk(start, error=str(error))


def _add_images(chunk: pa.Table, job: _Job) -> Iterator[pa.Table]:
    """A chunk with its photo files read; in parts where they are large."""
    item = chunk.to_pylist()[0]
    if item["error"] is not None:
        yield chunk
        return
    root = job.run.image_root or job.claims.parent
    first, seconds = item["first"], json.loads(item["seconds"])
    try:
        for table in with_images(_table(item["table"]), root):
            yield _chunk(first, table, seconds=seconds)
            first, seconds = first + table.num_rows, {}
    except InputError as error:
        yield _chunk(first, error=str(error))


class _Actor:
    """A process of the cluster with models of its own."""

    def __init__(self, job: _Job) -> None:
        if os.path.isdir(job.folder):
            os.chdir(job.folder)
        # Told with the first chunk: Ray would take an actor that cannot be made for one that died, and try again.
        self._error: str | None = None
        try:
            self._verifier = job.load()
            self._meter = UsageMeter(self._verifier.judge)
            self._known = None if job.run.since is None else KnownVerdicts(job.run.since)
            if json.dumps(self._verifier.facts) != job.facts:
                self._error = "a machine of the cluster has another version, model, index or option than this one"
        except InputError as error:
            self._error = str(error)

    def __call__(self, chunk: pa.Table) -> pa.Table:
        """A chunk of verdicts for a chunk of claims."""
        item = chunk.to_pylist()[0]
        if (error := item["error"] or self._error) is not None:
            return _chunk(item["first"], error=error)
        clock = Clock()
        clock.seconds.update(json.loads(item["seconds"]))
        claims, taken_over = _table(item["table"]), 0
        if self._known is None:
            verdicts = self._verifier.verify_batch(claims, clock=clock)
        else:
            verdicts, taken_over = self._known.complete(claims, self._verifier, clock)
        usage = self._meter.taken()
        return _chunk(item["first"], verdicts, taken_over=taken_over, seconds=clock.seconds, usage=usage)


def _chunk(
    first: int,
    table: pa.Table | None = None,
    *,
    taken_over: int = 0,
    seconds: dict[str, float] | None = None,
    usage: dict[str, float] | None = None,
    error: str | None = None,
) -> pa.Table:
    """A block of Ray, see ``_CHUNK``."""
    data = None
    if table is not None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        data = sink.getvalue().to_pybytes()
    row = {"first": first, "table": data, "taken_over": taken_over, "seconds": json.dumps(seconds or {})}
    row["usage"] = json.dumps(usage or {})
    return pa.Table.from_pylist([{**row, "error": error}], schema=_CHUNK)


def _table(data: bytes) -> pa.Table:
    with pa.ipc.open_stream(data) as stream:
        return stream.read_all()
