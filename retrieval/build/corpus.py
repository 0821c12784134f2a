"""Corpora to build an index from: JSONL, CSV, TSV, Parquet, BEIR folders, folders of text files."""

import base64
import csv
import datetime
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.build.text_files import TextLines, files_below, read_text_file
from retrieval.errors import InputError
from retrieval.identifiers import whole_number
from retrieval.text.sentences import MAX_CHARS, Sentence, split_sentences

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CORPUS_FORMATS", "Document", "Photo", "detect_format", "documents_of", "read_corpus"]

CORPUS_FORMATS = ("jsonl", "csv", "tsv", "parquet", "beir", "text")

#: Names under which each field is found when no column is named, in order of preference.
_ALIASES = {
    "id": ("id", "_id", "document_id", "doc_id", "docid"),
    "text": ("text", "document", "content", "contents", "body", "article", "sentences", "passage"),
    "title": ("title", "headline"),
    "date": (
        *("date", "published", "publish_date", "published_at", "timestamp"),
        *("publication_date", "date_published", "pub_date", "pubdate", "created_at"),
    ),
    "source": ("source", "publisher", "domain"),
    "language": ("language", "lang"),
    "images": ("images", "image", "photos", "document_image"),
}


#: One field may be this long, in characters; articles exceed the csv module's default of 128 Ki. Beyond this a closing
#: quote is missing.
_MAX_FIELD = 64 * 2**20
#: Lists and objects inside one another in a document's metadata. What writes, stores and prints them calls itself for each.
_MAX_DEPTH = 100
_TOO_DEEP = f"lists and objects are nested too deeply; {_MAX_DEPTH} levels are read, flatten what lies deeper"

#: A row's number (from 1; in JSONL its line's), its values, and where it is garbled, see :class:`Document`.
_Row = tuple[int, dict[str, Any], str | None]


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


def detect_format(path: Path) -> str:
    """The format of a corpus, from its ending or from what a folder holds.

    Raises:
        InputError: there is nothing at ``path``, or its format is unknown.
    """
    if path.is_dir():
        return "beir" if (path / "corpus.jsonl").is_file() else "text"
    if not path.is_file():
        raise InputError(f"corpus {path}: no such file or folder")
    formats = {
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".csv": "csv",
        ".tsv": "tsv",
        ".parquet": "parquet",
        ".txt": "text",
    }
    if path.suffix.lower() not in formats:
        raise InputError(
            f"corpus {path}: unknown ending {path.suffix!r}; name the format, one of {', '.join(CORPUS_FORMATS)}"
        )
    return formats[path.suffix.lower()]


def read_corpus(
    path: str | Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    photos: bool = True,
    skip: Path | None = None,
) -> Iterator[Document]:
    """Read a corpus one document at a time, in a fixed order.

    Args:
        path: file or folder.
        format: one of :data:`CORPUS_FORMATS`; None finds it.
        columns: our field name → the corpus's column; other fields are found under their usual names. Only ``text`` is
            required. Without ``id`` documents are numbered from 0; one without an id among others that have one is
            ``row N``, which no other row is likely to have.
        photos: False leaves them out. No file of theirs is opened in either case, see :meth:`Photo.read`.
        skip: a folder that is no part of a folder of text files, though it may lie inside.

    Raises:
        InputError: no such file, unknown format or column, or a row that cannot be read (with its number).
    """
    path = Path(path)
    if format is not None and format not in CORPUS_FORMATS:
        raise InputError(f"unknown corpus format {format!r}; choose one of {', '.join(CORPUS_FORMATS)}")
    _check_columns(columns)
    found = detect_format(path)
    format = format or found
    if format == "text":
        return _read_texts(path, skip)
    if format == "beir":
        path = path / "corpus.jsonl" if path.is_dir() else path
        if not path.is_file():
            raise InputError(f"BEIR corpus: {path} is missing")
    rows = {"csv": _read_csv, "tsv": _read_csv, "parquet": _read_parquet}.get(format, _read_jsonl)(path)
    return _documents(rows, path, dict(columns or {}), format == "beir", photos)


