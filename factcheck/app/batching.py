"""Requests that arrive at the same time share a batch."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["BatchQueue", "QueueFull"]


class QueueFull(Exception):
    """More rows are waiting than the server will take on."""


@dataclass(slots=True)
class _Waiting:
    table: pa.Table
    done: "asyncio.Future[pa.Table]"


class BatchQueue:
    """Runs a function of tables in one thread, on what has gathered while it ran before.

    A row's result does not depend on its neighbours, so who shares a batch with whom changes nothing but the time.

    Args:
        verify: claims table to verdict table, a row for each row.
        batch_size: most rows in a batch; a larger request goes alone.
        most_waiting: rows waiting at once, beyond which requests are turned down.
    """

    def __init__(
        self, verify: Callable[[pa.Table], pa.Table], *, batch_size: int = 32, most_waiting: int = 512
    ) -> None:
        self._verify, self._batch_size, self._most = verify, batch_size, most_waiting
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verify")
        self._worker: asyncio.Task[None] | None = None
        self.batches = 0

    @property
    def rows_waiting(self) -> int:
        """Rows that no batch has taken yet."""
        return sum(len(one.table) for one in self._waiting)

    async def __aenter__(self) -> "BatchQueue":
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def submit(self, table: pa.Table) -> pa.Table:
        """The verdicts of a claims table.

        Raises:
            QueueFull: too many rows are waiting; ask again later.
            Exception: whatever the function raises.
        """
        if self._waiting and self.rows_waiting + len(table) > self._most:
            raise QueueFull
        one = _Waiting(table, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._arrived.set()
        try:
            return await one.done
        except asyncio.CancelledError:  # the client has gone: nobody needs the answer
            with contextlib.suppress(ValueError):
                self._waiting.remove(one)
            raise

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            taken = self._take()
            if not taken:
                self._arrived.clear()
                continue
            table = pa.concat_tables([one.table for one in taken])
            try:
                verdicts = await loop.run_in_executor(self._thread, self._verify, table)
                self.batches += 1
            except Exception as error:  # the server goes on; those who asked are told
                for one in taken:
                    if not one.done.done():
                        one.done.set_exception(error)
                continue
            start = 0
            for one in taken:
                if not one.done.done():
                    one.done.set_result(verdicts.slice(start, len(one.table)))
                start += len(one.table)

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        rows = 0
        while self._waiting and (not taken or rows + len(self._waiting[0].table) <= self._batch_size):
            one = self._waiting.pop(0)
            if one.done.done():
                continue
            taken.append(one)
            rows += len(one.table)
        return taken
