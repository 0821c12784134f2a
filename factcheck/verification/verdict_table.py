"""Verdict tables on disk: Parquet, JSONL, CSV and TSV, each written whole or not at all."""

import contextlib
import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from factcheck.errors import InputError
from factcheck.outputs import check_output_file
from factcheck.records import verdict_schema
from retrieval.arguments import checked_file
from retrieval.durable import replacing
from retrieval.errors import as_input_error

__all__ = [
    "ABSTAINING",
    "Thresholds",
    "below",
    "check_output",
    "check_verdicts",
    "completed",
    "join_reasons",
    "merge_parts",
    "read_about",
    "read_verdicts",
    "reason_kinds",
    "with_threshold",
    "write_part",
    "write_tables",
]

FORMATS = (".parquet", ".jsonl", ".csv", ".tsv")
# Columns that a verdict table may lack: they say more than a verdict needs.
_LATER = (
    "language",
    "differences",
    "explanation",
    "photo_attribution",
    "photo_evidence",
    "photo_context",
    "content_hash",
    "ocr",
)
_NESTED = tuple(field.name for field in verdict_schema() if pa.types.is_nested(field.type))
#: What a reason opens with where the row abstains whatever its confidence.
ABSTAINING = ("language",)
# Bytes of a verdict table's first line that are read to know it for one.
_LONGEST_LINE = 2**24
_ABOUT = b"factcheck"


# A reason without the line it is about and without its details; a column's name counts as no detail.
_KIND = re.compile(r"(?:line \d+: )?((?:[a-z_]+: )?.*?)(?=: | \(|$)", re.DOTALL)


def join_reasons(reasons: Sequence[str]) -> str | None:
    """A row's reasons as its ``reason``: joined by semicolon and space, which no single one holds; None if there are none."""
    return "; ".join(reason.replace("; ", ", ") for reason in reasons) or None


def reason_kinds(reason: str | None) -> list[str]:
    """The single reasons of a row without lines and details, so that like ones can be counted.

    >>> reason_kinds("line 7: not UTF-8: byte 0xe9 at offset 15 of the file; claim_image: image not fetched: URL")
    ['not UTF-8', 'claim_image: image not fetched']
    """
    return [match[1] for part in (reason or "").split("; ") if (match := _KIND.match(part)) and part]


def below(confidence: float, threshold: float) -> bool:
    """Whether a confidence is under a threshold, at the precision at which tables hold it: at the threshold it is not."""
    return bool(np.float32(confidence) < np.float32(threshold))


@dataclass(frozen=True)
class Thresholds:
    """Confidences in [0, 1] under which verdicts count as abstained, by kind of row.

    Attributes:
        text: of rows without a pair of images.
        pairs: of rows with an image on both sides.
    """

    text: float
    pairs: float

    def of(self, pair: bool) -> float:
        """That of a row."""
        return self.pairs if pair else self.text

    def to_json(self) -> float | dict[str, float]:
        """One number where both are the same, else both by name."""
        return self.text if self.text == self.pairs else asdict(self)


def with_threshold(verdicts: pa.Table, abstain_below: float | Thresholds) -> pa.Table:
    """The table with ``abstained`` as it is at another threshold in [0, 1], or at one for each kind of row.

    Rows that abstain whatever their confidence stay so: those without evidence, or with a reason of :data:`ABSTAINING`.
    """
    told = pc.match_substring_regex(pc.coalesce(verdicts["reason"], ""), rf"(^|; )({'|'.join(ABSTAINING)}): ")
    unjudged = pc.equal(pc.coalesce(pc.list_value_length(verdicts["evidence"]), 0), 0)
    at = abstain_below if isinstance(abstain_below, Thresholds) else Thresholds(abstain_below, abstain_below)
    text, pairs = (pa.scalar(np.float32(value), pa.float32()) for value in (at.text, at.pairs))
    under = pc.less(verdicts["confidence"], pc.if_else(pc.is_valid(verdicts["probabilities"]), pairs, text))
    judged, abstained = (
        pc.not_equal(verdicts["status"], "error"),
        pc.or_(pc.or_(unjudged, told), pc.coalesce(under, True)),
    )
    place = verdicts.schema.get_field_index("abstained")
    return verdicts.set_column(place, verdicts.schema.field(place), pc.and_(judged, abstained))


