"""Keeping two processes from writing to one place."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import InputError

__all__ = ["only_one"]


@contextmanager
def only_one(path: Path, refusal: str) -> Iterator[None]:
    """Hold a lock on the file ``path``, which is made. The system releases it, however the process ends.

    Raises:
        InputError: another process, or another part of this one, holds it; with ``refusal`` as its message.
    """
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(refusal) from None
        lock.write(str(os.getpid()))
        lock.flush()
        yield
