"""The bytes of a table: a file or a member of a zip archive, unpacked by what it holds, in UTF-8."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from retrieval.errors import InputError

__all__ = ["UNREADABLE", "Content", "beginning", "reading"]

_GZIP, _ZSTD, _BZIP2, _XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00"
#: Endings of compressed files, which say nothing of what is in them.
_COMPRESSED = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz")
_BUFFER = 2**17
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Content:
    """Bytes that can be read any number of times.

    Attributes:
        path: the file.
        member: which of its members, where it is a zip archive.
    """

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.name if self.member is None else PurePosixPath(self.member).name

    @property
    def suffix(self) -> str:
        """The ending of its name in lower case, of a compressed file that of what is in it: ``.csv`` of ``A.CSV.gz``."""
        name = PurePosixPath(self.name)
        return (PurePosixPath(name.stem) if name.suffix.lower() in _COMPRESSED else name).suffix.lower()

    def open(self) -> BinaryIO:
        """A stream of the bytes: gzip, zstd, bzip2 and xz unpacked, UTF-16 as UTF-8, without the mark of the byte order.

        Raises:
            InputError: the file cannot be opened.
        """
        with reading(self):
            stream = self._raw()
            start = beginning(stream, 6)
            if start.startswith(_GZIP):
                stream = _buffered(gzip.open(stream))  # noqa: SIM115
            elif start.startswith(_BZIP2):
                stream = _buffered(bz2.open(stream))  # noqa: SIM115
            elif start.startswith(_XZ):
                stream = _buffered(lzma.open(stream))  # noqa: SIM115
            elif start.startswith(_ZSTD):
                import pyarrow as pa

                stream = _buffered(pa.CompressedInputStream(stream, "zstd"))
            start = beginning(stream, 3)
            if start.startswith(_UTF16):
                return _buffered(_AsUtf8(stream))
            if start == codecs.BOM_UTF8:
                stream.read(3)
            return stream

    def is_packed(self) -> bool:
        """Whether the bytes cannot be mapped or jumped about in: compressed, or in an archive."""
        if self.member is not None:
            return True
        with reading(self), self._raw() as stream:
            return beginning(stream, 6).startswith((_GZIP, _BZIP2, _XZ, _ZSTD))

    def _raw(self) -> BinaryIO:
        if self.member is None:
            return self.path.open("rb", buffering=_BUFFER)
        archive = zipfile.ZipFile(self.path)
        return _buffered(archive.open(self.member))


def _buffered(stream: Any) -> BinaryIO:
    return io.BufferedReader(stream, _BUFFER)


def beginning(stream: BinaryIO, length: int) -> bytes:
    """The first bytes of a stream, which is not moved by it."""
    peek: Any = stream
    return bytes(peek.peek(length)[:length])


#: What streams raise whose file cannot be read or unpacked.
UNREADABLE = (UnicodeDecodeError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError)


@contextmanager
def reading(content: "Content | str") -> Iterator[None]:
    """What a file that cannot be read or unpacked makes the libraries raise, as one kind of error.

    Raises:
        InputError: names the file and what is wrong with it.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(f"{content}: not readable as UTF-16 ({error.reason})", hint="save it as UTF-8") from None
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise InputError(f"{content}: a damaged compressed file ({error})", hint="fetch or pack it anew") from None
    except OSError as error:
        raise InputError(f"{content}: cannot be read ({error.strerror or error})") from None


class _AsUtf8(io.RawIOBase):
    """A stream of UTF-16 text as one of UTF-8."""

    def __init__(self, stream: BinaryIO) -> None:
        self._text = io.TextIOWrapper(stream, "utf-16", newline="")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = self._text.read(2**16).encode("utf-8")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
