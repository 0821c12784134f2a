"""Tables as people have them, as one stream of rows: delimited text, JSON, Parquet, data sets, spreadsheets.

A row that cannot be read is a row with a fault, so that nothing is lost and nobody's text counts as somebody else's.
"""

from typing import TYPE_CHECKING

from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from retrieval.tables.content import Content
    from retrieval.tables.formats import TABLE_FORMATS, TableOptions, open_table
    from retrieval.tables.rows import Fault, Row, RowBatch, Table

__all__ = ["TABLE_FORMATS", "Content", "Fault", "Row", "RowBatch", "Table", "TableOptions", "open_table"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "TABLE_FORMATS": ".formats",
        "Content": ".content",
        "Fault": ".rows",
        "Row": ".rows",
        "RowBatch": ".rows",
        "Table": ".rows",
        "TableOptions": ".formats",
        "open_table": ".formats",
    },
)
