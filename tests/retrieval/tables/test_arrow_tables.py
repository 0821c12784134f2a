"""Parquet files that are damaged in places: the rows that the footer counts are all there, and those that can be read are read."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.tables.arrow import ParquetTable
from retrieval.tables.content import Content

ROWS, GROUP = 50, 20


@pytest.fixture
def damaged(tmp_path):
    """Three groups of 20, 20 and 10 rows, of which the second has other bytes where its ids lie."""
    table = pa.table({"id": [f"row-{i}" for i in range(ROWS)], "text": [f"text {i}" for i in range(ROWS)]})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=GROUP, use_dictionary=False, write_page_checksum=True)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    content = bytearray(path.read_bytes())
    for place in range(chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size):
        content[place] ^= 0xA5
    path.write_bytes(bytes(content))
    return ParquetTable(Content(path))


@pytest.mark.parametrize("batch_size", [7, 20, 64])
@pytest.mark.parametrize("skip", [0, 15, 25, 45])
def test_each_row_of_a_damaged_group_is_an_error_and_no_other_row_is(damaged, batch_size, skip):
    rows = [row for batch in damaged.batches(batch_size, skip) for row in batch.rows()]
    assert damaged.count() == ROWS
    assert [row.number for row in rows] == list(range(skip, ROWS))
    for row in rows:
        if GROUP <= row.number < 2 * GROUP:
            assert row.fault is not None
            assert row.fault.text.startswith("in a damaged part of the file")
        else:
            assert row.fault is None
            assert row.values == {"id": f"row-{row.number}", "text": f"text {row.number}"}
