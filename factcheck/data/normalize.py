"""Any Arrow table of claims as a canonical one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from factcheck.data.canonical import MISSING_WORDS, RawRows, canonical_table, is_missing_word
from factcheck.data.columns import CLAIM_COLUMNS, resolve_columns
from factcheck.records import claims_schema
from retrieval.arguments import checked_choice
from retrieval.tables.arrow import ArrowBatch
from retrieval.tables.rows import RowBatch
from retrieval.text.dates import date_range

__all__ = ["normalize_claims", "raw_rows"]

_SCHEMA = claims_schema()
_IMAGE = _SCHEMA.field("claim_image").type
_SPANS = _SCHEMA.field("document_spans").type
_BINARY = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
#: What a column of text may be, with pandas on the way too; null if it holds none.
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
#: What programs write into delimited files where a value is missing.
_NULLS = frozenset({"", "nan", "NaN", "NAN"})
_STATUSES = {"ok", "degraded", "error"}


def normalize_claims(
    table: pa.Table, *, columns: Mapping[str, str] | None = None, on_error: str = "mark", where: str = "claims table"
) -> pa.Table:
    """``table`` with the schema of :func:`factcheck.records.claims_schema`: same rows, same order.

    Only a claim column is required. ``document`` may be text or a list of sentences; images may be binary, structs
    ``{bytes, path}``, or text (a path). Column names are recognised as in :func:`factcheck.data.open_claims`. A table
    that is canonical already comes back equal.

    Args:
        table: what the user has.
        columns: canonical name to column name.
        on_error: ``mark`` (bad rows get the status ``error`` and a reason) or ``fail`` (the first one raises).
        where: the table, as messages name it.

    Raises:
        InputError: no column holds the claim, ``columns`` names one that is not there, or a row is bad under ``fail``.
    """
    checked_choice("on_error", on_error, ("mark", "fail"))
    if table.schema.equals(_SCHEMA) and columns is None and on_error == "mark" and _is_checked(table):
        return table
    names = resolve_columns(table.column_names, columns, where=where)
    return canonical_table(raw_rows(ArrowBatch(0, table), names), where=where, on_error=on_error, names=names)


def raw_rows(batch: RowBatch, names: Mapping[str, str], *, is_text: bool = False) -> RawRows:
    """The columns of a batch as validation takes them: images stay in Arrow, the rest are Python values.

    Args:
        batch: rows of any format.
        names: canonical name to the table's own column name.
        is_text: every cell is text, as in a delimited file: what is missing can only be written as an empty text or as a word.
    """
    columns: dict[str, Any] = {}
    faults: dict[str, Mapping[int, str]] = {}
    for canonical, name in names.items():
        array = batch.array(name) if canonical in ("claim_image", "document_image") else None
        if array is not None and (images := _images(array)) is not None:
            columns[canonical] = images
            continue
        values, unreadable = batch.column(name)
        if unreadable:
            faults[canonical] = unreadable
        columns[canonical] = _without_nulls(canonical, values) if is_text else values
    errors = {row: fault.text for row, fault in batch.faults.items()}
    if isinstance(batch, ArrowBatch):
        _add_what_arrow_has(columns, batch.table, names)
    return RawRows(batch.first, len(batch), columns, errors, faults, batch.lines)


def _add_what_arrow_has(columns: dict[str, Any], table: pa.Table, names: Mapping[str, str]) -> None:
    """Names of classes, and what a table that was canonical before says of its rows."""
    label = names.get("label")
    if label is not None and pa.types.is_integer(table.schema.field(label).type):
        columns["label"] = _class_names(table.schema, label, columns["label"])
    if _was_canonical(table, names):
        columns["status"], columns["reasons"] = _known_statuses(table)
    if "document_spans" in table.column_names and (spans := _spans(table.column("document_spans"))) is not None:
        columns["document_spans"] = spans


def _without_nulls(canonical: str, cells: Sequence[str | None]) -> list[str | None]:
    """The cells of a text file, None for those that say so."""
    found = [None if cell is None or (len(cell) < 4 and cell in _NULLS) else cell for cell in cells]
    if canonical == "claim":  # a missing claim can only be written as a word; ``canonical_table`` looks at documents
        return [None if cell is None or is_missing_word(cell) else cell for cell in found]
    return found


def _was_canonical(table: pa.Table, names: Mapping[str, str]) -> bool:
    """Whether a table has every column of a canonical one: then ``status`` and ``reasons`` are ours, else somebody's own."""
    if not {"status", "reasons", "document_spans"} <= set(table.column_names):
        return False
    status, reasons = (table.schema.field(name).type for name in ("status", "reasons"))
    texts = _is_text(status) and (pa.types.is_null(reasons) or (_is_list(reasons) and _is_text(reasons.value_type)))
    return texts and all(names.get(name) == name for name in CLAIM_COLUMNS)


