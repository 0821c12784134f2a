"""Tables in Markdown: the line under the header is no row, bars at the ends and spaces around cells are no text."""

import pytest

from retrieval.tables import Content, TableOptions, open_table


def table(path, text, **options):
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return open_table(Content(path), TableOptions(**options), lambda names: sum(n in ("id", "claim") for n in names))


def rows(found):
    return [row.fault.text if row.fault else list(row.values.values()) for row in found.rows()]


WITH_BARS = """
| id | claim            | note |
|:---|:----------------:|-----:|
| 1  | A "b", c \\| d; e |      |

| 2  | "B               | --- |
"""
CELLS = [["1", 'A "b", c | d; e', ""], ["2", '"B', "---"]]


@pytest.mark.parametrize("options", [{}, {"format": "csv"}, {"delimiter": "pipe"}, {"quoting": "none"}])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cells_without_bars_and_spaces(tmp_path, options, end):
    found = table(tmp_path / "t.txt", WITH_BARS.replace("\\\\", "\\").replace("\n", end), **options)
    assert found.names == ["id", "claim", "note"]
    assert rows(found) == CELLS
    assert [row.line for row in found.rows()] == [4, 6]
    assert found.count() == 2
    assert [batch.column("id").values for batch in found.batches(1, skip=1)] == [["2"]]


def test_bars_at_the_ends_may_be_absent(tmp_path):
    assert rows(table(tmp_path / "t.csv", "id | claim\n--- | ---\n1 | A, b\n2|B\n")) == [["1", "A, b"], ["2", "B"]]
    assert rows(table(tmp_path / "t.csv", "| claim |\n|---|\n| A, b |\n")) == [["A, b"]]


def test_a_row_of_another_width_is_marked_and_keeps_its_id(tmp_path):
    found = table(tmp_path / "t.csv", "| id | claim |\n|---|---|\n| 1 | A | b |\n| 2 | B |\nend\n")
    found.only_id_of("id")
    assert rows(found) == [
        "split into 3, where the header has 2 columns",
        ["2", "B"],
        "split into 1, where the header has 2 columns",
    ]
    assert next(found.rows()).values == {"id": "1"}


def test_bytes_that_are_no_text_are_marked(tmp_path):
    found = table(tmp_path / "t.csv", "| id | claim |\n|---|---|\n| 1 | caf\udce9 |\n| 2 | B |\n")
    assert rows(found) == ["not UTF-8: byte 0xe9 at offset 34 of the file", ["2", "B"]]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("id|claim\n1|A\n---|---\n", {}),  # not under the header
        ("id|claim\n-|-|-\n1|A\n", {}),  # of another width
        ("id|claim\n--|--x\n1|A\n", {}),
        ("id|claim\n-|-\n1|A\n", {}),  # cells that say so that they are empty
        ("id|claim\n---|---\n1|A\n", {"quoting": "quoted"}),
    ],
)
def test_other_tables_with_bars_keep_every_row(tmp_path, text, options):
    found = table(tmp_path / "t.csv", text, **options)
    assert len(rows(found)) == 2
    assert ["1", "A"] in rows(found)


def test_dashes_are_text_where_another_character_separates(tmp_path):
    assert rows(table(tmp_path / "t.csv", "id | claim\n- | -\n", delimiter="comma")) == [["- | -"]]
