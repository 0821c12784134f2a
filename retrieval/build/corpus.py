"""Corpora to build an index from: tables of any format, BEIR folders and archives, folders of tables or of texts."""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from retrieval.arguments import checked_choice
from retrieval.build.documents import FIELDS, Document, DocumentMaker, Photo, column_of, writable
from retrieval.build.text_files import files_below, read_text_file
from retrieval.errors import InputError
from retrieval.tables import TABLE_FORMATS, Content, Table, TableOptions, open_table
from retrieval.tables.formats import SUFFIXES, format_of
from retrieval.text.dates import DATE_ORDERS, order_of_column

__all__ = [
    "CORPUS_FORMATS",
    "CorpusFormat",
    "Document",
    "Photo",
    "as_paths",
    "beir_file",
    "detect_format",
    "documents_of",
    "read_corpus",
]

CORPUS_FORMATS = (*TABLE_FORMATS, "beir", "text")
_CORPUS = "corpus.jsonl"
_TEXTS = (".txt", ".md")
_ROWS_READ = 256
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class CorpusFormat:
    """How a corpus is written, as far as it does not say so itself.

    Attributes:
        columns: our field name to the corpus's column; other fields are found under their usual names.
        format: one of :data:`CORPUS_FORMATS`; None to tell by the path and what is there.
        quoting, header, delimiter: of delimited files, see :class:`retrieval.tables.TableOptions`.
        date_order: of dates in numbers with the year last: ``dmy``, ``mdy``, ``ymd`` (there are none), or ``auto``, which the whole
            column decides.

    Raises:
        InputError: an option has a value that it cannot have.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    quoting: str = "auto"
    header: str = "first"
    date_order: str = "auto"
    delimiter: str = "auto"
    table_options: TableOptions = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.format is not None:
            checked_choice("format", self.format, CORPUS_FORMATS)
        checked_choice("date_order", self.date_order, DATE_ORDERS)
        unknown = set(self.columns) - set(FIELDS)
        if unknown:
            raise InputError(
                f"unknown field {sorted(unknown)[0]!r} in the column mapping; fields are {', '.join(FIELDS)}",
                field="columns",
            )
        named = {"beir": "jsonl", "text": None}.get(self.format or "", self.format)
        object.__setattr__(self, "table_options", TableOptions(named, self.quoting, self.header, self.delimiter))


class _Part(NamedTuple):
    """A file of a corpus, or a table that is open: of the kind ``table``, ``beir`` or ``text``; its name in messages and as an id."""

    content: Content | Table
    kind: str
    name: str
    folder: Path


def as_paths(corpus: Any) -> list[Path] | None:
    """The files and folders of a corpus, which may be given as one or as several; None if it is something else."""
    if isinstance(corpus, str | os.PathLike):
        return [Path(corpus)]
    several = isinstance(corpus, list | tuple) and len(corpus) > 0
    return (
        [Path(path) for path in corpus] if several and all(isinstance(p, str | os.PathLike) for p in corpus) else None
    )


def detect_format(path: Path, format: str | None = None) -> str:
    """What a corpus is: ``beir``, ``text``, or ``table`` (one, or a folder of them).

    Raises:
        InputError: there is nothing at ``path``, or its format is unknown.
    """
    return _parts(path, format, None)[0].kind


def beir_file(path: Path, name: str) -> Content:
    """A file of a BEIR data set, which is a folder or a zip archive of one: ``queries.jsonl``, ``qrels/test.tsv``.

    Raises:
        InputError: it is not there.
    """
    if path.is_dir():
        if (path / name).is_file():
            return Content(path / name)
    elif _is_zip(path):
        found = [member for member in _members(path) if f"/{member}".endswith(f"/{name}")]
        if found:
            return Content(path, min(found, key=len))
    raise InputError(f"{path}: no {name} in it; a BEIR data set has {_CORPUS}, queries.jsonl and qrels/test.tsv")


def read_corpus(
    path: str | Path | Sequence[str | Path],
    *,
    format: str | CorpusFormat | None = None,
    columns: Mapping[str, str] | None = None,
    photos: bool = True,
    skip: Path | None = None,
) -> Iterator[Document]:
    """Read a corpus one document at a time, in a fixed order.

    Args:
        path: a file, a zip archive or a folder, or several of them: a table, a BEIR data set, a folder of tables (shards), a text or
            a folder of texts.
        format: one of :data:`CORPUS_FORMATS`, which wins over endings; None finds it; or a :class:`CorpusFormat`, which says more.
        columns: our field name to the corpus's column; other fields are found under their usual names. Only ``text`` is
            required. Without ``id`` documents are numbered from 0; one without an id among others that have one is
            ``row N``, which no other row is likely to have.
        photos: False leaves them out. No file of theirs is opened in either case, see :meth:`Photo.read`.
        skip: a folder that is no part of a corpus, though it may lie inside.

    Raises:
        InputError: no such file, unknown format or column, or a row that cannot be read (with its number).
    """
    how = format if isinstance(format, CorpusFormat) else CorpusFormat(dict(columns or {}), format)
    paths = as_paths(path)
    if paths is None:
        raise InputError(f"`corpus` is {type(path).__name__}, expected a path or a list of paths", field="corpus")
    parts = [part for path in paths for part in _parts(path, how.format, skip)]
    return _Corpus(parts, how, photos).documents()


def documents_of(table: Table, how: CorpusFormat, photos: bool) -> Iterator[Document]:
    """The documents of one table; images are relative to the working folder.

    Raises:
        InputError: a row that cannot be read.
    """
    return _Corpus([_Part(table, "table", table.where, Path())], how, photos).documents()


class _Corpus:
    """The documents of all files of a corpus, numbered through."""

    def __init__(self, parts: list[_Part], how: CorpusFormat, photos: bool) -> None:
        self._parts, self._how, self._photos = parts, how, photos
        self._order: str | None = None if how.date_order == "auto" else how.date_order
        self._knows_order = how.date_order != "auto"

    def documents(self) -> Iterator[Document]:
        first, has_ids = 0, False
        for part in self._parts:
            if part.kind == "text" and isinstance(part.content, Content):
                text, decoded = read_text_file(part.content.path)
                name = writable(part.name)
                yield Document(id=name, text=text, garbled=None if decoded else name)
                continue
            table = self._open(part)
            maker = DocumentMaker(
                table.where,
                PurePosixPath(part.name).name,
                part.folder,
                self._how.columns,
                joins_titles=part.kind == "beir",
                photos=self._photos,
                date_order=self._date_order,
            )
            maker.has_ids = has_ids
            garbled = f"{maker.name}, header" if table.header_fault is not None else None
            number = -1
            for row in table.rows():
                number = row.number
                document = maker.make(row, first)
                if document is not None:
                    # A garbled header is told once.
                    yield document if garbled is None else replace(document, garbled=garbled)
                    garbled = None
            first, has_ids = first + number + 1, maker.has_ids

    def _open(self, part: _Part) -> Table:
        if isinstance(part.content, Table):
            return part.content

        def recognised(names: Sequence[str]) -> int:
            known = [column_of(tuple(names), field, self._how.columns) in names for field in FIELDS]
            return sum(known) if known[list(FIELDS).index("text")] else 0

        return open_table(part.content, self._how.table_options, recognised)

    def _date_order(self) -> str | None:
        """The order of day and month in the dates of the corpus, by all of them; asked for where one can mean two days."""
        if not self._knows_order:
            self._order = order_of_column(self._dates())
            self._knows_order = True
        return self._order

    def _dates(self) -> Iterator[object]:
        for part in self._parts:
            if part.kind != "text":
                for row in self._open(part).rows():
                    name = column_of(tuple(row.values), "date", self._how.columns)
                    yield row.values.get(name) if name is not None else None


def _parts(path: Path, format: str | None, skip: Path | None) -> list[_Part]:
    """The files of a corpus, at least one.

    Raises:
        InputError: there is nothing at ``path``, or nothing that could be read.
    """
    if path.is_dir():
        return _parts_of_folder(path, format, skip)
    if not path.is_file():
        raise InputError(f"corpus {path}: no such file or folder")
    if _is_zip(path) and format != "xlsx" and Content(path).suffix != ".xlsx":
        return _parts_of_archive(path, format)
    if format == "text" or (format is None and Content(path).suffix in _TEXTS):
        return [_Part(Content(path), "text", path.name, path.parent)]
    if format is None and Content(path).suffix not in SUFFIXES and format_of(Content(path)) is None:
        raise InputError(
            f"corpus {path}: unknown ending {path.suffix!r}",
            field="format",
            hint=f"give `format`, one of {', '.join(CORPUS_FORMATS)}",
        )
    return [_Part(Content(path), "beir" if format == "beir" else "table", path.name, path.parent)]


def _parts_of_folder(folder: Path, format: str | None, skip: Path | None) -> list[_Part]:
    if format in (None, "beir"):
        for name in (_CORPUS, f"{_CORPUS}.gz", f"{_CORPUS}.zst"):
            if (folder / name).is_file():
                return [_Part(Content(folder / name), "beir", name, folder)]
        if format == "beir":
            raise InputError(f"BEIR corpus: {folder / _CORPUS} is missing")
    files = files_below(folder, skip)
    if format in (None, "text"):
        texts = [
            _Part(Content(p), "text", p.relative_to(folder).as_posix(), folder)
            for p in files
            if p.suffix.lower() in _TEXTS
        ]
        if texts:
            return texts
    tables = [path for path in files if _is_shard(Content(path), format)]
    if format == "text" or not tables:
        raise InputError(
            f"corpus {folder}: the folder holds neither {_CORPUS} (BEIR) nor .txt or .md files nor tables ({', '.join(SUFFIXES)})"
        )
    return [
        _Part(Content(path), "table", path.name, path.parent)
        for path in sorted(tables, key=lambda p: _natural(p.as_posix()))
    ]


def _parts_of_archive(path: Path, format: str | None) -> list[_Part]:
    members = _members(path)
    corpora = [name for name in members if PurePosixPath(name).name == _CORPUS]
    if corpora and format in (None, "beir"):
        return [_Part(Content(path, name), "beir", name, path.parent) for name in corpora]
    tables = [name for name in members if _is_shard(Content(path, name), format)]
    if not tables:
        raise InputError(
            f"corpus {path}: the archive holds neither {_CORPUS} (BEIR) nor tables ({', '.join(SUFFIXES)})"
        )
    return [_Part(Content(path, name), "table", name, path.parent) for name in sorted(tables, key=_natural)]


def _is_shard(content: Content, format: str | None) -> bool:
    """Whether a file is one of the tables that a folder or an archive is made of."""
    kind = SUFFIXES.get(content.suffix)
    if content.name.startswith((".", "_")) or kind is None or content.suffix == ".txt":
        return False
    return format in (None, "beir", kind) or (kind, format) in (
        *(("delimited", "csv"), ("delimited", "tsv")),
        *(("jsonl", "json"), ("jsonl", "jsonl")),
    )


def _natural(name: str) -> list[str | tuple[int, str]]:
    """A key that sorts wiki-2 before wiki-10."""
    return [(int(part), part) if part.isdecimal() else part for part in _NUMBER.split(name)]


def _is_zip(path: Path) -> bool:
    return path.is_file() and zipfile.is_zipfile(path)


def _members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [info.filename for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
