"""Tables of Arrow: Parquet files, data sets of the ``datasets`` library, tables in memory."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.errors import InputError, as_input_error, first_line
from retrieval.tables.content import Content
from retrieval.tables.rows import Column, Fault, Row, RowBatch, Table

__all__ = ["ArrowBatch", "DatasetTable", "MemoryTable", "ParquetTable", "load_saved", "with_encoded_images"]

#: What a value makes pyarrow raise that Python has no form for: text that is not UTF-8, a date outside the years 1 to 9999,
#: a time zone that nobody knows (the last as pyarrow, zoneinfo or pytz say it).
_UNREADABLE = (ValueError, OverflowError, LookupError, pa.ArrowException)
# Rows read at once where they are gone through one by one: they may hold images.
_ROWS_READ = 64


class ArrowBatch(RowBatch):
    """Rows as they lie in Arrow."""

    def __init__(self, first: int, table: pa.Table) -> None:
        self.first, self.table = first, table
        self.faults: Mapping[int, Fault] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def array(self, name: str) -> pa.ChunkedArray:
        """The column as it lies there."""
        return self.table.column(name)

    def column(self, name: str) -> Column:
        """The values of a column, None where they cannot be read."""
        return readable_values(self.table.column(name))

    def rows(self) -> Iterator[Row]:
        """The rows one by one."""
        columns = {name: self.column(name) for name in self.table.column_names}
        for i in range(len(self)):
            fault = next(
                (Fault(f"column {name!r} {c.faults[i]}") for name, c in columns.items() if i in c.faults), None
            )
            yield Row(self.first + i, {name: c.values[i] for name, c in columns.items()}, fault)


class _BrokenBatch(RowBatch):
    """Rows that are known to be there and cannot be read."""

    def __init__(self, first: int, length: int, fault: Fault) -> None:
        self.first, self._length, self._fault = first, length, fault
        self.faults = dict.fromkeys(range(length), fault)

    def __len__(self) -> int:
        return self._length

    def column(self, name: str) -> Column:
        """Nothing."""
        return Column([None] * self._length, {})

    def rows(self) -> Iterator[Row]:
        """The rows one by one."""
        return (Row(self.first + i, {}, self._fault) for i in range(self._length))


class _ArrowTable(Table):
    """What all have in common: they are read in batches."""

    def _rows(self, skip: int) -> Iterator[Row]:
        for batch in self.batches(_ROWS_READ, skip):
            yield from batch.rows()


class MemoryTable(_ArrowTable):
    """A :class:`pyarrow.Table`."""

    def __init__(self, table: pa.Table, where: str) -> None:
        self.where, self.names, self._table = where, table.column_names, table

    def batches(self, batch_size: int, skip: int = 0) -> Iterator[RowBatch]:
        """Slices of the table."""
        for first in range(skip, self._table.num_rows, batch_size):
            yield ArrowBatch(first, self._table.slice(first, batch_size))

    def count(self) -> int:
        """Number of rows."""
        return int(self._table.num_rows)


class ParquetTable(_ArrowTable):
    """A Parquet file; only the columns asked for are read (:meth:`keep_only`). Rows of a damaged group cannot be read.

    Raises:
        InputError: the file is not Parquet, or packed.
    """

    def __init__(self, content: Content) -> None:
        self.where = str(content)
        if content.is_packed():
            raise InputError(f"{content}: a packed Parquet file", hint="unpack it first; Parquet compresses by itself")
        self._path = content.path
        damaged = as_input_error(f"{content}: not a readable Parquet file", pa.ArrowException, OSError)
        with damaged, pq.ParquetFile(self._path) as file:
            self.schema = file.schema_arrow
            self._groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        self.names = self.schema.names
        self._wanted: Sequence[str] | None = None

    def keep_only(self, names: Sequence[str]) -> "ParquetTable":
        """The same file, of which no other columns are read."""
        other = copy(self)
        other._wanted = [name for name in self.names if name in set(names)]
        return other

    def batches(self, batch_size: int, skip: int = 0) -> Iterator[RowBatch]:
        """Rows of all row groups; those that lie before row ``skip`` are not read."""
        ends = list(accumulate(self._groups))
        done = skip
        with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=2**20) as file:
            try:
                groups = [group for group, end in enumerate(ends) if end > skip]
                for batch in self._part(file, groups, ends, batch_size, skip):
                    yield batch
                    done = batch.first + len(batch)
            except (pa.ArrowException, OSError):
                for group in (group for group, end in enumerate(ends) if end > done):
                    yield from self._one_group(file, group, ends, batch_size, done)
                    done = ends[group]

    def _part(
        self, file: pq.ParquetFile, groups: list[int], ends: list[int], batch_size: int, skip: int
    ) -> Iterator[ArrowBatch]:
        """The rows of consecutive groups from row ``skip`` of the file on."""
        end = ends[groups[0]] - self._groups[groups[0]] if groups else 0
        for batch in file.iter_batches(batch_size, row_groups=groups, columns=self._wanted):
            first, end = end, end + batch.num_rows
            if end > skip:
                part = batch.slice(max(skip - first, 0))
                table = pa.Table.from_batches([part]).replace_schema_metadata(self.schema.metadata)
                yield ArrowBatch(end - part.num_rows, table)

    def _one_group(
        self, file: pq.ParquetFile, group: int, ends: list[int], batch_size: int, skip: int
    ) -> Iterator[RowBatch]:
        """The rows of a group that may be damaged: what cannot be read of it is known to be there all the same."""
        done = max(ends[group] - self._groups[group], skip)
        try:
            for batch in self._part(file, [group], ends, batch_size, done):
                yield batch
                done = batch.first + len(batch)
        except (pa.ArrowException, OSError) as error:
            fault = Fault(f"in a damaged part of the file ({first_line(error)})")
            for place in range(done, ends[group], batch_size):
                yield _BrokenBatch(place, min(batch_size, ends[group] - place), fault)

    def count(self) -> int:
        """Number of rows, from the file's footer."""
        return sum(self._groups)


