"""One run by several processes of one machine, each with models of its own."""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factcheck.errors import InputError
from factcheck.verification.chunks import Chunks, ClaimsFile, RunOptions, finish
from factcheck.verification.parts import Part, Parts
from factcheck.verification.summary import Clock

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["finish_with_workers"]

# Stretches a worker, at most: a worker that is done early takes another one, and each costs passing over the rows before it.
_STRETCHES = 4


def finish_with_workers(
    load: "Callable[[], Verifier]",
    table: ClaimsFile,
    run: RunOptions,
    parts: Parts,
    missing: Sequence[tuple[int, int]],
    clock: Clock,
    should_stop: Callable[[], bool],
) -> Iterator[Part]:
    """As :func:`factcheck.verification.chunks.finish`, by ``run.workers`` processes; parts come in no order.

    Args:
        load: makes a worker's verifier; can be pickled.
        table: the claims table.
        run: how it is read; how many workers.
        parts: where the chunks are kept.
        missing: first rows and rows after the last of what is to be made.
        clock: counts the workers' time by stage.
        should_stop: asked twice a second; when true the workers end after the chunks in hand.

    Raises:
        InputError: a worker met one, or was killed; what is finished stays.
    """
    context = multiprocessing.get_context("spawn")
    tasks: Any = context.Queue()
    results: Any = context.Queue()
    stop = context.Event()
    for stretch in _stretches(missing, run):
        tasks.put(stretch)
    for _ in range(run.workers):
        tasks.put(None)
    threads = max(1, (os.cpu_count() or 1) // run.workers)
    arguments = (load, table, run, parts.folder, tasks, results, stop, threads)
    workers = [context.Process(target=_work, args=arguments, daemon=True) for _ in range(run.workers)]
    try:
        for worker in workers:
            worker.start()
        ended = 0
        while ended < len(workers):
            if should_stop():
                stop.set()
            try:
                kind, what = results.get(timeout=0.5)
            except queue.Empty:
                dead = next((w for w in workers if w.exitcode not in (None, 0)), None)
                if dead is not None:
                    raise InputError(
                        f"a worker {_end(dead.exitcode)}",
                        hint="what is finished is kept: run it again, with fewer `workers` if memory was short",
                        field="workers",
                    ) from None
                continue
            if kind == "part":
                yield what
            elif kind == "error":
                raise InputError(what)
            else:
                ended += 1
                seconds_by_stage, usage = what
                for name, seconds in seconds_by_stage.items():
                    clock.add(name, seconds)
                clock.count(usage)
    finally:
        stop.set()
        for worker in workers:
            worker.join(timeout=60)
            if worker.is_alive():
                worker.terminate()


def _end(code: int | None) -> str:
    return (
        f"was ended by signal {-code}" if code and code < 0 else f"failed with status {code}; its own words are above"
    )


def _stretches(missing: Sequence[tuple[int, int]], run: RunOptions) -> Iterator[tuple[int, int]]:
    """What is missing in stretches of whole chunks."""
    rows = sum(stop - start for start, stop in missing)
    size = max(1, -(-rows // (run.workers * _STRETCHES * run.chunk_size))) * run.chunk_size
    for start, stop in missing:
        for first in range(start, stop, size):
            yield first, min(first + size, stop)


def _work(
    load: "Callable[[], Verifier]",
    table: ClaimsFile,
    run: RunOptions,
    folder: Path,
    tasks: Any,
    results: Any,
    stop: Any,
    threads: int,
) -> None:
    """A worker: stretch after stretch until there are none, each finished part told."""
    # The first process is asked to stop, and asks the workers; if it is killed, they end after the chunks in hand.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()
    clock = Clock()
    try:
        import torch

        from factcheck.data import open_claims
        from factcheck.judges.usage import UsageMeter

        torch.set_num_threads(threads)
        source = open_claims(table.path, columns=run.columns, on_error=run.on_error)
        verifier = load()
        meter = UsageMeter(verifier.judge)
        chunks = Chunks(verifier, source, run, clock)
        while not stop.is_set() and (stretch := tasks.get()) is not None:
            for part in finish(chunks, Parts(folder), [stretch], table, clock):
                results.put(("part", part))
                if stop.is_set() or os.getppid() != parent:
                    break
    except InputError as error:
        results.put(("error", str(error)))
    else:
        results.put(("end", (clock.seconds, meter.taken())))
    if threading.active_count() > 1 and os.getppid() != parent:
        os._exit(1)  # nobody reads what the queue would wait to hand over
