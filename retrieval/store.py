"""The evidence store: documents, sentences with spans and photos, in Arrow files that every process maps read-only."""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.errors import InputError, as_input_error
from retrieval.text.dates import date_range

__all__ = ["DOCUMENTS", "FILTERS", "IMAGES", "SENTENCES", "EvidenceStore", "about_document", "mapped_table"]

DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("title", pa.string()),
        ("date", pa.string()),
        ("date_first", pa.int32()),
        ("date_last", pa.int32()),
        ("source", pa.string()),
        ("language", pa.string()),
        ("metadata", pa.string()),
        ("first_sentence", pa.int64()),
        ("sentences", pa.int32()),
    ]
)
#: Texts are not stored twice: a sentence is a span of its document's text.
SENTENCES = pa.schema([("document", pa.int64()), ("start", pa.int32()), ("end", pa.int32())])
IMAGES = pa.schema([("document", pa.int64()), ("reference", pa.string()), ("caption", pa.string())])

_FILES = {"documents.arrow": DOCUMENTS, "sentences.arrow": SENTENCES, "photos.arrow": IMAGES}

#: What :meth:`EvidenceStore.allowed_documents` understands.
FILTERS = ("date_before", "date_after", "source", "language", "document_id")

#: Texts of this many characters stay decoded once they are read, so many of them.
LONG_TEXT, LONG_TEXTS = 1 << 16, 4

_ABOUT = ("title", "date", "source", "language")


