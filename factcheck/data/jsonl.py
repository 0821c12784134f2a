"""Claims tables with one JSON object a line."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from factcheck.data.canonical import RawRows
from factcheck.data.columns import CLAIM_COLUMNS, columns_of_no_rows, resolve_columns
from factcheck.errors import InputError

__all__ = ["JsonLinesReader", "json_lines", "parse_row"]

_PEEK = 100
_BATCH_BYTES = 64 * 2**20
_ID = rb'\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9]{1,20}(?=\s*[,}]))'


class JsonLinesReader:
    """Rows of a JSONL file. A key that a row lacks counts as null; documents may be text in one row, lists in another.

    A file without lines, or with blank ones only, is a table without rows.

    Raises:
        InputError: none of the first hundred lines is a JSON object, or none of them has a key for the claim.
    """

    def __init__(self, path: Path, columns: Mapping[str, str] | None = None):
        self.path = path
        keys: dict[str, None] = {}
        fault, number = None, 0
        for number, raw in islice(json_lines(path), _PEEK):
            row, error = parse_row(raw)
            keys.update(dict.fromkeys(row or ()))
            fault = fault or (error and f"{path}, line {number}: {error}")
        if number == 0:  # nothing says which columns the table would have
            keys = dict.fromkeys(columns_of_no_rows(columns))
        elif not keys and fault:
            raise InputError(f"{fault}; expected one JSON object a line")
        names = resolve_columns(list(keys), columns, where=str(path))
        self.names = names
        # A key may turn up later than the rows looked at.
        late = {name: name for name in CLAIM_COLUMNS if name not in names.values()}
        self._keys = {**late, **names}
        # An id that opens its object can be told even where the rest is broken.
        self._opening_id = re.compile(
            rb"\s*\{\s*" + re.escape(json.dumps(names.get("id"), ensure_ascii=False).encode()) + _ID
        )

    def batches(self, batch_size: int, skip: int) -> Iterator[RawRows]:
        """Raw rows from row ``skip`` on; skipped lines are not parsed."""
        lines = islice(json_lines(self.path), skip, None)
        first = skip
        while True:
            numbers: list[int] = []
            rows: list[dict[str, Any]] = []
            errors: dict[int, str] = {}
            size = 0
            for number, raw in lines:
                row, error = parse_row(raw)
                if error:
                    errors[len(rows)] = error
                    row = self._only_id(raw)
                numbers.append(number)
                rows.append(row or {})
                size += len(raw)
                if len(rows) == batch_size or size > _BATCH_BYTES:
                    break
            if not rows:
                return
            columns = {canonical: [row.get(key) for row in rows] for canonical, key in self._keys.items()}
            yield RawRows(first, len(rows), columns, errors, numbers)
            first += len(rows)

    def _only_id(self, raw: bytes) -> dict[str, Any]:
        match = self._opening_id.match(raw)
        if match is None or "id" not in self.names:
            return {}
        try:
            return {self.names["id"]: json.loads(match[1].decode("utf-8"))}
        except ValueError:
            return {}

    def count(self) -> int:
        """Number of rows: lines that are not blank."""
        return sum(1 for _ in json_lines(self.path))


def json_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """``(line number from 1, bytes)`` of each line of ``path`` that is not blank.

    Raises:
        InputError: the file is a JSON array, or UTF-16.
    """
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
                if raw.lstrip().startswith(b"["):
                    raise InputError(f"{path}: found a JSON array; write one JSON object a line instead (JSONL)")
                if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise InputError(f"{path}: found UTF-16 text; save it as UTF-8")
            if not raw.isspace() and raw:
                yield number, raw


def parse_row(raw: bytes) -> tuple[dict[str, Any] | None, str | None]:
    """The object on a line, or None and what is wrong with it."""
    try:
        row = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return None, f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start} of the line"
    except json.JSONDecodeError as error:
        return None, f"not JSON ({error.msg} at character {error.pos})"
    except (RecursionError, ValueError) as error:  # nested too deep; a number of thousands of digits
        return None, f"not readable JSON ({error})"
    if not isinstance(row, dict):
        return None, f"expected a JSON object, found {type(row).__name__}"
    return row, None
