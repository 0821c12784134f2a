"""Tables of one column: several lines within quotation marks are a row only where the file shows that marks quote."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.tables.content import Content
from retrieval.tables.delimited import DelimitedTable


def read(path, text, delimiter="\t", **options):
    """The text of each row, None of one that cannot be read."""
    path.write_bytes(text.encode())
    table = DelimitedTable(Content(path), delimiter, **options)
    return [None if row.fault else row.values["claim"] for row in table.rows()]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ('"A\nB"\nC\n', [None, None, "C"]),
        ('"Quote one\nPlain claim\nend of quote"\nD\n', [None, None, None, "D"]),
        ('"A\nB"\n"C"\nD\n', [None, None, "C", "D"]),  # marks that no field needs are a person's
        ('"A\nB"\n"C"\n"D, d"\nE\n', [None, None, "C", "D, d", "E"]),
        ('"A\nB"\n"C, d"\nD, e\n', [None, None, "C, d", "D, e"]),  # one comma is quoted, the other is not
        ('"A, a\nB"\n"C\nD, d"\nE\n', [None, None, None, None, "E"]),  # twice may be chance
        ('"A\nB"\n"C ""d"""\n"No," says E\n', [None, None, 'C "d"', None]),
    ],
)
def test_lines_that_may_be_rows_are_not_merged(tmp_path, body, rows):
    assert read(tmp_path / "t.csv", f"claim\n{body}") == rows
    assert any("\n" in (claim or "") for claim in read(tmp_path / "t.csv", f"claim\n{body}", quoting="quoted"))
    assert None not in read(tmp_path / "t.csv", f"claim\n{body}", quoting="none")


def test_marks_that_no_program_writes_are_letters(tmp_path):
    lines = ['"An opening', "B", 'an end"', '"No," says Anna', 'He said "yes"']
    assert read(tmp_path / "t.csv", "\n".join(["claim", *lines])) == lines


@pytest.mark.parametrize(
    "rows",
    [
        ["A\nB", "C, d", "E"],
        ["A\nB", "C; d", "E"],
        ["A\nB", 'C "d"', "E"],
        ["A, a\nB", "C\nD, d", "E, e\n\nF", "G"],
        ["A\nB", *(f"{i}, a" for i in range(20)), "He, she"],
    ],
)
def test_several_lines_are_a_row_where_a_program_quoted_it(tmp_path, rows):
    stream = io.StringIO()
    csv.writer(stream, delimiter=";" if "C; d" in rows else ",", lineterminator="\n").writerows(
        [["claim"], *([claim] for claim in rows)]
    )
    assert read(tmp_path / "t.csv", stream.getvalue()) == rows
    if len(rows) > 20:  # a row more that speaks against it is one of many
        assert read(tmp_path / "t.csv", f"{stream.getvalue()}One, two\n") == [*rows, "One, two"]


CLAIM = st.text(st.sampled_from('ab ,."'), max_size=8).filter(lambda text: '""' not in text)


@settings(max_examples=200, deadline=None)
@given(st.lists(CLAIM, min_size=1, max_size=12))
def test_lines_with_marks_anywhere_merge_no_rows(tmp_path_factory, claims):
    lines = [f"<{i}>{claim}" if i % 2 else f"{claim}<{i}>" for i, claim in enumerate(claims)]
    found = read(tmp_path_factory.mktemp("t") / "t.csv", "\n".join(["claim", *lines]))
    assert len(found) == len(lines)
    assert all(claim is None or f"<{i}>" in claim for i, claim in enumerate(found))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from('ab ,."\n'), min_size=1, max_size=8), min_size=3, max_size=12))
def test_what_a_program_quotes_throughout_comes_back(tmp_path_factory, claims):
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [["claim"], *([claim] for claim in claims)]
    )
    assert read(tmp_path_factory.mktemp("t") / "t.csv", stream.getvalue()) == claims
