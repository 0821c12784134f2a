"""The ``reason`` of a row, which joins what is wrong with it, taken apart again."""

import re
from typing import TYPE_CHECKING

from factcheck.data.columns import CLAIM_COLUMNS
from factcheck.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_labels", "reason_kind", "split_reasons"]

_COLUMN = rf"(?:{'|'.join((*CLAIM_COLUMNS, 'document_spans', 'evidence', 'model'))}): "
# Messages hold semicolons of their own; each but a first one that concerns the whole row opens with its column.
_BETWEEN = re.compile(rf"; (?={_COLUMN})")
_KIND = re.compile(rf"(?:line \d+: )?((?:{_COLUMN})?.*?)(?=: | \(|$)", re.DOTALL)


def split_reasons(reason: str | None) -> list[str]:
    """The single reasons in the ``reason`` column of a claims or verdict table.

    >>> split_reasons("claim_image: missing file; label: unknown label 'x'; expected one of a, b")
    ['claim_image: missing file', "label: unknown label 'x'; expected one of a, b"]
    """
    return _BETWEEN.split(reason) if reason else []


def reason_kind(reason: str) -> str:
    """A single reason without its line and details, so that like ones can be counted.

    >>> reason_kind("line 7: not UTF-8: byte 0xe9 at offset 15 of the file")
    'not UTF-8'
    """
    match = _KIND.match(reason)
    return match[1] if match else reason


def check_labels(table: "pa.Table", where: str, first: int) -> None:
    """Refuse a label that is none: marking bad rows forgives it, scoring and training cannot.

    Args:
        table: rows that :func:`factcheck.data.open_claims` marked.
        where: the table they come from, as messages name it.
        first: number of the first of them in it, from 0.

    Raises:
        InputError: names row, label, and the labels there are.
    """
    for row, (identifier, reason) in enumerate(zip(table["id"].to_pylist(), table["reason"].to_pylist(), strict=True)):
        fault = next((part for part in split_reasons(reason) if part.startswith("label: ")), None)
        if fault:
            message = fault.removeprefix("label: ")
            raise InputError(
                f"{where}, row {first + row} (id {identifier!r}), label: {message}. Correct it or leave it empty"
            )
