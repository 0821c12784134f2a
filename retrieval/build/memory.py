"""Corpora in memory: tables (pyarrow, pandas, polars, datasets) and iterables of mappings."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from retrieval.build.corpus import CorpusFormat, Document, documents_of
from retrieval.errors import InputError, as_input_error
from retrieval.tables.rows import Row, Table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MemoryCorpus"]

#: What messages call such a corpus; paths of images are relative to the working folder.
_NAME = "corpus"


class MemoryCorpus:
    """A corpus that the caller holds, read as :func:`retrieval.build.corpus.read_corpus` reads a file.

    Args:
        rows: a pyarrow table or record batches, a pandas or polars data frame or any other object of the Arrow PyCapsule
            interface, a ``datasets.Dataset``, or an iterable of mappings. A generator is read once and kept.

    Raises:
        InputError: none of these, or an item that is not a mapping.
    """

    def __init__(self, rows: Any) -> None:
        if hasattr(rows, "with_format") and hasattr(rows, "features"):
            from retrieval.tables.arrow import DatasetTable

            self._table: Table = DatasetTable(rows, _NAME)
        elif hasattr(rows, "__arrow_c_stream__") or hasattr(rows, "__arrow_c_array__"):
            from retrieval.tables.arrow import MemoryTable

            self._table = MemoryTable(_table(rows), _NAME)
        elif isinstance(rows, Iterable) and not isinstance(rows, str | bytes | Mapping):
            self._table = _Mappings(list(rows))
        else:
            raise InputError(
                f"`corpus` is {type(rows).__name__}, expected a path, a table or an iterable of dicts",
                field="corpus",
            )

    def documents(self, how: CorpusFormat, images: bool) -> Iterator[Document]:
        """Its documents, anew at each call."""
        return documents_of(self._table, how, images)

    def identity(self) -> list[list[Any]]:
        """What of it decides an index: a build continues only on an equal one."""
        digest = hashlib.sha256()
        for row in self._table.rows():
            text = json.dumps(dict(row.values), default=repr, sort_keys=True)
            digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
        return [["", digest.hexdigest()]]


class _Mappings(Table):
    """Rows that are mappings already."""

    open_ended = True

    def __init__(self, rows: list[Any]) -> None:
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise InputError(f"{_NAME}, row {number}: expected a dict, found {type(row).__name__}", field="corpus")
        self.where, self.names, self._held = _NAME, list(rows[0]) if rows else [], rows

    def _rows(self, skip: int) -> Iterator[Row]:
        return (Row(number, row) for number, row in enumerate(self._held[skip:], skip))


def _table(rows: Any) -> "pa.Table":
    import pyarrow as pa

    with as_input_error("`corpus` cannot be read as a table", pa.ArrowException, TypeError, ValueError, field="corpus"):
        table = pa.table(rows)
    # The index of a pandas frame is no column of the corpus.
    return table.select([name for name in table.column_names if not name.startswith("__index_level_")])
