"""Validating rows and building the canonical claims table of :func:`factcheck.records.claims_schema`."""

import ast
import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
from operator import is_not
from typing import Any

import numpy as np
import pyarrow as pa

from factcheck.data.columns import CLAIM_COLUMNS
from factcheck.errors import InputError
from factcheck.labels import STANCE_LABELS, FactifyLabel, Stance, parse_label
from factcheck.records import claims_schema
from retrieval.tables.rows import whole_number
from retrieval.text.dates import date_range, day_month_order

__all__ = [
    "MISSING_WORDS",
    "Parsing",
    "RawRows",
    "canonical_table",
    "image_array",
    "is_missing_word",
    "kind_of",
    "whole_characters",
]

_SCHEMA = claims_schema()
_SPANS = _SCHEMA.field("document_spans").type
# Below the 2 GiB that one Arrow array of 32-bit offsets can hold.
_CHUNK_BYTES = 2**30
#: What exports write where a text is missing. No claim and no document consists of such a word alone.
MISSING_WORDS = frozenset({"none", "null", "n/a", "na", "nan", "-"})
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class RawRows:
    """Consecutive rows as a file holds them, not yet checked.

    Attributes:
        first: number of the first row in its file, from 0.
        length: how many rows.
        columns: canonical name to one value a row (Python values, or an Arrow array of the canonical type for images
            and for ``document_spans``).
        errors: rows (counted from ``first``) that could not be read at all, and why.
        faults: canonical name to the values of that column that could not be read, by row.
        lines: the line of the file where each row begins, from 1, where the format has lines.
    """

    first: int
    length: int
    columns: Mapping[str, Any]
    errors: Mapping[int, str] = field(default_factory=dict)
    faults: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    lines: Sequence[int] | None = None


class _Problems:
    """What is wrong, by row: ``(column, message)`` pairs in the order of the columns."""

    def __init__(self) -> None:
        self.rows: dict[int, list[tuple[str, str]]] = {}
        #: What was passed over without being wrong; it raises nothing.
        self.notes: dict[int, list[str]] = {}

    def add(self, row: int, column: str, message: str) -> None:
        self.rows.setdefault(row, []).append((column, message))


@dataclass(frozen=True)
class Parsing:
    """What the user or the whole table says about single cells.

    Attributes:
        labels: further names of labels, see :func:`factcheck.labels.parse_label`.
        date_order: gives the order of day and month in dates that can be read in two ways, or None; asked only for those.
    """

    labels: Mapping[str, FactifyLabel | Stance] = field(default_factory=dict)
    date_order: Callable[[], str | None] = lambda: None

    def label(self, value: Any) -> str | None:
        """The canonical name of a label.

        Raises:
            InputError: it is none.
        """
        if not isinstance(value, str):
            raise InputError(f"expected the name of a class, found {kind_of(value)}")
        if value.isspace():
            return None
        label = parse_label(value, self.labels)
        return STANCE_LABELS[label] if isinstance(label, Stance) else label.value

    def date(self, value: Any) -> str | None:
        """A date as it was written, or in ISO 8601 where that had day or month first.

        Raises:
            InputError: it cannot be read.
        """
        if isinstance(value, date) and value == value:  # a datetime is one too
            return value.isoformat()
        if not isinstance(value, str):
            raise InputError(f"expected a date such as 2024-05-31, found {kind_of(value)}")
        text = value.strip()
        if not text:
            return None
        written = day_month_order(text)
        order = self.date_order() if written == "either" else written
        days = date_range(text, order)  # as evidence is filtered by it
        if days is None and written == "either":
            raise InputError(
                f"day and month can be either way round ({_short(text)}), and other dates do not tell",
                hint="`date_order` does",
            )
        if days is None:
            raise InputError(f"not a date such as 2024-05-31, 31.5.2024 or May 31, 2024 ({_short(text)})")
        return text if written is None else f"{days[0] // 10000:04}-{days[0] // 100 % 100:02}-{days[0] % 100:02}"


