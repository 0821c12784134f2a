"""Opening a claims table of any supported format as a stream of canonical batches."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from factcheck.data.canonical import RawRows, canonical_table
from factcheck.data.delimited import DelimitedReader, detect_delimiter
from factcheck.data.jsonl import JsonLinesReader
from factcheck.errors import InputError
from retrieval.arguments import checked_int

__all__ = ["ClaimsSource", "check_labels", "open_claims"]

_FORMATS = ("csv", "tsv", "jsonl", "parquet", "datasets")
#: Kind of a claims table by the ending of its name.
SUFFIXES = {
    ".csv": "delimited",  # Factify's .csv files are tab-separated, so the header decides
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_WRITE_IT = "write the table to a file whose name ends in .csv, .tsv, .jsonl or .parquet, and give that"


class _Reader(Protocol):
    @property
    def names(self) -> Mapping[str, str]: ...

    def batches(self, batch_size: int, skip: int) -> Iterator[RawRows]: ...

    def count(self) -> int | None: ...


class ClaimsSource:
    """A claims table, read in batches; may be read any number of times.

    Attributes:
        path: the file or folder; None for a ``datasets`` object.
        columns: canonical name to the table's own column name.
        on_error: ``fail`` or ``mark``.
    """

    def __init__(self, reader: _Reader, path: Path | None, on_error: str):
        self._reader = reader
        self.path = path
        self.on_error = on_error
        self._where = str(path) if path is not None else "data set"

    @property
    def columns(self) -> dict[str, str]:
        """Canonical name to the table's own column name."""
        return dict(self._reader.names)

    def batches(
        self, batch_size: int = 256, skip: int = 0, *, limit: int | None = None, images: str | Path | bool = False
    ) -> Iterator[pa.Table]:
        """Tables of :func:`factcheck.records.claims_schema`, together every row from ``skip`` on, in order.

        Every batch but the last has exactly ``batch_size`` rows, so that a caller can count batches to know where to resume.
        Memory does not grow with the file. Skipped rows are passed over without validation (in Parquet without reading
        their row groups).

        Args:
            batch_size: rows a batch.
            skip: rows to leave out at the start.
            limit: rows to read at most; None for all.
            images: the folder that paths of images are relative to, to read those files, too (:func:`factcheck.data.load_images`);
                True for the folder of the table.

        Raises:
            InputError: a bad row, under ``on_error="fail"``; no such folder.
        """
        batch_size = checked_int("`batch_size`", batch_size, 1)
        skip = checked_int("`skip`", skip, 0)
        tables = self._tables(batch_size, skip)
        if limit is not None:
            tables = _first_rows(tables, limit)
        if images is False:
            return tables
        from factcheck.data.images import load_images

        root = images if images is not True else self.path.parent if self.path is not None else None
        return (load_images(table, root) for table in tables)

    def _tables(self, batch_size: int, skip: int) -> Iterator[pa.Table]:
        held: list[pa.Table] = []
        count = 0
        # Readers yield less where rows are megabytes long and where a row group ends, never more.
        for rows in self._reader.batches(batch_size, skip):
            table = canonical_table(rows, where=self._where, on_error=self.on_error, names=self._reader.names)
            needed = batch_size - count
            held.append(table.slice(0, needed))
            count += held[-1].num_rows
            if count == batch_size:
                yield held[0] if len(held) == 1 else pa.concat_tables(held)
                held = [table.slice(needed)]
                count = held[0].num_rows
        if count:
            yield pa.concat_tables(held)

    def count(self) -> int | None:
        """Number of rows, or None where only reading everything could tell (a streamed data set).

        Delimited and JSONL files are passed over once, which takes seconds a gigabyte.
        """
        return self._reader.count()


def _first_rows(tables: Iterator[pa.Table], limit: int) -> Iterator[pa.Table]:
    for table in tables:
        if limit > 0:
            yield table.slice(0, limit)
        limit -= table.num_rows
        if limit <= 0:
            return


