"""Claims in requests: JSON in, a claims table out, with every mistake named."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any

import pyarrow as pa

from factcheck.data import load_images
from factcheck.data.canonical import RawRows, canonical_table
from factcheck.errors import InputError

__all__ = ["CLAIM_SCHEMA", "claims_of", "verdict_json"]

_TEXTS = ("claim", "claim_ocr", "document_ocr", "date")
_IMAGES = ("claim_image", "document_image")
_NULLABLE = {"type": ["string", "null"]}
#: JSON schema of a claim, as the description of the endpoint shows it.
CLAIM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["claim"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": ["string", "integer", "null"]},
        "claim": {"type": "string", "description": "the statement to check"},
        "document": {
            "description": "the evidence: a text, or its sentences; null to search the server's index",
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
        },
        "claim_image": {**_NULLABLE, "contentEncoding": "base64"},
        "document_image": {**_NULLABLE, "contentEncoding": "base64"},
        "claim_ocr": _NULLABLE,
        "document_ocr": _NULLABLE,
        "date": {**_NULLABLE, "description": "day of the claim, ISO 8601; later evidence is left out"},
    },
}


def claims_of(items: Sequence[Any]) -> pa.Table:
    """The claims table of the claims in a request, images decoded from base64 and checked.

    What a file may hold wrong as well (an empty claim, a date that is none, half of a surrogate pair) is the row's status
    and reason, as it is for a file.

    Raises:
        InputError: a claim is not of :data:`CLAIM_SCHEMA`; names its place and field.
    """
    rows = [_row(place, item) for place, item in enumerate(items)]
    columns = {name: [row[name] for row in rows] for name in ("id", "document", *_TEXTS, *_IMAGES)}
    return load_images(canonical_table(RawRows(0, len(rows), columns), where="claims", on_error="mark", names={}), None)


def verdict_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the verdict table as JSON can say it: NaN becomes null."""
    return {name: _plain(value) for name, value in row.items()}


def _row(place: int, item: Any) -> dict[str, Any]:
    _check_kind(item, dict, f"claims[{place}]", "an object", "claims")
    unknown = sorted(item.keys() - CLAIM_SCHEMA["properties"].keys())
    if unknown:
        raise InputError(f"claims[{place}] has an unknown field {unknown[0]!r}", field=unknown[0])
    row: dict[str, Any] = {"id": _id(place, item.get("id"))}
    for name in _TEXTS:
        value = item.get(name)
        _check_kind(value, str | None, f"claims[{place}].{name}", "a string", name)
        row[name] = value
    if row["claim"] is None:
        raise InputError(f"claims[{place}] has no claim", field="claim")
    row["document"] = _document(place, item.get("document"))
    for name in _IMAGES:
        row[name] = None if item.get(name) is None else _image(place, name, item[name])
    return row


def _check_kind(value: Any, kind: type | UnionType, where: str, expected: str, field: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where} is {type(value).__name__}, expected {expected}", field=field)


def _id(place: int, value: Any) -> str:
    if value is None:
        return str(place)
    _check_kind(value, str | int, f"claims[{place}].id", "a string or a whole number", "id")
    return str(value)


def _document(place: int, value: Any) -> Any:
    whole = value is None or isinstance(value, str)
    if whole or (isinstance(value, list) and all(isinstance(text, str) for text in value)):
        return value
    raise InputError(f"claims[{place}].document is neither a string nor a list of strings", field="document")


def _image(place: int, name: str, value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InputError(f"claims[{place}].{name} is not base64", field=name) from None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if value != value or value in (float("inf"), float("-inf")) else value
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