class DatasetTable(_ArrowTable):
    """A ``datasets.Dataset`` or ``IterableDataset``; images stay encoded.

    Raises:
        InputError: ``dataset`` is something else.
    """

    def __init__(self, dataset: Any, where: str) -> None:
        if isinstance(dataset, Mapping) and dataset and all(hasattr(part, "features") for part in dataset.values()):
            raise InputError(
                f"{where}: holds the splits {', '.join(map(str, dataset.keys()))}", hint="give one of them"
            )
        if not hasattr(dataset, "with_format") or not hasattr(dataset, "features"):
            raise InputError(
                f"{where}: expected a path, a datasets.Dataset or an IterableDataset, found {type(dataset).__name__}",
                hint="a table in memory goes through `normalize_claims` (pyarrow.Table.from_pandas makes one of a data frame)",
            )
        names = dataset.column_names
        if names is None:  # a stream that does not know its columns yet
            names = list(next(iter(dataset), {}))
        self.where, self.names = where, names
        self._dataset, self._features = with_encoded_images(dataset), dataset.features

    def batches(self, batch_size: int, skip: int = 0) -> Iterator[RowBatch]:
        """Batches of the data set; where one cannot be read, its rows one by one."""
        dataset = self._dataset.with_format("arrow")
        length = self.count()
        if length is None:
            yield from self._streamed(dataset.skip(skip) if skip else dataset, batch_size, skip)
            return
        for first in range(skip, length, batch_size):
            end = min(first + batch_size, length)
            try:
                yield ArrowBatch(first, self._with_features(dataset[first:end]))
            except (pa.ArrowException, OSError):
                for row in range(first, end):
                    yield self._one(dataset, row)

    def count(self) -> int | None:
        """Number of rows; None for a stream."""
        try:
            return len(self._dataset)
        except TypeError:
            return None

    def _streamed(self, dataset: Any, batch_size: int, first: int) -> Iterator[RowBatch]:
        try:
            for table in dataset.iter(batch_size):
                yield ArrowBatch(first, self._with_features(table))
                first += table.num_rows
        except (pa.ArrowException, OSError) as error:  # nobody knows how many rows there would have been
            raise InputError(f"{self.where}: cannot be read after row {first} ({first_line(error)})") from None

    def _one(self, dataset: Any, row: int) -> RowBatch:
        try:
            return ArrowBatch(row, self._with_features(dataset[row : row + 1]))
        except (pa.ArrowException, OSError) as error:
            return _BrokenBatch(row, 1, Fault(f"in a damaged part of the data set ({first_line(error)})"))

    def _with_features(self, table: pa.Table) -> pa.Table:
        # Class names travel in the schema's metadata, which not every kind of data set fills in.
        if self._features is None:
            return table
        return table.replace_schema_metadata(self._features.arrow_schema.metadata)


def load_saved(path: Any) -> Any:
    """The data set in a folder written by ``Dataset.save_to_disk``.

    Raises:
        InputError: the folder holds no such data set, or several splits.
    """
    splits = [entry.parent.name for entry in sorted(path.glob("*/state.json"))]
    if splits:
        raise InputError(f"{path}: holds the splits {', '.join(splits)}", hint="give the folder of one of them")
    if not (path / "state.json").is_file():
        raise InputError(f"{path}: a folder, but not one written by Dataset.save_to_disk (no state.json)")
    from datasets import load_from_disk

    with as_input_error(
        f"{path}: not a readable saved data set", Exception
    ):  # whatever a damaged folder makes it raise
        return load_from_disk(str(path))


def readable_values(column: pa.ChunkedArray) -> Column:
    """The values of a column as Python has them, and by row what is wrong with those that it cannot have (None)."""
    try:
        return Column(column.to_pylist(), {})
    except _UNREADABLE:
        values: list[Any] = []
        faults: dict[int, str] = {}
        for row, cell in enumerate(column):
            try:
                values.append(cell.as_py())
            except _UNREADABLE as error:
                values.append(None)
                faults[row] = f"cannot be read ({_explain(column.type, error)})"
        return Column(values, faults)


def _explain(kind: pa.DataType, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte 0x{error.object[error.start]:02x} at byte {error.start} of the value"
    zone = getattr(kind, "tz", None)
    if zone is not None and (isinstance(error, LookupError | pa.ArrowException) or "zone" in str(error).lower()):
        return f"the time zone {zone!r} is not known"
    if pa.types.is_temporal(kind):
        return "outside the years 1 to 9999"
    return first_line(error)


def with_encoded_images(dataset: Any) -> Any:
    """The data set with its images as files, not as pixels."""
    from datasets import Image

    for name, feature in (dataset.features or {}).items():
        if isinstance(feature, Image) and feature.decode:
            dataset = dataset.cast_column(name, Image(decode=False))
    return dataset