def _spans(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Spans with the canonical type, as which they do not come back from pandas; None if they are something else."""
    try:
        return column.cast(_SPANS)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return None


def _is_text(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _TEXT)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _known_statuses(table: pa.Table) -> tuple[list[str | None], list[list[str] | None]]:
    """Status and reasons of each row, None where the status is none that this package gives."""
    pairs = list(zip(*(table.column(name).to_pylist() for name in ("status", "reasons")), strict=True))
    return [s if s in _STATUSES else None for s, _ in pairs], [r if s in _STATUSES else None for s, r in pairs]


def _is_checked(table: pa.Table) -> bool:
    """Whether every row has an id, a status, a claim unless its status is ``error``, and a date and spans that can be read."""
    status = table.column("status")
    known = pc.all(pc.is_in(status, pa.array(["ok", "degraded", "error"]))).as_py()
    claimed = pc.all(pc.or_(pc.is_valid(table.column("claim")), pc.equal(status, "error"))).as_py()
    return (
        table.column("id").null_count == 0
        and status.null_count == 0
        and table.column("reasons").null_count == 0
        and known is not False
        and claimed is not False
        and all(date is None or date_range(date) is not None for date in table.column("date").unique().to_pylist())
        and _spans_fit(table)
    )


def _spans_fit(table: pa.Table) -> bool:
    """Whether all spans lie within their documents."""
    for batch in table.select(["document", "document_spans"]).to_batches():
        spans = batch.column("document_spans")
        flat = spans.flatten()
        if not len(flat):
            continue
        starts, ends = flat.field("start"), flat.field("end")
        length = pc.take(pc.coalesce(pc.utf8_length(batch.column("document")), 0), pc.list_parent_indices(spans))
        if flat.null_count or starts.null_count or ends.null_count:
            return False
        inside = pc.and_(pc.greater_equal(starts, 0), pc.and_(pc.less_equal(starts, ends), pc.less_equal(ends, length)))
        if not pc.all(inside).as_py():
            return False
    return True


def _images(column: pa.ChunkedArray) -> Any:
    """Canonical image structs, without copying photos through Python; None where the type or a value does not allow that."""
    kind = column.type
    if pa.types.is_struct(kind):
        names = {kind.field(i).name for i in range(kind.num_fields)}
        if not names <= {"bytes", "path"} or not names:
            return None
        parts = {name: pc.struct_field(column, name) for name in names}
    elif any(is_kind(kind) for is_kind in _BINARY):
        parts = {"bytes": column}
    else:
        return None
    try:
        return _structs(parts, len(column))
    except pa.ArrowException:  # more than an array of 32-bit offsets can hold; a path that is no text
        return None


def _structs(parts: Mapping[str, pa.ChunkedArray], length: int) -> pa.Array:
    data = parts["bytes"].cast(pa.binary()) if "bytes" in parts else pa.nulls(length, pa.binary())
    paths = parts["path"].cast(pa.string()) if "path" in parts else pa.nulls(length, pa.string())
    data, paths = (a.combine_chunks() if isinstance(a, pa.ChunkedArray) else a for a in (data, paths))
    if isinstance(data, pa.ChunkedArray):
        raise pa.ArrowInvalid("more than one chunk")
    words = pc.utf8_lower(pc.utf8_trim_whitespace(paths))
    paths = pc.if_else(pc.is_in(words, pa.array(["", *MISSING_WORDS])), None, paths)
    absent = pc.and_(pc.is_null(data), pc.is_null(paths))
    return pa.StructArray.from_arrays([data, paths], fields=list(_IMAGE), mask=absent)


def _class_names(schema: pa.Schema, name: str, values: list[int | None]) -> list[Any]:
    """Names of the integer classes that the ``datasets`` library stores; the integers themselves if it left none."""
    try:
        feature = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][name]
        classes = feature["names"]
    except (KeyError, TypeError, ValueError):
        return values
    return [classes[v] if v is not None and 0 <= v < len(classes) else None if v == -1 else v for v in values]