def count_withheld(verdicts: pa.Table) -> int:
    """Rows whose verdict is withheld. Those in error have none; tables of earlier versions mark them as abstained."""
    withheld = pc.and_(verdicts["abstained"], pc.not_equal(verdicts["status"], "error"))
    return pc.sum(withheld).as_py() or 0


def check_output(out: Path, claims: Path | None = None, *, field: str = "out") -> None:
    """Refuse an output that could not be written at the end of a long run, or would overwrite what is no verdict table.

    Args:
        out: the verdict table to write.
        claims: the table that is verified.
        field: the parameter that names ``out``.

    Raises:
        InputError: unknown ending, missing folder, no right to write there, or a file that is no verdict table.
    """
    _check_ending(f"`{field}` {str(out)!r}", out, field)
    check_output_file(field, out, {"the claims table": claims}, own=_is_verdict_table, kind="a verdict table")
    if out.is_symlink():  # it is its target that is written
        check_output_file(field, os.path.realpath(out), {"the claims table": claims})
    if out.exists() and not out.is_file():
        raise InputError(f"`{field}` {str(out)!r} is a pipe or device", field=field, hint="name a file")


def _check_ending(what: str, path: Path, field: str | None = None) -> None:
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{what} has the unknown ending {path.suffix!r}", field=field, hint=f"use one of {', '.join(FORMATS)}"
        )


def check_verdicts(path: Path) -> None:
    """Refuse a verdict table that is not there.

    Raises:
        InputError: no such file.
    """
    checked_file(f"verdict table {str(path)!r}", path, hint="`verify_file` writes one")