def check_labels(table: pa.Table, where: str, first: int) -> None:
    """Refuse a label that is none: marking bad rows forgives it, scoring and training cannot.

    Args:
        table: rows that :func:`open_claims` marked.
        where: the table they come from, as messages name it.
        first: number of the first of them in it, from 0.

    Raises:
        InputError: names row, label, and the labels there are.
    """
    for row, (identifier, reasons) in enumerate(
        zip(table["id"].to_pylist(), table["reasons"].to_pylist(), strict=True)
    ):
        fault = next((reason for reason in reasons if reason.startswith("label: ")), None)
        if fault:
            message = fault.removeprefix("label: ")
            raise InputError(
                f"{where}, row {first + row} (id {identifier!r}), label: {message}. Correct it or leave it empty"
            )


def open_claims(
    path: str | Path | Any,
    *,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    on_error: str = "fail",
) -> ClaimsSource:
    """Open a claims table: CSV, TSV (Factify's files as distributed), JSONL, Parquet, or a ``datasets`` data set.

    The header is read and checked here, rows when iterating. Rows are numbered from 0. Columns are recognised by the
    names of the claims table (``id, claim, claim_image, document, document_image, claim_ocr, document_ocr, label, date``) and by
    Factify's.

    Args:
        path: a file, a folder written by ``Dataset.save_to_disk``, or a ``datasets.Dataset`` or ``IterableDataset``.
        columns: canonical name to column name, for tables that use other names, as in ``{"claim": "text"}``.
        format: ``csv``, ``tsv``, ``jsonl``, ``parquet`` or ``datasets``; None to tell by the file's suffix and header.
        on_error: what a bad row does: ``fail`` raises, naming file, row, column and fault; ``mark`` yields it with
            the status ``error`` and the fault as its reason, so that each input row gives one output row (``degraded`` where
            only its label is bad: the claim can be verified).

    Raises:
        InputError: no such file, an unknown format, the wrong separator, another encoding than UTF-8, or missing
            columns.
    """
    if on_error not in ("fail", "mark"):
        raise InputError(f"on_error is {on_error!r}; expected 'fail' or 'mark'")
    if format is not None and format not in _FORMATS:
        raise InputError(f"format is {format!r}; expected one of {', '.join(_FORMATS)}")
    if not isinstance(path, str | Path):
        from factcheck.data.arrow import DatasetReader

        return ClaimsSource(DatasetReader(path, columns, "data set"), None, on_error)
    path = Path(path)
    return ClaimsSource(_open_file(path, format, columns), path, on_error)


def open_delimited(path: Path, columns: Mapping[str, str] | None = None, kind: str = "") -> DelimitedReader:
    """A reader of a delimited file with the separator that it has; ``csv`` and ``tsv`` say which one is expected."""
    expected = {"csv": ",", "tsv": "\t"}.get(kind)
    return DelimitedReader(path, detect_delimiter(path, columns, expected), columns)


def _open_file(path: Path, format: str | None, columns: Mapping[str, str] | None) -> _Reader:
    from factcheck.data.arrow import DatasetReader, ParquetReader, load_saved

    if not path.exists():
        if str(path) == "-":
            raise InputError(f"-: standard input is not read; {_WRITE_IT}")
        raise InputError(f"{path}: no such file or folder")
    if path.is_dir():
        if format not in (None, "datasets"):
            raise InputError(f"{path} is a folder; a {format} table is a file")
        return DatasetReader(load_saved(path), columns, str(path))
    if not path.is_file():
        # A table is read more than once: its header, its rows to count them, its rows.
        raise InputError(f"{path}: a pipe or device, which can be read only once; {_WRITE_IT}")
    kind = format or SUFFIXES.get(path.suffix.lower())
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise InputError(f"{path}: a spreadsheet; save or export it as CSV (UTF-8) and give that file")
    if kind is None:
        raise InputError(
            f"{path}: cannot tell the format by the suffix {path.suffix!r}; expected {', '.join(SUFFIXES)}. "
            "Give the file such a name (in Python format='csv' names the format instead)"
        )
    if kind == "datasets":
        raise InputError(f"{path} is a file; a saved data set is a folder (Dataset.save_to_disk)")
    try:
        if kind == "parquet":
            return ParquetReader(path, columns)
        if kind == "jsonl":
            return JsonLinesReader(path, columns)
        return open_delimited(path, columns, kind)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