def documents_of(
    rows: Iterator[_Row], path: Path, columns: Mapping[str, str] | None = None, photos: bool = True
) -> Iterator[Document]:
    """The documents of rows (number, values, where garbled); ``path`` names them in messages, its folder holds their photos.

    Raises:
        InputError: an unknown field in ``columns``, or a row that cannot be read.
    """
    _check_columns(columns)
    return _documents(rows, path, dict(columns or {}), False, photos)


def _check_columns(columns: Mapping[str, str] | None) -> None:
    unknown = set(columns or {}) - set(_ALIASES)
    if unknown:
        raise InputError(
            f"unknown field {sorted(unknown)[0]!r} in the column mapping; fields are {', '.join(_ALIASES)}"
        )


def _documents(
    rows: Iterator[_Row], path: Path, columns: dict[str, str], beir: bool, photos: bool
) -> Iterator[Document]:
    has_ids = False
    for number, row, garbled in rows:
        where = f"{path}, row {number}"
        names = _names(row, columns, where)
        has_ids = has_ids or names["id"] is not None
        value = {key: row[name] if name is not None else None for key, name in names.items()}
        try:
            text, spans = _text(value["text"], where)
            title = _string(value["title"])
            if beir and title:
                # BEIR retrieves title and text as one.
                text, spans = f"{title}\n{text}", None
            used = set(names.values())
            document = Document(
                id=_id(value["id"], number - 1, has_ids),
                text=text,
                spans=spans,
                title=title,
                date=(_string(value["date"]) or "").strip() or None,
                source=_string(value["source"]),
                language=_string(value["language"]),
                photos=tuple(_photos(value["images"], path.parent, where, title, text)) if photos else (),
                metadata=_plain({k: v for k, v in row.items() if k not in used and not _missing(v)}),
                garbled=garbled,
            )
        except RecursionError:
            raise InputError(f"{where}: {_TOO_DEEP}") from None
        yield document


def _names(row: Mapping[str, Any], columns: Mapping[str, str], where: str) -> dict[str, str | None]:
    """Our field name → the row's column, None where it has none."""
    for name in columns.values():
        if name not in row:
            raise InputError(f"{where}: no column {name!r}; found {', '.join(map(str, row))}")
    names = {key: columns.get(key) or next((a for a in aliases if a in row), None) for key, aliases in _ALIASES.items()}
    if names["text"] is None:
        raise InputError(
            f"{where}: no text; found {', '.join(map(str, row)) or 'nothing'}, "
            f"expected one of {', '.join(_ALIASES['text'])} (or name the column)"
        )
    return names


def _id(value: Any, number: int, has_ids: bool) -> str:
    """A document's id; of one without, its number (from 0), which must not be taken for another row's id."""
    found = _string(whole_number(value))
    if found is None or not found.strip():
        return f"row {number}" if has_ids else str(number)
    return found


def _text(value: Any, where: str) -> tuple[str, tuple[tuple[int, int], ...] | None]:
    if _missing(value):
        return "", None
    if isinstance(value, str):
        return value, None
    if isinstance(value, list | tuple) and all(isinstance(v, str) or _missing(v) for v in value):
        sentences = ["" if _missing(v) else v for v in value]
        spans, position = [], 0
        for sentence in sentences:
            spans.append((position, position + len(sentence)))
            position += len(sentence) + 1
        return " ".join(sentences), tuple(spans)
    raise InputError(f"{where}: the text is {type(value).__name__}, expected a string or a list of strings")


def _photos(value: Any, folder: Path, where: str, title: str | None, text: str) -> Iterator[Photo]:
    if _missing(value):
        return
    for item in value if isinstance(value, list | tuple) else [value]:
        if _missing(item):
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


def _missing(value: Any) -> bool:
    return value is None or value == "" or value != value  # NaN is unequal to itself


def _string(value: Any) -> str | None:
    if _missing(value):
        return None
    return _writable(value.isoformat() if isinstance(value, datetime.date) else str(value))


