"""Arrays too long for memory: ``.npy`` files written piece by piece and read part by part.

A memory map would do the same with less code, but every page it touches counts as resident memory of the process until the
system wants it back, so that a build seems to need as much memory as it writes.
"""

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

__all__ = ["NpyReader", "NpyWriter"]


class NpyWriter:
    """Appends rows to an ``.npy`` file; a context manager. The file is a valid array once it is closed.

    Args:
        path: the file, replaced if it exists.
        dtype: of the array.
        row: shape of a row; empty for an array of one dimension.
    """

    def __init__(self, path: Path, dtype: Any, row: tuple[int, ...] = ()) -> None:
        self.dtype, self.row, self.count = np.dtype(dtype), row, 0
        self._stream: BinaryIO = path.open("wb")
        self._start = self._header()

    def append(self, rows: np.ndarray) -> None:
        """Write rows (n, *row), converted to the array's type."""
        rows = np.ascontiguousarray(rows, self.dtype)
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows have shape {rows.shape[1:]}, expected {self.row}")
        rows.tofile(self._stream) if rows.size else None
        self.count += len(rows)

    def close(self) -> None:
        """Put the number of rows into the header."""
        if self._stream.closed:
            return
        self._stream.flush()
        self._stream.seek(0)
        # numpy leaves room in a header for its first axis to grow.
        if self._header() != self._start:
            raise RuntimeError("the header of an .npy file changed its length")
        self._stream.close()

    def _header(self) -> int:
        about = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(self._stream, about | {"shape": (self.count, *self.row)})
        return self._stream.tell()

    def __enter__(self) -> "NpyWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class NpyReader:
    """Rows of an ``.npy`` file, ``reader[start:stop]`` or ``reader[rows]``, read when asked for and not kept."""

    def __init__(self, path: Path) -> None:
        mapped = np.load(path, mmap_mode="r")
        self.shape, self.dtype, self._offset, self._path = mapped.shape, mapped.dtype, mapped.offset, path
        self._bytes = int(self.dtype.itemsize * np.prod(self.shape[1:], dtype=np.int64))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: "slice | np.ndarray") -> np.ndarray:
        with self._path.open("rb") as stream:
            if isinstance(rows, slice):
                start, stop, _ = rows.indices(len(self))
                return self._read(stream, start, max(0, stop - start))
            found = np.empty((len(rows), *self.shape[1:]), self.dtype)
            for i, row in enumerate(rows):
                found[i] = self._read(stream, int(row), 1)[0]
            return found

    def _read(self, stream: BinaryIO, start: int, count: int) -> np.ndarray:
        stream.seek(self._offset + start * self._bytes)
        each = int(np.prod(self.shape[1:], dtype=np.int64))
        return np.fromfile(stream, self.dtype, count * each).reshape(count, *self.shape[1:])
