"""Claims in memory as a canonical table: one Claim, several, or a table of any library."""

from collections.abc import Mapping, Sequence, Set
from datetime import date
from numbers import Integral
from pathlib import Path
from typing import Any

import pyarrow as pa

from factcheck.data import normalize_claims
from factcheck.data.canonical import RawRows, canonical_table, kind_of
from factcheck.data.columns import resolve_columns
from factcheck.data.memory import as_batch
from factcheck.data.normalize import raw_rows
from factcheck.errors import InputError
from factcheck.records import Claim
from retrieval.tables.arrow import ArrowBatch

__all__ = ["any_claims", "claim_table", "claims_table"]


def claim_table(claim: Claim) -> pa.Table:
    """The canonical claims table (see :func:`factcheck.records.claims_schema`) that holds ``claim`` alone, without its label.

    Raises:
        InputError: see :func:`claims_table`.
    """
    return claims_table([claim])


def claims_table(claims: Sequence[Claim], *, labels: bool = False) -> pa.Table:
    """The canonical claims table of some claims, in their order.

    What a file may hold wrong as well (an empty claim, a date that is none, half of a surrogate pair) is the row's status
    and reason, as it is for a file.

    Args:
        claims: any number of them.
        labels: keep their gold labels, which verification never reads.

    Raises:
        InputError: a field is of another kind than :class:`~factcheck.records.Claim` says; names the field, what it must be and
            what was found.
    """
    rows = [_cells(claim) for claim in claims]
    names = list(rows[0]) if rows else ["claim"]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in names}
    if labels:
        columns["label"] = [None if claim.label is None else str(claim.label) for claim in claims]
    return canonical_table(RawRows(0, len(rows), columns), where="claim", on_error="mark", names={})


def any_claims(rows: Any, what: str, *, labels: bool = False, columns: Mapping[str, str] | None = None) -> pa.Table:
    """The canonical claims table of what holds claims in memory: Claims, or what :func:`factcheck.data.memory.as_table` takes.

    Args:
        rows: the claims.
        what: the parameter, as messages name it.
        labels: keep the gold labels of Claims.
        columns: names of the table's columns.

    Raises:
        InputError: something else, or no column holds the claim.
    """
    if isinstance(rows, Claim):
        raise InputError(f"`{what}` is one Claim, expected several", field=what, hint="give a list of them: [claim]")
    if isinstance(rows, list | tuple) and all(isinstance(item, Claim) for item in rows):
        return claims_table(rows, labels=labels)
    batch = as_batch(rows, what)
    if isinstance(batch, ArrowBatch):
        return normalize_claims(batch.table, columns=columns)
    present = list(dict.fromkeys(name for row in batch.rows() for name in row.values))
    names = resolve_columns(present, columns, where="claims table")
    return canonical_table(raw_rows(batch, names), where="claims table", on_error="mark", names=names)


def _cells(claim: Claim) -> dict[str, Any]:
    return {
        "id": _id(claim.id),
        "claim": _text("claim", claim.claim),
        "claim_image": _photo("claim_image", claim.claim_image),
        "document": _document(claim.document),
        "document_image": _photo("document_image", claim.document_image),
        "claim_ocr": _text("claim_ocr", claim.claim_ocr),
        "document_ocr": _text("document_ocr", claim.document_ocr),
        "date": _date(claim.date),
    }


def _is_missing(value: Any) -> bool:
    """Whether a cell of a data frame stands for nothing: None, NaN, ``pandas.NA``, ``NaT``."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(value != value)  # arrays and other containers are no single cell
    except (TypeError, ValueError):
        return False


def _id(value: Any) -> str | None:
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    return _text("id", value, "text or a whole number")


def _text(name: str, value: Any, expected: str = "text") -> str | None:
    if isinstance(value, str):
        return str(value)
    if _is_missing(value):
        return None
    raise _wrong(name, expected, value)


def _photo(name: str, value: Any) -> bytes | None:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str | Path):
        raise InputError(
            f"Claim, {name}: expected the bytes of a photo, found a path ({str(value)[:60]!r}); read the file first: "
            f"{name}=Path(…).read_bytes()"
        )
    if not hasattr(value, "shape") and _is_missing(value):
        return None
    raise _wrong(
        name,
        "the bytes of a photo file (Path(…).read_bytes(), or image.save(stream := io.BytesIO(), 'PNG'); stream.getvalue())",
        value,
    )


def _document(value: Any) -> str | list[str] | None:
    if isinstance(value, str):
        return str(value)
    if not hasattr(value, "tolist") and _is_missing(value):
        return None
    # Anything in order and of known length will do, an array or a column of a data frame too.
    ordered = isinstance(value, Sequence) or hasattr(value, "tolist")
    if not ordered or isinstance(value, bytes | bytearray | memoryview | Mapping | Set):
        raise _wrong("document", "text or a list of sentences", value)
    sentences = list(value)
    for place, sentence in enumerate(sentences):
        if not isinstance(sentence, str):
            raise _wrong(f"document, sentence {place}", "text", sentence)
    return [str(sentence) for sentence in sentences]


def _date(value: Any) -> str | None:
    if type(value).__name__ == "datetime64":  # of numpy
        return None if _is_missing(value) else str(value).partition(".")[0]
    if isinstance(value, date) and not _is_missing(value):  # a datetime is one too
        return value.isoformat()
    return _text("date", value, "a date such as '2024-05-31' or datetime.date(2024, 5, 31)")


def _wrong(field: str, expected: str, value: Any) -> InputError:
    return InputError(f"Claim, {field}: expected {expected}, found {kind_of(value)}")
