"""Corpora in memory: tables (pyarrow, pandas, polars, datasets) and iterables of mappings."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.build.corpus import Document, documents_of
from retrieval.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MemoryCorpus"]

#: Rows taken from a table at once: they may hold images.
_ROWS_AT_ONCE = 64
#: What messages call such a corpus; paths of images are relative to the working folder.
_NAME = Path("corpus")


class MemoryCorpus:
    """A corpus that the caller holds, read as :func:`retrieval.build.corpus.read_corpus` reads a file.

    Args:
        rows: a pyarrow table or record batches, a pandas or polars data frame or any other object of the Arrow PyCapsule
            interface, a ``datasets.Dataset``, or an iterable of mappings. A generator is read once and kept.

    Raises:
        InputError: none of these, or an item that is not a mapping.
    """

    def __init__(self, rows: Any) -> None:
        self._dataset, self._table, self._rows = None, None, []
        if hasattr(rows, "with_format") and hasattr(rows, "features"):
            self._dataset = rows.with_format("arrow")  # so that images stay encoded files
        elif hasattr(rows, "__arrow_c_stream__") or hasattr(rows, "__arrow_c_array__"):
            self._table = _table(rows)
        elif isinstance(rows, Iterable) and not isinstance(rows, str | bytes | Mapping):
            self._rows = list(rows)
        else:
            raise InputError(
                f"`corpus` is {type(rows).__name__}, expected a path, a table or an iterable of dicts",
                field="corpus",
            )
        for number, row in enumerate(self._rows, 1):
            if not isinstance(row, Mapping):
                raise InputError(f"corpus, row {number}: expected a dict, found {type(row).__name__}", field="corpus")

    def documents(self, columns: Mapping[str, str] | None, images: bool) -> Iterator[Document]:
        """Its documents, anew at each call; arguments as for :func:`retrieval.build.corpus.read_corpus`."""
        rows = ((number, row, None) for number, row in enumerate(self._each(), 1))
        return documents_of(rows, _NAME, columns, images)

    def identity(self) -> list[list[Any]]:
        """What of it decides an index: a build continues only on an equal one."""
        digest = hashlib.sha256()
        for row in self._each():
            digest.update(json.dumps(row, default=repr, sort_keys=True).encode("utf-8", "surrogatepass") + b"\n")
        return [["", digest.hexdigest()]]

    def _each(self) -> Iterator[dict[str, Any]]:
        if self._dataset is not None:
            for table in self._dataset.iter(batch_size=_ROWS_AT_ONCE):
                yield from _plain(table)
        elif self._table is not None:
            for batch in self._table.to_batches(max_chunksize=_ROWS_AT_ONCE):
                yield from _plain(batch)
        else:
            yield from map(dict, self._rows)


def _table(rows: Any) -> "pa.Table":
    import pyarrow as pa

    try:
        table = pa.table(rows)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"`corpus` cannot be read as a table ({str(error).splitlines()[0]})", field="corpus") from None
    # The index of a pandas frame is no column of the corpus.
    return table.select([name for name in table.column_names if not name.startswith("__index_level_")])


def _plain(rows: Any) -> list[dict[str, Any]]:
    try:
        return rows.to_pylist()
    except (ValueError, OverflowError) as error:  # text that is not UTF-8, a date beyond the year 9999
        raise InputError(f"corpus: a value cannot be read ({error})", field="corpus") from None