def _is_verdict_table(path: Path) -> bool:
    """Whether a file has the columns of a verdict table; only its start (of Parquet, its footer) is read."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            found = set(pq.read_schema(path).names)
        else:
            with path.open(encoding="utf-8", newline="") as text:
                first = text.readline(_LONGEST_LINE)
            found = set(
                json.loads(first) if suffix == ".jsonl" else next(csv.reader([first], delimiter=_delimiter(suffix)))
            )
    except (pa.ArrowException, OSError, ValueError, TypeError, csv.Error, StopIteration):
        return False
    return set(verdict_schema().names) - set(_LATER) <= found


def write_part(path: Path, verdicts: pa.Table) -> None:
    """Write one chunk so that the file, once it has its name, is complete on disk."""
    with replacing(path) as partial:
        pq.write_table(verdicts, partial, compression="zstd")


def merge_parts(parts: Path, out: Path) -> Iterator[pa.Table]:
    """:func:`write_tables` of the Parquet files of a folder, in the order of their names."""
    return write_tables((pq.read_table(path) for path in sorted(parts.glob("*.parquet"))), out)


def write_tables(
    tables: Iterable[pa.Table], out: Path, *, columns: Sequence[str] = (), about: Mapping[str, Any] | None = None
) -> Iterator[pa.Table]:
    """Write verdicts to ``out``, yielding each table as it is written; ``out`` appears after the last.

    Where ``out`` is a symbolic link, its target is written and the link stays.

    Args:
        tables: verdicts, in order, with :func:`factcheck.records.verdict_schema`.
        out: the table; its ending chooses the format.
        columns: names of further columns of text that each table has.
        about: kept with a Parquet table, see :func:`read_about`.

    Raises:
        InputError: the file cannot be written, for one because the disk is full.
    """
    schema = verdict_schema()
    for name in columns:
        schema = schema.append(pa.field(name, pa.string()))
    if about is not None:
        schema = schema.with_metadata({_ABOUT: json.dumps(about)})
    with replacing(out) as partial, contextlib.ExitStack() as stack:
        write = _writer(partial, out.suffix.lower(), schema, stack)
        for table in tables:
            write(table.select(schema.names).cast(schema))
            yield table


def read_about(path: str | Path) -> dict[str, Any]:
    """What a Parquet verdict table says of the run that made it; empty for one that says nothing, or another format."""
    if Path(path).suffix.lower() != ".parquet":
        return {}
    try:
        about = json.loads((pq.read_schema(path).metadata or {})[_ABOUT])
    except (KeyError, ValueError, OSError, pa.ArrowException):
        return {}
    return about if isinstance(about, dict) else {}


def completed(table: pa.Table, own: Sequence[str] = ()) -> pa.Table:
    """A verdict table with every column of :func:`factcheck.records.verdict_schema`, null where it lacks one, and its ``own``."""
    schema = verdict_schema()
    for name in _LATER:
        if name not in table.schema.names:
            table = table.append_column(schema.field(name), pa.nulls(table.num_rows, schema.field(name).type))
    for name in own:
        schema = schema.append(pa.field(name, pa.string()))
    return table.select(schema.names).cast(schema)


def read_verdicts(path: str | Path) -> pa.Table:
    """A verdict table, whatever format it was written in.

    Raises:
        InputError: no such file, unknown ending, or not a verdict table.
    """
    path = Path(path)
    check_verdicts(path)
    schema = verdict_schema()
    _check_ending(f"verdict table {str(path)!r}", path)
    suffix = path.suffix.lower()
    wrong = (pa.ArrowException, ValueError, KeyError, AttributeError)
    with as_input_error(f"{path} is not a verdict table", *wrong):
        if suffix == ".parquet":
            table = pq.read_table(path)
        elif suffix == ".jsonl":
            with path.open(encoding="utf-8") as lines:
                rows = [json.loads(line) for line in lines if line.strip()]
            if rows:  # of a table without rows nothing is left to tell it by
                _check_columns(path, set().union(*(row.keys() for row in rows)))
            table = pa.Table.from_pylist(rows, schema=schema)
        else:
            csv.field_size_limit(2**31 - 1)
            with path.open(encoding="utf-8", newline="") as text:
                reader = csv.DictReader(text, delimiter=_delimiter(suffix))
                _check_columns(path, set(reader.fieldnames or ()))
                rows = list(reader)
            table = pa.Table.from_pylist([_from_text(row, schema) for row in rows], schema=schema)
        _check_columns(path, set(table.schema.names))
        return completed(table)


def _delimiter(suffix: str) -> str:
    return "\t" if suffix == ".tsv" else ","


def _check_columns(path: Path, found: set[str]) -> None:
    missing = sorted(set(verdict_schema().names) - found - set(_LATER))
    if missing:
        raise InputError(f"{path} is not a verdict table: it lacks the columns {', '.join(missing)}")


def _writer(path: Path, suffix: str, schema: pa.Schema, stack: contextlib.ExitStack) -> Callable[[pa.Table], None]:
    if suffix == ".parquet":
        return stack.enter_context(pq.ParquetWriter(path, schema, compression="zstd")).write_table
    if suffix == ".jsonl":
        sink = stack.enter_context(path.open("w", encoding="utf-8"))
        return lambda table: sink.writelines(_json(row) + "\n" for row in table.to_pylist())
    flat = pa.schema([(f.name, pa.string()) if f.name in _NESTED else f for f in schema])
    options = pyarrow.csv.WriteOptions(delimiter=_delimiter(suffix))
    writer = stack.enter_context(pyarrow.csv.CSVWriter(str(path), flat, write_options=options))
    return lambda table: writer.write_table(_flatten(table, flat))


def _json(value: object) -> str:
    """``value`` as JSON, which has no NaN: figures that are no numbers become null."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(value), ensure_ascii=False, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flatten(table: pa.Table, flat: pa.Schema) -> pa.Table:
    """Nested columns as JSON text: CSV has no structure of its own."""
    columns = [
        pa.array(
            [None if value is None else _json(value) for value in table[name].to_pylist()],
            pa.string(),
        )
        if name in _NESTED
        else table[name]
        for name in table.schema.names
    ]
    return pa.Table.from_arrays(columns, schema=flat)


_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def _nested(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(
            f"{name} is {text[:40]!r}, which is not JSON; a data frame's to_csv writes such columns in Python's notation: save it with "
            "to_parquet, or with to_json(orient='records', lines=True)"
        ) from None


def _from_text(row: dict[str, str], schema: pa.Schema) -> dict[str, object]:
    typed: dict[str, object] = {}
    for name, text in row.items():
        if name not in schema.names:
            continue
        kind = schema.field(name).type
        if text == "":
            typed[name] = None
        elif name in _NESTED:
            typed[name] = _nested(name, text)
        elif pa.types.is_floating(kind):
            typed[name] = float(text)
        elif pa.types.is_boolean(kind):
            if text.casefold() not in _TRUTH:
                raise ValueError(f"{name} is {text!r}, expected true or false")
            typed[name] = _TRUTH[text.casefold()]  # spreadsheets and pandas write them in their own case
        else:
            typed[name] = text
    return typed
