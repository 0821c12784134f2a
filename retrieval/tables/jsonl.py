"""Tables of JSON objects: one a line, several on a line, or in one array."""

import codecs
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from retrieval.errors import InputError
from retrieval.tables.content import Content, reading
from retrieval.tables.lines import Lines
from retrieval.tables.rows import Fault, Row, Table

__all__ = ["JsonTable", "is_array"]

_PEEK = 100
_TOO_DEEP = "not readable JSON (lists and objects are nested too deeply)"
_BLOCK = 2**20
#: An element of an array that is longer than this, in characters, is not waited for to end.
_LONGEST = 64 * 2**20
_ID = r'\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9]{1,20}(?=\s*[,}]))'
_FIRST_KEY = re.compile(r'\{\s*("(?:[^"\\]|\\.)*")\s*:')
_UNDECODED = re.compile("[\udc80-\udcff]")
# Of a text that cannot be read, so much is looked at.
_START = 2**16
_SPACE = re.compile(r"[\s,]*")
# Where an object may follow another: only then is more than one looked for on a line.
_NEXT_OBJECT = re.compile(r"\}\s*,?\s*\{")
_decoder = json.JSONDecoder()


class JsonTable(Table):
    """Objects one a line (JSONL), one after the other on a line, or as the elements of an array over any number of lines.

    A key that a row lacks counts as absent. A text without lines, or with blank ones only, is a table without rows.

    Raises:
        InputError: none of the first hundred rows is a JSON object.
    """

    open_ended = True

    def __init__(self, content: Content) -> None:
        self.where, self._content = str(content), content
        self._array = is_array(content)
        self._id: re.Pattern[str] | None = None
        self._id_name = ""
        keys: dict[str, None] = {}
        fault, row = None, None
        for row in islice(self._rows(0), _PEEK):
            keys.update(dict.fromkeys(row.values))
            if row.fault is not None:
                fault = fault or f"{content}, line {row.line}: {row.fault.text}"
        if row is not None and not keys and fault:
            raise InputError(fault, hint="write one JSON object a line, or one array of objects")
        self.names = list(keys)
        self.is_empty = row is None

    def only_id_of(self, name: str) -> None:
        """An id that opens its object can be told even where the rest is broken."""
        self._id_name = name
        self._id = re.compile(r"\s*\{\s*" + re.escape(json.dumps(name, ensure_ascii=False)) + _ID)

    def count(self) -> int:
        """Number of rows."""
        if self._array:
            return sum(1 for _ in self._rows(0))
        return sum(_objects_on(line) for line in _lines(Lines(self._content)))

    def _rows(self, skip: int) -> Iterator[Row]:
        if self._array:
            yield from islice(_numbered(self._elements()), skip, None)
            return
        lines = Lines(self._content)
        number = 0
        for text in _lines(lines):
            if number < skip and number + (on_line := _objects_on(text)) <= skip:  # passed over without parsing
                number += on_line
                continue
            values, fault = _parse(text)
            if fault is None:
                yield Row(number, values, lines.fault, lines.number, len(text))
                number += 1
                continue
            for row in self._faulty(text, values, fault, lines.fault, lines.number):
                if number >= skip:
                    yield row._replace(number=number)
                number += 1

    def _faulty(
        self, text: str, values: dict[str, Any], fault: str, encoding: Fault | None, line: int
    ) -> Iterator[Row]:
        """The rows of a line that is not one object."""
        if fault.startswith("more than one"):
            for values, part_fault, part in _several(text):
                yield self._row(part, values, part_fault, encoding, line)
        else:
            yield self._row(text, values, fault, encoding, line)

    def _row(self, text: str, values: dict[str, Any], fault: str | None, encoding: Fault | None, line: int) -> Row:
        if fault is None:
            return Row(0, values, encoding, line, len(text))
        # Broken bytes are the cause of what does not parse for them.
        told = Fault(encoding.text) if encoding is not None else Fault(fault)
        return Row(0, self._only_id(text), told, line, len(text))

    def _only_id(self, text: str) -> dict[str, Any]:
        match = self._id.match(text) if self._id is not None else None
        if match is None:
            return {}
        try:
            return {self._id_name: json.loads(match[1])}
        except ValueError:
            return {}

    def _elements(self) -> Iterator[Row]:
        """The elements of the array; after a broken one, from where an object begins with the first one's first key."""
        opening: re.Pattern[str] | None = None
        with _Window(self._content) as text:
            text.skip_opening()
            while not text.at_end():
                line = text.line
                element = text.element()
                if opening is None and (match := _FIRST_KEY.match(element.start)):
                    opening = re.compile(r"\{\s*" + re.escape(match[1]) + r"\s*:")
                if element.is_broken:
                    text.resume_at(opening)
                yield self._row(element.start, element.values, element.fault, element.encoding, line)


class _Element(NamedTuple):
    """An element of an array: the beginning of its text, its values, what is wrong with it, and whether that hides where it ends."""

    start: str
    values: dict[str, Any]
    fault: str | None = None
    encoding: Fault | None = None
    is_broken: bool = False


