"""Opening a claims table of any supported format as a stream of canonical batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from factcheck.data.canonical import Parsing, canonical_table
from factcheck.data.columns import CLAIM_COLUMNS, columns_of_no_rows, known_columns, resolve_columns
from factcheck.data.normalize import raw_rows
from factcheck.errors import InputError
from factcheck.labels import label_names
from retrieval.arguments import checked_choice, checked_int
from retrieval.tables import TABLE_FORMATS, Content, Table, TableOptions, open_table
from retrieval.text.dates import DATE_ORDERS, order_of_column

__all__ = ["ClaimsFormat", "ClaimsSource", "check_labels", "open_claims", "table_fields"]

_WRITE_IT = "write the table to a file whose name ends in .csv, .tsv, .jsonl or .parquet, and give that"
#: Columns of a canonical table that no user supplies.
_CANONICAL_EXTRAS = ("document_spans", "status", "reasons")
_ROWS_READ = 2048


@dataclass(frozen=True, eq=False)
class ClaimsFormat(Mapping[str, str]):
    """How a claims table is written, as far as it does not say so itself: its columns, and more.

    It is the mapping of its columns as well, so that it can be given wherever those are named (``columns=``).

    Attributes:
        columns: canonical name to column name, for tables that use other names, as in ``{"claim": "text"}``.
        format: ``csv``, ``tsv``, ``jsonl``, ``json`` (an array), ``parquet``, ``xlsx`` or ``datasets``; None to tell by the file.
        quoting: of delimited files: ``quoted`` (fields in quotation marks may hold delimiters and line ends), ``none`` (every line is a
            row), or ``auto``, which the whole file decides.
        header: ``first`` (row), or ``none``: columns are called 1, 2, 3, … and named by ``columns``.
        labels: names of labels that are not known, as in ``{"mixture": "insufficient"}``.
        date_order: of dates in numbers with the year last: ``dmy``, ``mdy``, ``ymd`` (there are none), or ``auto``, which the whole
            column decides.
        delimiter: of delimited files: ``comma``, ``tab``, ``semicolon``, ``pipe``, or ``auto``, which the header decides.

    Raises:
        InputError: an option has a value that it cannot have.
    """

    columns: Mapping[str, str] | None = None
    format: str | None = None
    quoting: str = "auto"
    header: str = "first"
    labels: Mapping[str, str] | None = None
    date_order: str = "auto"
    delimiter: str = "auto"
    table_options: TableOptions = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.format is not None:
            checked_choice("format", self.format, (*TABLE_FORMATS, "datasets"))
        checked_choice("date_order", self.date_order, DATE_ORDERS)
        label_names(self.labels)
        named = None if self.format == "datasets" else self.format
        object.__setattr__(self, "table_options", TableOptions(named, self.quoting, self.header, self.delimiter))

    def __getitem__(self, name: str) -> str:
        return (self.columns or {})[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns or {})

    def __len__(self) -> int:
        return len(self.columns or {})

    def __bool__(self) -> bool:  # it says more than its columns
        return True

    def to_dict(self) -> dict[str, Any]:
        """The options that differ from the usual, for what has to be the same in a later run."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        usual = {f.name: f.default for f in fields(self) if f.init}
        return {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in given.items()
            if value != usual[name]
        }


