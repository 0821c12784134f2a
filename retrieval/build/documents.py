"""Documents of a corpus, made of the rows of its tables."""

import base64
import datetime
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from retrieval.errors import InputError
from retrieval.tables.rows import Row, whole_number
from retrieval.text.dates import date_range, day_month_order
from retrieval.text.sentences import MAX_CHARS, Sentence, split_sentences

__all__ = ["FIELDS", "Document", "DocumentMaker", "Photo", "column_of", "is_missing", "writable"]

#: Names under which each field is found when no column is named, in order of preference; case does not count, nor whether words are
#: joined by spaces, hyphens or underscores.
FIELDS = {
    "id": ("id", "_id", "document_id", "doc_id", "docid"),
    "text": ("text", "document", "content", "contents", "body", "article", "sentences", "passage", "abstract"),
    "title": ("title", "headline"),
    "date": (
        *("date", "published", "publish_date", "published_at", "timestamp"),
        *("publication_date", "date_published", "pub_date", "pubdate", "created_at"),
    ),
    "source": ("source", "publisher", "domain"),
    "language": ("language", "lang"),
    "images": ("images", "image", "photos", "document_image"),
}
#: Lists and objects inside one another in a document's metadata. What writes, stores and prints them calls itself for each.
_MAX_DEPTH = 100
_TOO_DEEP = f"lists and objects are nested too deeply; {_MAX_DEPTH} levels are read, flatten what lies deeper"
#: FEVER's pages (arXiv 1803.05355) give their sentences as ``number, tab, text, tab, links`` a line, brackets as the Penn Treebank does.
_FEVER_LINE = re.compile(r"(\d+)\t([^\t\n]*)")
_BRACKETS = re.compile(r"-(L[RSC]B)- ?| ?-(R[RSC]B)-")
_BRACKET = {"LRB": "(", "RRB": ")", "LSB": "[", "RSB": "]", "LCB": "{", "RCB": "}"}


@dataclass(frozen=True)
class Photo:
    """A photo of a document.

    Attributes:
        data: the encoded file where the corpus itself holds it, else None.
        reference: its path or URL as the corpus gives it; shown to people, never read by a model.
        caption: what can be searched by words: its caption, else alt text, else the text around it (``context``), else the
            document's title or first sentence, else "".
        file: where it lies otherwise, or None. Not opened before :meth:`read`, and perhaps not there.
    """

    data: bytes | None
    reference: str | None = None
    caption: str = ""
    file: Path | None = None

    def read(self) -> bytes | None:
        """The encoded file, read anew at each call; None where it cannot be read."""
        if self.data is not None or self.file is None:
            return self.data
        try:
            # Nothing but a file: a pipe would never end.
            return self.file.read_bytes() if self.file.is_file() else None
        except (OSError, ValueError):  # gone, forbidden, or nothing that could name a file: too long, or with a NUL
            return None