class EvidenceStore:
    """Read access to a built store, memory-mapped.

    Args:
        folder: holds ``documents.arrow``, ``sentences.arrow``, ``photos.arrow``.

    Raises:
        InputError: a file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._documents, self._sentences, self._images = (
            mapped_table(folder / name, schema) for name, schema in _FILES.items()
        )
        self._document_of = _numbers(self._sentences, "document")
        self._start, self._end = _numbers(self._sentences, "start"), _numbers(self._sentences, "end")
        self._image_document = _numbers(self._images, "document")
        self._facts = self._documents.drop_columns("text")
        self._long_texts: dict[int, str] = {}

    def check(self) -> None:
        """Refuse damaged columns and rows that point nowhere; reads the files once, in less time than their checksums need.

        Raises:
            InputError: a column's texts lie outside their file, or are no UTF-8.
            ValueError: a number or a text is missing, or a sentence or photo lies outside its documents.
        """
        for name, schema in _FILES.items():
            # A mapping of its own: the pages that are read here count as this process's memory until it is closed.
            mapped_table(self._folder / name, schema, full=True)
        needed = (
            (self._documents, ("id", "text", "first_sentence", "sentences")),
            (self._images, ("document", "caption")),
        )
        whole = all(not table[name].null_count for table, names in needed for name in names)
        whole = whole and not any(column.null_count for column in self._sentences.columns)
        documents, sentences = self.document_count, self.sentence_count
        # The sentences of the documents follow one another, and each lies in its document.
        if whole and documents:
            counts, firsts = (self._documents[name].to_numpy() for name in ("sentences", "first_sentence"))
            owners = (
                np.repeat(np.arange(documents), counts) if (counts >= 0).all() and counts.sum() == sentences else None
            )
            whole = owners is not None and bool(
                (firsts == np.cumsum(counts) - counts).all()
                and np.array_equal(owners, self._document_of)
                and ((self._start >= 0) & (self._start <= self._end)).all()
            )
        elif sentences or self.image_count:
            whole = False
        if not whole or not ((self._image_document >= 0) & (self._image_document < documents)).all():
            raise ValueError("its documents, sentences and images do not belong together")

    @property
    def document_count(self) -> int:
        """Documents in the store."""
        return self._documents.num_rows

    @property
    def sentence_count(self) -> int:
        """Sentences in the store."""
        return self._sentences.num_rows

    @property
    def image_count(self) -> int:
        """Photos in the store."""
        return self._images.num_rows

    def document(self, row: int) -> dict[str, Any]:
        """A document's fields by its row; ``metadata`` as a dictionary."""
        fields = self._facts.slice(row, 1).to_pylist()[0]
        fields["metadata"] = _metadata(fields["metadata"], row)
        return fields | {"text": self._text(row)}

    def sentence(self, row: int) -> tuple[int, int, int]:
        """Of a sentence: document row, start, end."""
        return int(self._document_of[row]), int(self._start[row]), int(self._end[row])

    def sentence_text(self, row: int) -> str:
        """A sentence's text, without the rest of its document's fields."""
        number, start, end = self.sentence(row)
        return self._text(number)[start:end]

    def _text(self, row: int) -> str:
        """A document's text. Of long ones the last few stay decoded: many hits of a search lie in one, each a few words of it."""
        held = self._long_texts.get(row)
        if held is not None:
            return held
        text = self._documents["text"][row].as_py()
        if len(text) >= LONG_TEXT:
            for old in list(self._long_texts)[: 1 - LONG_TEXTS]:  # the oldest, so that one place is free
                self._long_texts.pop(old, None)
            self._long_texts[row] = text
        return text

    def image(self, row: int) -> dict[str, Any]:
        """Of a photo: document row, reference, caption."""
        return self._images.slice(row, 1).to_pylist()[0]

    def allowed_documents(self, filters: Mapping[str, Any] | None) -> np.ndarray | None:
        """Which documents pass the filters, bool (documents,), or None where there are no filters.

        Args:
            filters: ``date_before`` and ``date_after`` (both strict, ISO dates; a document without a date passes, one whose
                date cannot be read does not, and one whose date is only known to the month or year must lie before or
                after it as a whole), ``source``, ``language`` and ``document_id`` (a value or a list of them).

        Raises:
            InputError: no mapping, an unknown filter, or a date that cannot be read.
        """
        if filters is not None and not isinstance(filters, Mapping):
            raise InputError(f"filters are {type(filters).__name__}, expected a dict such as {{'language': 'en'}}")
        given = {key: value for key, value in (filters or {}).items() if value is not None}
        if not given:
            return None
        unknown = set(given) - set(FILTERS)
        if unknown:
            raise InputError(f"unknown filter {sorted(unknown)[0]!r}; filters are {', '.join(FILTERS)}")
        allowed = np.ones(self.document_count, bool)
        for key, value in given.items():
            if key.startswith("date_"):
                bounds = date_range(value)
                if bounds is None:
                    raise InputError(f"filter {key}: {value!r} is no date", hint="write it as 2020-12-31")
                column = self._documents["date_last" if key == "date_before" else "date_first"]
                numbers = column.fill_null(0).to_numpy()
                fits = numbers < bounds[0] if key == "date_before" else numbers > bounds[1]
                # A date that is given and cannot be read may be any, the fact check's own included.
                undated = self._documents["date"].is_null().to_numpy().astype(bool)
                allowed &= undated | ((numbers > 0) & fits)
            else:
                column = self._documents["id" if key == "document_id" else key]
                values = pa.array(_strings(key, value), pa.string())
                allowed &= pc.is_in(column, value_set=values).to_numpy().astype(bool)
        return allowed

    def sentences_of(self, documents: np.ndarray) -> np.ndarray:
        """Rows of the sentences of the documents marked in bool (documents,)."""
        return np.flatnonzero(documents[self._document_of])

    def images_of(self, documents: np.ndarray) -> np.ndarray:
        """Rows of the photos of the documents marked in bool (documents,)."""
        return np.flatnonzero(documents[self._image_document])

    def captioned_images(self, rows: np.ndarray | None) -> np.ndarray | None:
        """Those of some photos' rows (None: of all) that have a caption; None where all are meant and all have one."""
        if rows is None:
            return None if self._captioned.all() else np.flatnonzero(self._captioned)
        return rows[self._captioned[rows]]

    @cached_property
    def _captioned(self) -> np.ndarray:
        """Whether each photo has a caption, bool (photos,)."""
        return pc.not_equal(self._images["caption"], "").to_numpy().astype(bool)

    def neighbours(self, row: int, window: int) -> tuple[int, int]:
        """First and last row of the sentences within ``window`` of a sentence in its document."""
        document = self._document_of[row]
        first, last = max(0, row - window), min(self.sentence_count - 1, row + window)
        inside = np.flatnonzero(self._document_of[first : last + 1] == document)
        return first + int(inside[0]), first + int(inside[-1])


def about_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a hit says of its document: the fields that filters use, then its metadata."""
    about = {key: document[key] for key in _ABOUT if document[key] is not None}
    # A corpus whose mapping takes another column for the date may have a column "date" besides.
    return about | {key: value for key, value in document["metadata"].items() if key not in _ABOUT}


def _metadata(text: str | None, row: int) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"the metadata of document {row} are damaged", hint="build the index again")
    return found


def _strings(key: str, value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(item, str) for item in values):
        raise InputError(f"filter {key} is {value!r}, expected a string or a list of strings")
    return values


def mapped_table(path: Path, schema: pa.Schema, full: bool = False) -> pa.Table:
    """The table in an Arrow file, mapped. Its sizes are compared, and with ``full`` every offset and text.

    Arrow trusts what it reads: an offset that points outside its buffer ends the whole process when it is used.

    Raises:
        InputError: the file is missing or damaged, or has other columns.
    """
    damage = (OSError, MemoryError, UnicodeError, pa.ArrowException)
    with as_input_error(f"{path} cannot be read", *damage, hint="build the index again"):
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        if reader.schema != schema:
            raise InputError(f"{path} has other columns than expected", hint="build the index again")
        table = reader.read_all()
        table.validate(full=full)
    return table


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy() if table.num_rows else np.empty(0, np.int64)