class ClaimsSource:
    """A claims table, read in batches; may be read any number of times.

    Attributes:
        path: the file or folder; None for a ``datasets`` object.
        columns: canonical name to the table's own column name.
        on_error: ``fail`` or ``mark``.
        format: how the table is written.
    """

    def __init__(self, table: Table, path: Path | None, on_error: str, format: ClaimsFormat) -> None:
        self.path, self.on_error, self.format = path, on_error, format
        self._table = table
        if table.header_fault is not None:
            raise InputError(f"{table.where}, header: {table.header_fault.text}", hint="save the file as UTF-8")
        # Of a table without rows nothing may say which columns it would have (a frame without rows has none in Parquet).
        found = table.names if table.names or not _is_empty(table) else columns_of_no_rows(format.columns)
        self._names = resolve_columns(found, format.columns, where=table.where)
        self._unused = [name for name in found if name and name not in self._names.values()]
        if "id" in self._names:
            table.only_id_of(self._names["id"])
        self._order: str | None = None if format.date_order == "auto" else format.date_order
        self._knows_order = format.date_order != "auto"

    @property
    def where(self) -> str:
        """The table, as messages name it."""
        return self._table.where

    @property
    def columns(self) -> dict[str, str]:
        """Canonical name to the table's own column name."""
        return dict(self._names)

    @property
    def unused(self) -> list[str]:
        """The table's columns that have no role here."""
        return list(self._unused)

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
        batch_size = checked_int("batch_size", batch_size, 1)
        skip = checked_int("skip", skip, 0)
        tables = self._canonical(batch_size, skip)
        if limit is not None:
            tables = _first_rows(tables, limit)
        if images is False:
            return tables
        from factcheck.data.images import load_images

        root = images if images is not True else self.path.parent if self.path is not None else None
        return (load_images(table, root) for table in tables)

    def _canonical(self, batch_size: int, skip: int) -> Iterator[pa.Table]:
        held: list[pa.Table] = []
        count = 0
        names = dict(self._names)
        if self._table.open_ended:  # a key may turn up later than the rows looked at
            names = {name: name for name in CLAIM_COLUMNS if name not in names.values()} | names
        parsing = Parsing(label_names(self.format.labels), self._date_order)
        source = self._table.keep_only([*names.values(), *_CANONICAL_EXTRAS])
        # Tables yield less where rows are megabytes long and where a row group ends, never more.
        for batch in source.batches(batch_size, skip):
            rows = raw_rows(batch, names, is_text=source.is_text)
            table = canonical_table(
                rows, where=source.where, on_error=self.on_error, names=self._names, parsing=parsing
            )
            del batch, rows  # no two batches of Python values at once
            needed = batch_size - count
            held.append(table.slice(0, needed))
            count += held[-1].num_rows
            if count == batch_size:
                yield held[0] if len(held) == 1 else pa.concat_tables(held)
                held = [table.slice(needed)]
                count = held[0].num_rows
        if count:
            yield pa.concat_tables(held)

    def _date_order(self) -> str | None:
        """The order of day and month in the column of dates, by all of it; asked for where a date can mean two days."""
        if not self._knows_order:
            self._order = order_of_column(self._values("date"))
            self._knows_order = True
        return self._order

    def _values(self, canonical: str) -> Iterator[Any]:
        name = self._names.get(canonical, canonical)
        for batch in self._table.keep_only([name]).batches(_ROWS_READ):
            yield from batch.column(name).values

    @property
    def names(self) -> list[str]:
        """The table's own names of its columns; of JSON, the fields of its first hundred rows."""
        return list(self._table.names)

    def field_rows(self, names: Sequence[str], skip: int = 0) -> Iterator[dict[str, Any]]:
        """Some fields of each row from row ``skip`` on, by the table's own names; a row that lacks one has no such key."""
        for batch in self._table.keep_only(names).batches(_ROWS_READ, skip):
            for row in batch.rows():
                given = {} if row.fault is not None else row.values
                yield {name: given[name] for name in names if name in given and given[name] != ""}

    def fields(self, *names: str) -> list[Any] | None:
        """Fields that the canonical table does not carry (gold evidence, the data set a row comes from), a value a row.

        Args:
            names: the fields to look for; of each row the first that it has a value for is taken.

        Returns:
            None for a row that has none; None as a whole where no row has any.
        """
        return table_fields(self._table, *names)

    def count(self) -> int | None:
        """Number of rows, or None where only reading everything could tell (a streamed data set).

        Delimited and JSON files are passed over once, which takes seconds a gigabyte.
        """
        return self._table.count()


