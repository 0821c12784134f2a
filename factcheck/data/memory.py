"""Tables in memory, whatever library they are of, as one Arrow table."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from factcheck.errors import InputError
from retrieval.errors import as_input_error
from retrieval.tables.arrow import ArrowBatch
from retrieval.tables.rows import ListBatch, Row, RowBatch

__all__ = ["as_batch", "as_table"]


def as_batch(rows: Any, what: str = "table") -> RowBatch:
    """The rows of what :func:`as_table` takes; those with a text that Arrow cannot hold, half of a surrogate pair in it, as dicts.

    Raises:
        InputError: as :func:`as_table` does.
    """
    rows = list(rows) if isinstance(rows, Iterator) and not hasattr(rows, "__arrow_c_stream__") else rows
    try:
        return ArrowBatch(0, _table(rows, what))
    except UnicodeEncodeError:
        items = rows.to_dict("records") if hasattr(rows, "to_dict") else rows
        return ListBatch(0, [Row(number, dict(item)) for number, item in enumerate(items)])


def as_table(rows: Any, what: str = "table") -> pa.Table:
    """An Arrow table of what an analyst holds; images in it stay encoded files.

    Args:
        rows: a pyarrow table, record batch or reader; a pandas or Polars data frame, or any other object of the Arrow PyCapsule
            interface; a ``datasets.Dataset``; or an iterable of dicts.
        what: the parameter, as messages name it.

    Raises:
        InputError: none of these, or a column that Arrow cannot hold; names what was found and what to do.
    """
    try:
        return _table(rows, what)
    except UnicodeEncodeError as error:
        raise InputError(
            f"`{what}`: a text holds half of a surrogate pair, which is not valid Unicode ({error.object[:60]!r})",
            field=what,
        ) from None


def _table(rows: Any, what: str) -> pa.Table:
    if isinstance(rows, pa.Table):
        return rows
    if hasattr(rows, "with_format") and hasattr(rows, "features"):
        return _of_dataset(rows, what)
    if hasattr(rows, "collect") and hasattr(rows, "collect_schema"):  # a Polars frame that is not computed yet
        rows = rows.collect()
    found, mixed = type(rows).__name__, (pa.ArrowException, TypeError, OverflowError)  # a column of mixed types
    with as_input_error(f"`{what}`: a column cannot be read", *mixed, field=what):
        if hasattr(rows, "__arrow_c_stream__"):
            return pa.table(rows)
        if hasattr(rows, "__arrow_c_array__"):
            return pa.Table.from_batches([pa.record_batch(rows)])
        if isinstance(rows, Iterable) and not isinstance(rows, str | bytes | Mapping):
            items = list(rows)
            if all(isinstance(item, Mapping) for item in items):
                return pa.Table.from_pylist([dict(item) for item in items])
            found = f"a list of {type(items[0]).__name__}"
    raise InputError(
        f"`{what}` is {found}, expected a table of claims",
        field=what,
        hint="give a pyarrow table, a pandas or Polars data frame, a datasets.Dataset, or a list of dicts or Claims",
    )


def _of_dataset(rows: Any, what: str) -> pa.Table:
    from retrieval.tables.arrow import with_encoded_images

    if not hasattr(rows, "__len__"):
        raise InputError(
            f"`{what}` is a streamed data set, which may not fit into memory",
            field=what,
            hint="take a part: list(stream.take(1000))",
        )
    dataset = with_encoded_images(rows)
    table = dataset.with_format("arrow")[:]
    # Class names of labels travel in the schema's metadata.
    return table.replace_schema_metadata(dataset.features.arrow_schema.metadata)