def canonical_table(
    rows: RawRows, *, where: str, on_error: str, names: Mapping[str, str], parsing: Parsing | None = None
) -> pa.Table:
    """Check ``rows`` and return them with the schema of :func:`factcheck.records.claims_schema`, in order.

    Args:
        rows: what was read.
        where: the table, as messages name it.
        on_error: ``fail`` raises at the first bad row; ``mark`` gives it a reason and the status ``error``, or ``degraded``
            where only an image is bad; a label that is none costs no status (what needs one must look for it).
        names: canonical name to the table's own column name. Where it has no ``id``, rows are numbered.
        parsing: how labels and dates are read.

    Raises:
        InputError: a row is bad and ``on_error`` is ``fail``. Names the table, row, line, column and fault.
    """
    parsing = parsing or Parsing()
    problems = _Problems()
    for row, message in rows.errors.items():
        problems.add(row, "", message)
    for name, faults in rows.faults.items():
        for row, message in faults.items():
            problems.add(row, name, message)
    columns = {name: rows.columns.get(name) for name in (*CLAIM_COLUMNS, "document_spans")}
    empty = [None] * rows.length
    arrays: dict[str, Any] = {"id": _ids(columns["id"] or empty, rows.first, "id" in names, problems)}
    arrays["claim"] = _texts("claim", columns["claim"] or empty, problems)
    if None in arrays["claim"]:
        for row, claim in enumerate(arrays["claim"]):
            if claim is None and row not in problems.rows:
                problems.add(row, "claim", "empty")
    arrays["document"], arrays["document_spans"] = _documents(
        columns["document"] or empty, columns["document_spans"], problems
    )
    for name in ("claim_image", "document_image"):
        values = columns[name]
        arrays[name] = (
            values if isinstance(values, pa.Array | pa.ChunkedArray) else _images(name, values or empty, problems)
        )
    for name in ("claim_ocr", "document_ocr"):
        arrays[name] = _texts(name, columns[name] or empty, problems)
    arrays["label"] = _parsed("label", columns["label"] or empty, parsing.label, problems)
    arrays["date"] = _parsed("date", columns["date"] or empty, parsing.date, problems)
    for name, values in arrays.items():
        if isinstance(values, list):
            arrays[name] = _string_array(name, values, problems)
    if problems.rows and on_error == "fail":
        is_label = problems.rows[min(problems.rows)][0][0] == "label"
        say = "say with `labels` what it counts as (as in half-true=insufficient), " if is_label else ""
        raise InputError(
            _message(rows, problems, where, names),
            field="on_error",
            hint=f"correct the row, {say}or mark bad rows and go on (`on_error` mark)",
        )
    arrays["status"], arrays["reasons"] = _statuses(rows, problems, arrays["document"])
    return pa.Table.from_arrays([arrays[name] for name in _SCHEMA.names], schema=_SCHEMA)


def image_array(data: Sequence[bytes | None], paths: Sequence[str | None]) -> pa.ChunkedArray:
    """Images as the canonical ``{bytes, path}`` structs; null where both are None."""
    kind = _SCHEMA.field("claim_image").type
    chunks, start, size = [], 0, 0
    if all(content is None for content in data):
        texts = pa.array(paths, pa.string())
        part = [pa.nulls(len(data), pa.binary()), texts]
        return pa.chunked_array([pa.StructArray.from_arrays(part, fields=list(kind), mask=texts.is_null())], kind)
    for end in range(1, len(data) + 1):
        size += len(data[end - 1] or b"")
        if end == len(data) or size + len(data[end] or b"") > _CHUNK_BYTES:
            part = [pa.array(data[start:end], pa.binary()), pa.array(paths[start:end], pa.string())]
            absent = [d is None and p is None for d, p in zip(data[start:end], paths[start:end], strict=True)]
            chunks.append(pa.StructArray.from_arrays(part, fields=list(kind), mask=pa.array(absent, pa.bool_())))
            start, size = end, 0
    return pa.chunked_array(chunks, kind)


def names_pairs(table: pa.Table) -> list[bool]:
    """Whether each row of a canonical table names an image on both sides."""
    both = zip(table["claim_image"].is_valid().to_pylist(), table["document_image"].is_valid().to_pylist(), strict=True)
    return [claim and document for claim, document in both]


def is_missing_word(text: str) -> bool:
    """Whether a whole text is a word that stands for a missing one (``None``, ``null``, ``N/A``, ``NA``, ``nan``, ``-``), in any case."""
    return len(text) < 16 and text.strip().casefold() in MISSING_WORDS


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _holds_nothing(values: Sequence[Any]) -> bool:
    return not any(map(is_not, values, repeat(None)))


def _texts(name: str, values: Sequence[Any], problems: _Problems) -> list[str | None]:
    texts: list[str | None] = []
    if _holds_nothing(values):
        return [None] * len(values)
    for row, value in enumerate(values):
        if isinstance(value, str):
            texts.append(None if not value or value.isspace() else value)
        else:
            texts.append(None)
            if not _absent(value):
                problems.add(row, name, f"expected text, found {kind_of(value)}")
    return texts