def table_fields(table: Table, *names: str) -> list[Any] | None:
    """See :meth:`ClaimsSource.fields`; for tables that hold no claims, too."""
    held = [name for name in names if table.open_ended or name in table.names]
    if not held:
        return None
    values = []
    for batch in table.keep_only(held).batches(_ROWS_READ):
        for row in batch.rows():
            given = {} if row.fault is not None else row.values
            found = (given.get(name) for name in held)
            values.append(next((v for v in found if v is not None and v != ""), None))
    return values if any(value is not None for value in values) else None


def _is_empty(table: Table) -> bool:
    return next(table.rows(), None) is None


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
            raise InputError(
                f"{where}, row {first + row} (id {identifier!r}), {fault}",
                field="labels",
                hint="correct it, leave it empty, or say with `labels` what it counts as, as in half-true=insufficient",
            )


def open_claims(
    path: "str | Path | ClaimsSource | Any",
    *,
    columns: Mapping[str, str] | None = None,
    format: str | ClaimsFormat | None = None,
    on_error: str = "fail",
) -> ClaimsSource:
    """Open a claims table: CSV, TSV (Factify's files as distributed), JSONL, JSON, Parquet, Excel, or a ``datasets`` data set.

    The header is read and checked here, rows when iterating. Rows are numbered from 0. Columns are recognised by the
    names of the claims table (``id, claim, claim_image, document, document_image, claim_ocr, document_ocr, label, date``) and by
    those of Factify, Climate-FEVER and AVeriTeC. Text files may be packed with gzip, zstd, bzip2 or xz.

    Args:
        path: a file, a folder written by ``Dataset.save_to_disk``, or a ``datasets.Dataset`` or ``IterableDataset``; a source that
            is open already comes back as it is.
        columns: canonical name to column name, for tables that use other names, as in ``{"claim": "text"}``.
        format: ``csv``, ``tsv``, ``jsonl``, ``json``, ``parquet``, ``xlsx`` or ``datasets``, which win over the file's ending; None to
            tell by that and by what is in the file; or a :class:`ClaimsFormat`, which says more.
        on_error: what a bad row does: ``fail`` raises, naming file, row, column and fault; ``mark`` yields it with
            the status ``error`` and the fault as a reason, so that each input row gives one output row (no status but
            the reason where only its label is bad: the claim can be verified).

    Raises:
        InputError: no such file, an unknown format, the wrong separator, another encoding than UTF-8, or missing
            columns.
    """
    if isinstance(path, ClaimsSource):
        return path
    checked_choice("on_error", on_error, ("fail", "mark"))
    if isinstance(columns, ClaimsFormat):
        format, columns = columns, None
    if not isinstance(format, ClaimsFormat):
        format = ClaimsFormat(columns, format)
    elif columns is not None:
        format = ClaimsFormat(columns, **{k: v for k, v in format.to_dict().items() if k != "columns"})
    if not isinstance(path, str | Path):
        from retrieval.tables.arrow import DatasetTable

        return ClaimsSource(DatasetTable(path, "data set"), None, on_error, format)
    path = Path(path)
    return ClaimsSource(_open_path(path, format), path, on_error, format)


def _open_path(path: Path, format: ClaimsFormat) -> Table:
    if not path.exists():
        if str(path) == "-":
            raise InputError("-: standard input is not read", hint=_WRITE_IT)
        raise InputError(f"{path}: no such file or folder")
    if path.is_dir():
        if format.format not in (None, "datasets"):
            raise InputError(f"{path} is a folder; a {format.format} table is a file")
        from retrieval.tables.arrow import DatasetTable, load_saved

        return DatasetTable(load_saved(path), str(path))
    if not path.is_file():
        # A table is read more than once: its header, its rows to count them, its rows.
        raise InputError(f"{path}: a pipe or device, which can be read only once", hint=_WRITE_IT)
    if format.format == "datasets":
        raise InputError(f"{path} is a file; a saved data set is a folder (Dataset.save_to_disk)")
    return open_table(Content(path), format.table_options, lambda names: known_columns(names, format.columns))