class _Window:
    """The part of an array's text that is being looked at."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._file = content.open()
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text, self._at, self._ended = "", 0, False
        self.line = 1

    def __enter__(self) -> "_Window":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def skip_opening(self) -> None:
        """Go behind the bracket that opens the array."""
        self._more()
        self._advance(self._text.index("[") + 1)

    def at_end(self) -> bool:
        """Whether no element follows; goes behind commas and white space."""
        while True:
            self._advance(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at] == "]" and not self._text[self._at + 1 :].strip()
            if not self._more():
                return True

    def element(self) -> _Element:
        """The element that stands here; goes behind it, unless it is broken."""
        while True:
            start = self._text[self._at : self._at + _START]
            try:
                value, end = _decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # A text that ends too early is only begun.
                begun = error.pos > len(self._text) - 16 or error.msg.startswith("Unterminated string")
                place = error.pos - self._at
                if begun and len(self._text) - self._at < _LONGEST and self._more():
                    continue
                return _Element(start, {}, f"not JSON ({error.msg} at character {place})", None, True)
            except RecursionError:
                return _Element(start, {}, _TOO_DEEP, None, True)
            except ValueError as error:
                return _Element(start, {}, f"not readable JSON ({error})", None, True)
            if end == len(self._text) and self._more():  # a number may go on
                continue
            encoding = None
            if match := _UNDECODED.search(self._text, self._at, end):
                encoding = Fault(f"not UTF-8: byte 0x{ord(match[0]) - 0xDC00:02x}", legible=True)
                value = json.loads(_UNDECODED.sub("\ufffd", self._text[self._at : end]))
            self._advance(end)
            if not isinstance(value, dict):
                return _Element(start, {}, f"expected a JSON object, found {type(value).__name__}", encoding)
            return _Element(start, value, None, encoding)

    def resume_at(self, opening: re.Pattern[str] | None) -> None:
        """Go to where the next object begins, else to the end of the text."""
        place = self._at + 1
        while True:
            match = opening.search(self._text, place) if opening is not None else None
            if match is not None:
                self._advance(match.start())
                return
            place = max(place, len(self._text) - _START)
            self._advance(place)
            if not self._more():
                self._advance(len(self._text))
                return
            place = 0

    def _advance(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to

    def _more(self) -> bool:
        """Read on; about as much as is held, so that a long element costs time in proportion to its length."""
        if self._ended:
            return False
        held = self._text[self._at :]
        with reading(self._content):
            block = self._file.read(max(_BLOCK, len(held)))
        self._ended = not block
        text = self._decoder.decode(block, final=not block)
        self._text, self._at = held + text, 0
        return bool(block or text)


def is_array(content: Content) -> bool:
    """Whether a text is one JSON array rather than objects one a line."""
    with content.open() as file, reading(content):
        start = file.read(2**16).lstrip()
    if not start.startswith(b"["):
        return False
    first = start.split(b"\n", 1)[0]
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return True
    # A list of something else than objects on a line of its own is no table in an array.
    return not value or any(isinstance(item, dict) for item in value)


def _lines(lines: Lines) -> Iterator[str]:
    """The lines that are not blank; the fault and number of each are those of ``lines``."""
    try:
        while True:
            lines.begin_record()
            text = next(lines, None)
            if text is None:
                return
            if text and not text.isspace():
                yield text
    finally:
        lines.close()


def _objects_on(text: str) -> int:
    if _NEXT_OBJECT.search(text) is None or not (_parse(text)[1] or "").startswith("more than one"):
        return 1
    return sum(1 for _ in _several(text))


def _parse(text: str) -> tuple[dict[str, Any], str | None]:
    """The object on a line, or {} and what is wrong with it."""
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text[error.pos :].lstrip(" ,\t").startswith("{") and text.lstrip()[0] == "{":
            return {}, "more than one object"
        return {}, f"not JSON ({error.msg} at character {error.pos})"
    except RecursionError:
        return {}, _TOO_DEEP
    except ValueError as error:  # a number of thousands of digits
        return {}, f"not readable JSON ({error})"
    if not isinstance(row, dict):
        return {}, f"expected a JSON object, found {type(row).__name__}"
    return row, None


def _several(text: str) -> Iterator[tuple[dict[str, Any], str | None, str]]:
    """The objects that stand one after the other on a line: values, fault, text. After a broken one the rest is one row."""
    text = text.rstrip()
    place = 0
    while place < len(text):
        start = _SPACE.match(text, place).end()  # type: ignore[union-attr]
        if start >= len(text):
            return
        try:
            value, place = _decoder.raw_decode(text, start)
        except (RecursionError, ValueError) as error:
            what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            yield {}, f"not JSON ({what})", text[start:]
            return
        if isinstance(value, dict):
            yield value, None, text[start:place]
        else:
            yield {}, f"expected a JSON object, found {type(value).__name__}", text[start:place]


def _numbered(rows: Iterator[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows):
        yield row._replace(number=number)