def _ids(values: Sequence[Any], first: int, named: bool, problems: _Problems) -> list[str]:
    # A bare number might be another row's id, where the table has a column of ids.
    number = "row {}" if named else "{}"
    ids = []
    for row, value in enumerate(map(whole_number, values)):
        if isinstance(value, str) and value.strip():
            ids.append(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            ids.append(str(value))
        else:
            ids.append(number.format(first + row))
            if not _absent(value) and not isinstance(value, str):
                problems.add(row, "id", f"expected text or a whole number, found {kind_of(value)}")
    return ids


def _documents(values: Sequence[Any], spans: Any, problems: _Problems) -> tuple[list[str | None], Any]:
    """Documents as text, and the character spans of those given as lists of sentences (joined by one space)."""
    texts: list[str | None] = []
    offsets: list[int | None] = []
    starts: list[int] = []
    ends: list[int] = []
    # A text with spans was a list of sentences, which says itself what it holds.
    listed = [False] * len(values) if spans is None else spans.is_valid().to_pylist()
    for row, value in enumerate(values):
        offsets.append(None)
        if isinstance(value, list | tuple | np.ndarray):
            wrong = next((i for i, sentence in enumerate(value) if not isinstance(sentence, str)), None)
            if wrong is not None:
                problems.add(row, "document", f"sentence {wrong}: expected text, found {kind_of(value[wrong])}")
                texts.append(None)
                continue
            offsets[-1] = len(starts)
            position = 0
            for sentence in value:
                starts.append(position)
                ends.append(position + len(sentence))
                position += len(sentence) + 1
            texts.append(" ".join(value))
        elif isinstance(value, str):
            missing = not value or value.isspace() or (is_missing_word(value) and not listed[row])
            texts.append(None if missing else value)
        else:
            texts.append(None)
            if not _absent(value):
                problems.add(row, "document", f"expected text or a list of sentences, found {kind_of(value)}")
    if spans is not None:
        _check_spans(texts, spans, problems)
        return texts, spans
    pieces = pa.StructArray.from_arrays(
        [pa.array(starts, pa.int32()), pa.array(ends, pa.int32())], fields=list(_SPANS.value_type)
    )
    offsets.append(len(starts))
    return texts, pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pieces, type=_SPANS)


def _check_spans(texts: Sequence[str | None], spans: Any, problems: _Problems) -> None:
    for row, (text, row_spans) in enumerate(zip(texts, spans.to_pylist(), strict=True)):
        for span in row_spans or ():
            start, end = (span or {}).get("start"), (span or {}).get("end")
            if start is None or end is None or not 0 <= start <= end <= len(text or ""):
                problems.add(
                    row,
                    "document_spans",
                    f"span {start}–{end} lies outside the document's {len(text or '')} characters",
                )
                break


def _images(name: str, values: Sequence[Any], problems: _Problems) -> pa.ChunkedArray:
    if _holds_nothing(values):  # a table without images, as most are
        return pa.chunked_array([pa.nulls(len(values), _SCHEMA.field("claim_image").type)])
    data: list[bytes | None] = []
    paths: list[str | None] = []
    for row, value in enumerate(values):
        if value is None:
            data.append(None)
            paths.append(None)
            continue
        content, path = None, None
        if isinstance(value, str) and (text := value.strip())[:1] != "[":  # a path, as nearly all are
            data.append(None)
            paths.append(_encodable(None if is_missing_word(text) else text))
            continue
        try:
            found = [_image(item) for item in _listed(value)]
        except InputError as error:
            problems.add(row, name, str(error))
            found = []
        held = [image for image in found if image != (None, None)]
        if held:
            # An address is not fetched: a file or bytes beside it can be used.
            content, path = next((image for image in held if not _is_address(image[1])), held[0])
        if len(held) > 1:
            problems.notes.setdefault(row, []).append(f"{name}: one of {len(held)} images is used")
        data.append(content)
        paths.append(_encodable(path))
    return image_array(data, paths)


def _encodable(path: str | None) -> str | None:
    """A path with a question mark for each half of a surrogate pair; None for an empty one."""
    return (path if not path or path.isascii() else path.encode("utf-8", "replace").decode()) or None


def _listed(value: Any) -> Sequence[Any]:
    """The images that a cell names: a list, one written as text (``["a.jpg"]``, as data frames write it into CSV), or the one."""
    if isinstance(value, str) and value.lstrip()[:1] == "[" and value.rstrip()[-1:] == "]":
        for read in (json.loads, ast.literal_eval):
            with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                value = read(value.strip())
                break
    return list(value) if isinstance(value, list | tuple | np.ndarray) else [value]


