"""The lines of a text, decoded one by one; they can be given back when what was made of them turns out wrong."""

import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from retrieval.tables.content import UNREADABLE, Content, reading
from retrieval.tables.rows import Fault

__all__ = ["Lines"]

# Where the first line end is looked for.
_LINE_END_BYTES = 2**16
_QUOTED = re.compile(rb'"[^"]*(?:"|$)')


class Lines(Iterator[str]):
    r"""Decoded lines, for the csv module or anyone else.

    A text whose first 64 KiB hold, outside quotes, carriage returns and no line feed has lines that end in either.

    Attributes:
        number: lines handed out so far, that is, the number of the last one, from 1.
        taken: the lines of the record so far, with their ends.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._file = content.open()
        try:
            self._offset = self._file.tell()
        except OSError:  # text that was UTF-16
            self._offset = 0
        self._raw = _lines_of_any_end(self._file) if _ends_lines_with_returns(content) else iter(self._file)
        self._pending: deque[str] = deque()
        self._faults: dict[int, Fault] = {}
        self.taken: list[str] = []
        self.number = 0

    def __next__(self) -> str:
        if self._pending:
            text = self._pending.popleft()
        else:
            try:
                raw = next(self._raw)
            except UNREADABLE as error:
                with reading(self._content):
                    raise error
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                text = self._with_replacements(raw, error)
            self._offset += len(raw)
            if "\r" in text:
                text = _without_lone_returns(text)
        self.number += 1
        self.taken.append(text)
        return text

    def begin_record(self) -> None:
        """From here on lines belong to another record."""
        self.taken = []

    @property
    def start(self) -> int:
        """Number of the record's first line."""
        return self.number - len(self.taken) + 1

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the encoding of the record."""
        if not self._faults:
            return None
        return next((self._faults[n] for n in range(self.start, self.number + 1) if n in self._faults), None)

    def give_back(self, keep: int = 1) -> None:
        """Return the record's lines but the first ``keep``."""
        back = self.taken[keep:]
        self._pending.extendleft(reversed(back))
        self.number -= len(back)
        del self.taken[keep:]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _with_replacements(self, raw: bytes, error: UnicodeDecodeError) -> str:
        at = self._offset + error.start
        fault = Fault(f"not UTF-8: byte 0x{raw[error.start]:02x} at offset {at} of the file", legible=True)
        self._faults[self.number + 1] = fault
        return raw.decode("utf-8", "replace")


def _without_lone_returns(text: str) -> str:
    """A carriage return inside a line counts as a space: older writers leave it unquoted, and the csv module refuses it."""
    body = text.removesuffix("\n").removesuffix("\r")
    return body.replace("\r", " ") + text[len(body) :] if "\r" in body else text


def _ends_lines_with_returns(content: Content) -> bool:
    """Whether lines end in a lone carriage return, as old Macintosh programs write them."""
    with content.open() as file, reading(content):
        start = file.read(_LINE_END_BYTES)
    if b"\r" not in start:
        return False
    unquoted = _QUOTED.sub(b"", start)
    return b"\r" in unquoted and b"\n" not in unquoted


def _lines_of_any_end(file: BinaryIO) -> Iterator[bytes]:
    r"""The lines of a file, ended by ``\r``, ``\n`` or ``\r\n``."""
    rest = b""
    while block := file.read(2**20):
        lines = (rest + block).splitlines(keepends=True)
        rest = lines.pop()  # it may go on in the next block, if only with the second half of its end
        yield from lines
    if rest:
        yield rest
