"""Claims tables that are Arrow already: Parquet files and ``datasets`` data sets."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factcheck.data.canonical import RawRows
from factcheck.data.columns import columns_of_no_rows, resolve_columns
from factcheck.data.normalize import raw_rows
from factcheck.errors import InputError

__all__ = ["DatasetReader", "ParquetReader", "load_saved"]

_CANONICAL_EXTRAS = ("document_spans", "status", "reasons")


class ParquetReader:
    """Rows of a Parquet file; only the columns needed are read.

    Raises:
        InputError: the file is not Parquet, or lacks needed columns.
    """

    def __init__(self, path: Path, columns: Mapping[str, str] | None = None):
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                schema = file.schema_arrow
                self._groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        except pa.ArrowInvalid as error:
            raise InputError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
        # pandas writes a frame made of no rows without columns.
        found = schema.names if schema.names or self.count() else columns_of_no_rows(columns)
        self.names = resolve_columns(found, columns, where=str(path))
        self._read = [*self.names.values(), *(name for name in _CANONICAL_EXTRAS if name in schema.names)]

    def batches(self, batch_size: int, skip: int) -> Iterator[RawRows]:
        """Raw rows from row ``skip`` on; row groups that lie before it are not read."""
        first, groups = 0, list(range(len(self._groups)))
        while groups and first + self._groups[groups[0]] <= skip:
            first += self._groups[groups.pop(0)]
        if not groups:
            return
        with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=2**20) as file:
            schema = file.schema_arrow
            try:
                for batch in file.iter_batches(batch_size, row_groups=groups, columns=self._read):
                    end = first + batch.num_rows
                    if end > skip:
                        part = batch.slice(max(skip - first, 0))
                        table = pa.Table.from_batches([part]).replace_schema_metadata(schema.metadata)
                        yield raw_rows(table, self.names, first=end - part.num_rows)
                    first = end
            except (pa.ArrowException, OSError) as error:
                message = str(error).splitlines()[0]
                raise InputError(f"{self.path}: damaged Parquet file after row {first} ({message})") from None

    def count(self) -> int:
        """Number of rows, from the file's footer."""
        return sum(self._groups)


class DatasetReader:
    """Rows of a ``datasets.Dataset`` or ``IterableDataset``; photos stay encoded.

    Raises:
        InputError: ``dataset`` is something else, or lacks needed columns.
    """

    def __init__(self, dataset: Any, columns: Mapping[str, str] | None, where: str):
        if isinstance(dataset, Mapping) and dataset and all(hasattr(part, "features") for part in dataset.values()):
            raise InputError(f"{where}: holds the splits {', '.join(map(str, dataset.keys()))}; give one of them")
        if not hasattr(dataset, "with_format") or not hasattr(dataset, "features"):
            raise InputError(
                f"{where}: expected a path, a datasets.Dataset or an IterableDataset, found {type(dataset).__name__}; "
                "a table in memory goes through normalize_claims (pyarrow.Table.from_pandas makes one of a data frame)"
            )
        names = dataset.column_names
        if names is None:  # a stream that does not know its columns yet
            names = list(next(iter(dataset), {}))
        self._dataset = with_encoded_images(dataset)
        self.names = resolve_columns(names, columns, where=where)
        self._features = dataset.features

    def batches(self, batch_size: int, skip: int) -> Iterator[RawRows]:
        """Raw rows from row ``skip`` on."""
        first = skip
        dataset = self._dataset.skip(skip) if skip else self._dataset
        for table in dataset.with_format("arrow").iter(batch_size):
            yield raw_rows(self._with_features(table), self.names, first=first)
            first += table.num_rows

    def count(self) -> int | None:
        """Number of rows; None for a stream."""
        try:
            return len(self._dataset)
        except TypeError:
            return None

    def _with_features(self, table: pa.Table) -> pa.Table:
        # Class names travel in the schema's metadata, which not every kind of data set fills in.
        if self._features is None:
            return table
        return table.replace_schema_metadata(self._features.arrow_schema.metadata)


def load_saved(path: Path) -> Any:
    """The data set in a folder written by ``Dataset.save_to_disk``.

    Raises:
        InputError: the folder holds no such data set, or several splits.
    """
    splits = [entry.parent.name for entry in sorted(path.glob("*/state.json"))]
    if splits:
        raise InputError(f"{path}: holds the splits {', '.join(splits)}; give the folder of one of them")
    if not (path / "state.json").is_file():
        raise InputError(f"{path}: a folder, but not one written by Dataset.save_to_disk (no state.json)")
    from datasets import load_from_disk

    try:
        return load_from_disk(str(path))
    except Exception as error:  # whatever a damaged folder makes the library raise
        raise InputError(f"{path}: not a readable saved data set ({error})") from None


def with_encoded_images(dataset: Any) -> Any:
    """The data set with its images as files, not as pixels."""
    from datasets import Image

    for name, feature in (dataset.features or {}).items():
        if isinstance(feature, Image) and feature.decode:
            dataset = dataset.cast_column(name, Image(decode=False))
    return dataset