def _image(value: Any) -> tuple[bytes | None, str | None]:
    """Bytes and path of an image as a cell may hold it, both None where it says that there is none."""
    if isinstance(value, dict) and value.keys() <= {"bytes", "path"}:
        content, path = value.get("bytes"), value.get("path")
        if not isinstance(content, bytes | None) or not isinstance(path, str | None):
            raise InputError("expected {bytes, path} with bytes and text")
    elif isinstance(value, bytes):
        content, path = value, None
    elif isinstance(value, str) or _absent(value):
        content, path = None, None if _absent(value) else value
    else:
        raise InputError(f"expected a path, bytes, {{bytes, path}} or a list of them, found {kind_of(value)}")
    path = None if path is None or is_missing_word(path) else path.strip()
    return content, path or None


def _is_address(path: str | None) -> bool:
    return path is not None and "://" in path


def _parsed(name: str, values: Sequence[Any], parse: Any, problems: _Problems) -> list[str | None]:
    parsed: list[str | None] = []
    if _holds_nothing(values):
        return [None] * len(values)
    known: dict[str, str | None] = {"": None}  # a column has few labels, and dates that come again
    for row, value in enumerate(values):
        if isinstance(value, str) and value in known:
            parsed.append(known[value])
            continue
        parsed.append(None)
        if not _absent(value):
            try:
                parsed[-1] = parse(value)
                if isinstance(value, str):
                    known[value] = parsed[-1]
            except ValueError as error:  # without a hint: what there is to do about it depends on who reads the cell
                problems.add(row, name, error.message if isinstance(error, InputError) else str(error))
    return parsed


def whole_characters(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which no UTF-8 holds."""
    return _SURROGATE.sub("\ufffd", text)


def _string_array(name: str, values: list[str | None], problems: _Problems) -> Any:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half a surrogate pair, which JSON's \\uXXXX can spell
        for row, value in enumerate(values):
            if value is None:
                continue
            try:
                value.encode()
            except UnicodeEncodeError as error:
                problems.add(row, name, f"half of a surrogate pair at character {error.start} is not valid Unicode")
                # One character for one, so that spans still fit.
                values[row] = whole_characters(value)
        return pa.array(values, pa.string())


def _statuses(rows: RawRows, problems: _Problems, documents: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Status and reasons of each row; those of a table that was canonical before are kept.

    A row can be judged without its label and its images, and without its date if it brings its own document.
    """
    status = ["ok" if value is None else value for value in rows.columns.get("status") or [None] * rows.length]
    reasons: list[list[str]] = [list(told or ()) for told in rows.columns.get("reasons") or [()] * rows.length]
    for row, faults in problems.rows.items():
        line = f"line {rows.lines[row]}: " if rows.lines is not None else ""
        texts = [f"{column}: {message}" if column else line + message for column, message in faults]
        # A canonical table is checked again, and an empty claim found again.
        reasons[row] += [text for text in texts if text not in reasons[row]]
        spared = {"label", "claim_image", "document_image", *(("date",) if documents[row].is_valid else ())}
        columns = {column for column, _ in faults}
        if columns == {"label"}:
            continue  # no verdict rests on its gold label
        status[row] = "degraded" if columns <= spared and status[row] != "error" else "error"
    for row, notes in problems.notes.items():
        reasons[row] += [note for note in notes if note not in reasons[row]]
        status[row] = "error" if status[row] == "error" else "degraded"
    return pa.array(status, pa.string()), pa.array(reasons, pa.list_(pa.string()))


def _message(rows: RawRows, problems: _Problems, where: str, names: Mapping[str, str]) -> str:
    row = min(problems.rows)
    column, message = problems.rows[row][0]
    at = f"{where}, row {rows.first + row}"
    if rows.lines is not None:
        at += f" (line {rows.lines[row]})"
    if column:
        own = names.get(column, column)
        at += f", column {column!r}" if own == column else f", column {own!r} ({column})"
    more = f" ({len(problems.rows) - 1} more bad rows close by)" if len(problems.rows) > 1 else ""
    return f"{at}: {message}{more}"


def kind_of(value: Any) -> str:
    """What a value of the wrong kind is, in words for a message, and its beginning."""
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        dict: "an object",
        list: "a list",
        bytes: "bytes",
    }
    return f"{names.get(type(value), type(value).__name__)} ({_short(value)})"


def _short(value: Any) -> str:
    text = repr(value if not isinstance(value, str | bytes) else value[:60])
    return text if len(text) <= 60 else text[:59] + "…"
