"""Writing beside and renaming, and locks: what stands at a path is the old file or the whole new one, whatever happens in between."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from retrieval.errors import InputError

__all__ = ["only_one", "replacing", "replacing_folder", "sync", "sync_folder"]


@contextlib.contextmanager
def replacing(path: str | Path, *, durable: bool = True) -> Iterator[Path]:
    """A new empty file beside ``path`` to write to, which takes the place of ``path`` if all goes well.

    Its name cannot be foretold, so that no link planted there is followed, and it keeps the ending, which some writers go by.
    Where ``path`` is a symbolic link, its target is replaced and the link stays. What a killed process left is removed.

    Args:
        path: the file to be; its folder exists.
        durable: wait until the file is on the disk before it takes the place of ``path``.

    Raises:
        InputError: the system refuses to write (a full disk, a folder without the right to it); ``path`` is as it was.
    """
    target = Path(os.path.realpath(path))
    partial: Path | None = None
    handle: int | None = None
    try:
        _remove_abandoned(target)
        handle, partial = _create_beside(target)
        yield partial
        os.chmod(partial, _mode(target))
        if durable:
            sync(partial)
        partial.replace(target)
        if durable:
            sync(target.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if partial is not None:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def replacing_folder(folder: str | Path) -> Iterator[Path]:
    """A new empty folder beside ``folder`` to fill, which takes its place if all goes well; the old one is removed last.

    Args:
        folder: the folder to be, which may exist; where it is a symbolic link, its target is replaced.

    Raises:
        InputError: the system refuses to write; ``folder`` is as it was.
    """
    target = Path(os.path.realpath(folder))
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        yield partial
        os.chmod(partial, stat.S_IMODE(target.stat().st_mode) if target.is_dir() else 0o777 & ~_umask())
        sync_folder(partial)
        if target.exists():
            # Two renames: between them a kill leaves the old folder under its other name, and the new one whole.
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
            target.rename(old / target.name)
            partial.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            partial.rename(target)
        sync(target.parent)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
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


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's names, is on the disk (folders where the system allows it)."""
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            stack.enter_context(contextlib.suppress(OSError))
        handle = os.open(path, os.O_RDONLY)
        stack.callback(os.close, handle)
        os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Wait until every file below a folder, and every folder's list of names, is on the disk."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


def _create_beside(target: Path) -> tuple[int, Path]:
    """A locked file of our own beside ``target``: the lock tells it from what a killed process left."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=f".partial{target.suffix}", dir=target.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(name, follow_symlinks=False)):
                return handle, Path(name)
        os.close(handle)  # taken for abandoned between its making and its lock


def _remove_abandoned(target: Path) -> None:
    for path in target.parent.glob(f".{_escaped(target.name)}.*.partial{_escaped(target.suffix)}"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(handle)


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or those that a new file would get."""
    return stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()


def _umask() -> int:
    # There is no way to read it but to set it; threads that make files in between would notice, hence a mask that lets nothing more.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _cannot_write(path: str | Path, error: OSError) -> InputError:
    reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
    return InputError(
        f"{str(path)!r} cannot be written ({reason})", hint="make room or name another output, then run it again"
    )