@dataclass(frozen=True)
class Document:
    """One document of a corpus.

    Attributes:
        id: unique in its corpus.
        text: its text; a list of sentences counts as joined by one space.
        spans: (start, end) of given sentences, or None where the text is to be split.
        title, date, source, language: as given, or None.
        photos: its photos.
        metadata: every other field, JSON values.
        garbled: the file, line or row that could not be decoded as a whole, so that characters were replaced; else None.
    """

    id: str
    text: str
    spans: tuple[tuple[int, int], ...] | None = None
    title: str | None = None
    date: str | None = None
    source: str | None = None
    language: str | None = None
    photos: tuple[Photo, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    garbled: str | None = None

    def sentences(self, max_chars: int = MAX_CHARS) -> list[Sentence]:
        """The given sentences, else those that the text splits into."""
        if self.spans is None:
            return split_sentences(self.text, max_chars=max_chars)
        return [Sentence(self.text[a:b], a, b) for a, b in self.spans if self.text[a:b].strip()]


def column_of(names: tuple[str, ...], field: str, columns: Mapping[str, str]) -> str | None:
    """Which of a table's columns holds a field: the one named, else one of a usual name; None if there is none."""
    if field in columns:
        return columns[field]
    folded = _folded_names(names)
    return next((folded[alias] for alias in FIELDS[field] if alias in folded), None)


@lru_cache(maxsize=256)
def _folded_names(names: tuple[str, ...]) -> dict[str, str]:
    folded: dict[str, str] = {name: name for name in names}
    for name in names:
        folded.setdefault(name.strip().casefold().replace(" ", "_").replace("-", "_"), name)
    return folded


class DocumentMaker:
    """Makes documents of the rows of one table.

    Args:
        where: the table, as messages name it.
        name: its file's own name.
        folder: what paths of images are relative to.
        columns: our field name to the table's column.
        joins_titles: title and text are one, as BEIR has them.
        photos: whether documents get theirs.
        date_order: gives the order of day and month in dates that can be read in two ways, or None; asked only for those.
    """

    def __init__(
        self,
        where: str,
        name: str,
        folder: Path,
        columns: Mapping[str, str],
        *,
        joins_titles: bool,
        photos: bool,
        date_order: Callable[[], str | None],
    ) -> None:
        self.where, self.name, self._folder, self._columns = where, name, folder, columns
        self._joins_titles, self._photos, self._date_order = joins_titles, photos, date_order
        self.has_ids = False

    def make(self, row: Row, first: int) -> Document | None:
        """The document of a row; None where every field of it is empty, which is no document.

        Args:
            row: what was read.
            first: documents of the tables before this one.

        Raises:
            InputError: the row cannot be read, lacks a column, or holds something else than documents do; names it.
        """
        where = f"{self.where}, row {row.number}" + (f" (line {row.line})" if row.line is not None else "")
        if row.fault is not None and not row.fault.legible:
            raise InputError(f"{where}: {row.fault.text}", hint="correct the row or take it out")
        if all(is_missing(value) for value in row.values.values()):
            return None
        names = self._names(row, where)
        value = {key: row.values.get(name) if name is not None else None for key, name in names.items()}
        self.has_ids = self.has_ids or names["id"] is not None
        place = f"line {row.line}" if row.line is not None else f"row {row.number}"
        try:
            text, spans = _text(_sentences_of_fever(row.values) or value["text"], where)
            title = _string(value["title"])
            if self._joins_titles and spans is None:
                text = _with_brackets(f"{title}\n{text}" if title else text)
            used = set(names.values())
            return Document(
                id=_id(value["id"], first + row.number, self.has_ids),
                text=text,
                spans=spans,
                title=title,
                date=self._date(value["date"]),
                source=_string(value["source"]),
                language=_string(value["language"]),
                photos=tuple(_photos(value["images"], self._folder, where, title, text)) if self._photos else (),
                metadata=_plain({k: v for k, v in row.values.items() if k not in used and not is_missing(v)}),
                garbled=f"{self.name}, {place}" if row.fault is not None else None,
            )
        except RecursionError:
            raise InputError(f"{where}: {_TOO_DEEP}") from None

    def _names(self, row: Row, where: str) -> dict[str, str | None]:
        """Our field name to the row's column, None where it has none."""
        found = tuple(row.values)
        for name in self._columns.values():
            if name not in row.values:
                raise InputError(
                    f"{where}: no column {name!r}; found {', '.join(map(str, row.values))}", field="columns"
                )
        names = {key: column_of(found, key, self._columns) for key in FIELDS}
        if names["text"] is None:
            raise InputError(
                f"{where}: no text; found {', '.join(map(str, row.values)) or 'nothing'}, "
                f"expected one of {', '.join(FIELDS['text'])}",
                field="columns",
                hint="name the column with `columns`",
            )
        return names

    def _date(self, value: Any) -> str | None:
        """A date as it was written, or in ISO 8601 where day or month came first and can be told apart."""
        text = (_string(value) or "").strip()
        written = day_month_order(text)
        if written is None:
            return text or None
        days = date_range(text, self._date_order() if written == "either" else written)
        return text if days is None else f"{days[0] // 10000:04}-{days[0] // 100 % 100:02}-{days[0] % 100:02}"


def _sentences_of_fever(values: Mapping[str, Any]) -> list[str] | None:
    """The sentences of a page of FEVER, each at its number; None for other rows."""
    lines = values.get("lines")
    if not isinstance(lines, str) or "text" not in values:
        return None
    numbered = [match.groups() for line in lines.split("\n") if (match := _FEVER_LINE.match(line))]
    if not numbered or [int(number) for number, _ in numbered] != list(range(len(numbered))):
        return None
    return [_with_brackets(text) for _, text in numbered]


def _with_brackets(text: str) -> str:
    return _BRACKETS.sub(lambda match: _BRACKET[match[1] or match[2]], text) if "B-" in text else text


def _id(value: Any, number: int, has_ids: bool) -> str:
    """A document's id; of one without, its number (from 0), which must not be taken for another row's id."""
    found = _string(whole_number(value))
    if found is None or not found.strip():
        return f"row {number}" if has_ids else str(number)
    return found


def _text(value: Any, where: str) -> tuple[str, tuple[tuple[int, int], ...] | None]:
    if is_missing(value):
        return "", None
    if isinstance(value, str):
        return value, None
    if isinstance(value, list | tuple) and all(isinstance(v, str) or is_missing(v) for v in value):
        sentences = ["" if is_missing(v) else v for v in value]
        spans, position = [], 0
        for sentence in sentences:
            spans.append((position, position + len(sentence)))
            position += len(sentence) + 1
        return " ".join(sentences), tuple(spans)
    raise InputError(f"{where}: the text is {type(value).__name__}, expected a string or a list of strings")


def _photos(value: Any, folder: Path, where: str, title: str | None, text: str) -> Iterator[Photo]:
    if is_missing(value):
        return
    for item in value if isinstance(value, list | tuple) else [value]:
        if is_missing(item):
            continue
        if isinstance(item, bytes):
            item = {"bytes": item}
        elif isinstance(item, str):
            item = {"path": item}
        elif not isinstance(item, Mapping):
            raise InputError(f"{where}: a photo is {type(item).__name__}, expected a path, bytes or a record of them")
        reference = _string(item.get("path") or item.get("url"))
        data = _decoded(item.get("bytes"))
        if reference and reference[:5].lower() == "data:":  # the photo itself, where a path or URL is usual
            data, reference = data or _decoded(reference), None
        caption = next((found for key in ("caption", "alt", "context") if (found := _string(item.get(key)))), None)
        file = folder / reference if data is None and reference and "://" not in reference else None
        yield Photo(data, reference, caption or title or _first_sentence(text), file)


def _decoded(data: Any) -> bytes | None:
    """A photo's bytes, which JSON holds as base64; None where they are neither."""
    if not isinstance(data, str):
        return data if isinstance(data, bytes) else None
    prefix, _, encoded = data.rpartition(",")
    if prefix[:5].lower() not in ("", "data:"):
        return None
    try:
        return base64.b64decode("".join(encoded.split()), validate=True) or None
    except ValueError:
        return None


def _first_sentence(text: str) -> str:
    return next((sentence.text for sentence in split_sentences(text[:2000])), "")


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: none, an empty text, or NaN."""
    return value is None or value == "" or value != value  # NaN is unequal to itself


def _string(value: Any) -> str | None:
    if is_missing(value):
        return None
    return writable(value.isoformat() if isinstance(value, datetime.date) else str(value))


def writable(text: str) -> str:
    """The text without lone surrogates: broken scrapes have them, and they fit no file."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain(value: Any, depth: int = 0) -> Any:
    """A JSON value: what JSON has no form for becomes a string. RecursionError beyond ``_MAX_DEPTH``, however much stack is left."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        return {writable(str(key)): _plain(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, depth + 1) for part in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return writable(str(value))