def _writable(text: str) -> str:
    """The text without lone surrogates: broken scrapes have them, and they fit no file."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain(value: Any, depth: int = 0) -> Any:
    """A JSON value: what JSON has no form for becomes a string. RecursionError beyond ``_MAX_DEPTH``, however much stack is left."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        return {_writable(str(key)): _plain(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, depth + 1) for part in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _writable(str(value))


def _read_jsonl(path: Path) -> Iterator[_Row]:
    lines = TextLines(path)
    for number, line in enumerate(lines, 1):
        garbled = f"{path.name}, line {number}" if lines.replaced() else None
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: not JSON ({error})") from None
        except RecursionError:
            raise InputError(f"{path}, line {number}: {_TOO_DEEP}") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object, found {type(row).__name__}")
        yield number, row, garbled


def _read_csv(path: Path) -> Iterator[_Row]:
    # The limit belongs to the whole process; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))
    lines = TextLines(path, newline="")
    delimiter = "\t" if "\t" in next(iter(lines), "") else ","
    lines.replaced()  # that line is read again
    # Strict: a quote that is never closed would swallow the rows after it without a word.
    reader = csv.DictReader(lines, delimiter=delimiter, restkey="", strict=True)
    number, line = 0, 1
    try:
        if reader.fieldnames:  # reads the header
            line = reader.line_num + 1
        header = f"{path.name}, header" if lines.replaced() else None
        for number, row in enumerate(reader, 1):
            if "" in row and isinstance(row[""], list):
                raise InputError(
                    f"{path}, row {number}: more fields than columns; quote fields that hold the separator"
                )
            if None in row.values():
                raise InputError(
                    f"{path}, row {number}: fewer fields than columns; leave fields without a value empty, but keep their separators"
                )
            replaced = f"{path.name}, row {number}" if lines.replaced() else None
            # A garbled header is told once.
            yield number, {key: value for key, value in row.items() if key}, header or replaced
            line, header = reader.line_num + 1, None
    except csv.Error as error:
        raise InputError(f"{path}, row {number + 1} (from line {line}): {_explain(error)}") from None


def _explain(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text or "field larger" in text:
        return "a quoted field is never closed; quote fields that begin with a quote, and double the quotes inside"
    if "expected after" in text:
        return "a quoted field goes on after its closing quote; double the quotes inside it"
    return f"cannot be split into fields ({text})"


def _read_parquet(path: Path) -> Iterator[_Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        # A few rows at a time and no row group as a whole: the rows may hold photos.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=2**20) as file:
            for batch in file.iter_batches(batch_size=64):
                for row in _rows(batch, path, number + 1):
                    number += 1
                    yield number, row, None
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None


def _rows(batch: "pa.RecordBatch", path: Path, first: int) -> list[dict[str, Any]]:
    """The rows of a batch; ``first`` is the number of its first one, from 1."""
    try:
        return batch.to_pylist()
    except (ValueError, OverflowError):  # text that is no UTF-8, a date beyond the year 9999: find it, to name it
        for number in range(batch.num_rows):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                try:
                    column[number].as_py()
                except (ValueError, OverflowError) as error:
                    raise InputError(
                        f"{path}, row {first + number}: column {name!r} cannot be read ({error}); "
                        "correct the value, or leave the column out"
                    ) from None
        raise


def _read_texts(path: Path, skip: Path | None) -> Iterator[Document]:
    """One document a file, in order of their names; the id is the path inside the folder."""
    files = [path] if path.is_file() else [p for p in files_below(path, skip) if p.suffix.lower() in (".txt", ".md")]
    if not files:
        raise InputError(f"corpus {path}: the folder holds neither corpus.jsonl (BEIR) nor .txt or .md files")
    root = path.parent if path.is_file() else path
    for file in files:
        text, decoded = read_text_file(file)
        name = _writable(file.relative_to(root).as_posix())
        yield Document(id=name, text=text, garbled=None if decoded else name)
