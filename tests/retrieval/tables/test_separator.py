"""Which character separates the fields of a table: what its header shows, or most of its first lines."""

import logging

import pytest

from retrieval.errors import InputError
from retrieval.tables import Content, TableOptions, open_table


def rows(path, text, named, **options):
    """The fields of each row of a table of which columns up to ``named`` are named; None for a row that cannot be read."""
    path.write_bytes(text.encode())
    table = open_table(
        Content(path), TableOptions(header="none", **options), lambda names: len(names) if len(names) >= named else 0
    )
    return [None if row.fault else list(row.values.values()) for row in table.rows()]


def test_commas_of_sentences_do_not_win_over_semicolons(tmp_path):
    text = "1;Two dogs, running, fast, now.;Two dogs run.\n2;A red car, here.;A red car.\n"
    assert rows(tmp_path / "t.csv", text, 3) == [line.split(";") for line in text.splitlines()]
    assert rows(tmp_path / "t.csv", text, 2, format="csv") == [line.split(";") for line in text.splitlines()]


@pytest.mark.parametrize("delimiter", [";", "|", "\t", ","])
def test_a_broken_row_and_a_comma_in_every_sentence_leave_the_delimiter(tmp_path, delimiter):
    lines = [delimiter.join((str(i), f"Dogs{' ,'[delimiter != ',']} cats" + "!" * i, f"c{i}")) for i in range(9)]
    found = rows(tmp_path / "t.txt", "\n".join([*lines, "cut"]), 3)
    assert found == [*(line.split(delimiter) for line in lines), None]


def test_a_tab_between_digits_is_no_punctuation(tmp_path):
    assert rows(tmp_path / "t.tsv", "1\t7;5 vaccine; x\n", 2) == [["1", "7;5 vaccine; x"]]


def test_too_few_columns_for_those_that_are_named_are_none(tmp_path):
    assert rows(tmp_path / "t.csv", "1;a,b;x y\n2;c,d;z;w\n", 3) == [["1", "a,b", "x y"], None]


@pytest.mark.parametrize("text", ["A, b\nB, c\n", "10,000 people\n20,000 people\n", "A;b\nB, c\n", "A,b\n", "A|b, c\n"])
def test_sentences_that_are_the_only_column_stay_whole(tmp_path, text):
    assert rows(tmp_path / "t.csv", text, 1) == [[line] for line in text.splitlines()]
    assert rows(tmp_path / "t.csv", text, 1, format="csv") == [[line] for line in text.splitlines()]


def test_what_may_be_one_column_is_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="retrieval"):
        rows(tmp_path / "t.csv", "A, b\nB, c\n", 1)
        assert "read as one column, as sentences have commas, too" in caplog.text
        caplog.clear()
        rows(tmp_path / "t.csv", "A, b\nB c\n", 1)
        assert not caplog.records


@pytest.mark.parametrize("text", ["A,b\nB,c\n", '"A, b";x\n"B; c";y\n', "A, b\tx\nB\ty\nC\n"])
def test_columns_that_no_sentence_makes_are_columns_though_the_first_alone_is_named(tmp_path, text):
    widths = {len(row) for row in rows(tmp_path / "t.csv", text, 1) if row}
    assert widths == {2}


def test_texts_of_many_lines_count_as_the_rows_that_they_are_in(tmp_path):
    found = rows(tmp_path / "t.csv", '1,"a\nb\nc, d\ne"\n2,"f\n\ng"\n', 2)
    assert found == [["1", "a\nb\nc, d\ne"], ["2", "f\n\ng"]]
    lines = "".join(f'{i},"{i}\na\nb\nc\nd"\n' for i in range(3))
    assert [row and len(row) for row in rows(tmp_path / "t.csv", f"{lines}cut\n", 2)] == [2, 2, 2, None]


def test_marks_that_quote_tell_the_delimiter(tmp_path):
    assert rows(tmp_path / "t.csv", '"; a , b","c|d"\n', 2) == [["; a , b", "c|d"]]


def test_a_format_that_is_named_says_what_separates(tmp_path):
    with pytest.raises(InputError, match="the rows are separated by tabs, not by commas"):
        rows(tmp_path / "t.csv", "1\tA\n2\tB\n", 2, format="csv")
    assert rows(tmp_path / "t.csv", "A,b\nB,c\n", 1, format="tsv") == [["A,b"], ["B,c"]]


def test_lines_that_each_split_as_rows_do_are_rows(tmp_path):
    assert rows(tmp_path / "t.csv", 'A|"B\nC"|D\n', 2) == [["A", '"B'], ['C"', "D"]]


def claims(path, text, **options):
    """The claims of a table with a header; the reason where one cannot be read."""
    path.write_bytes(text.encode())
    table = open_table(Content(path), TableOptions(**options), lambda names: int("claim" in names))
    return [row.fault.text if row.fault else row.values["claim"] for row in table.rows()]


SENTENCES = ["The sea, they say, is calm; very.", "Two dogs | run.", "A\tpasted tab", "10,000 people, or more", "Plain"]


@pytest.mark.parametrize("options", [{}, {"format": "csv"}, {"quoting": "none"}])
@pytest.mark.parametrize("name", ["t.txt", "t.csv"])
def test_under_one_name_a_line_is_its_value(tmp_path, name, options):
    assert claims(tmp_path / name, "\n".join(["claim", *SENTENCES]), **options) == SENTENCES
    assert claims(tmp_path / name, "claim\nA\tb\nB\n", **options) == ["A\tb", "B"]
    assert claims(tmp_path / name, "claim\n10,000 people\n20,000 people\n", **options)[1] == "20,000 people"


def test_marks_around_a_sentence_under_one_name_are_not_part_of_it(tmp_path):
    assert claims(tmp_path / "t.txt", 'claim\n"The sea, they say"\nB, c\n') == ["The sea, they say", "B, c"]


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_columns_without_a_name_are_not_taken_into_the_claim(tmp_path, delimiter):
    found = claims(tmp_path / "t.csv", f"claim\nA dog{delimiter}true\nB{delimiter}false\n")
    assert found == ["split into 2, where the header has 1 column"] * 2
    assert claims(tmp_path / "t.csv", "claim\nA b,true\nB,false\n", delimiter="tab") == ["A b,true", "B,false"]


@pytest.mark.parametrize("declaration", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;", "sep=;;;"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_first_line_may_declare_the_delimiter(tmp_path, declaration, end):
    path = tmp_path / "t.csv"
    path.write_bytes(end.join([declaration, "id;claim;note", "1;A, b, c;D", "2;broken", "3;B;E"]).encode())
    table = open_table(Content(path), TableOptions(), lambda names: int("claim" in names))
    assert list(table.names) == ["id", "claim", "note"]
    assert [(row.number, row.line, row.values.get("claim")) for row in table.rows()] == [
        (0, 3, "A, b, c"),
        (1, 4, None),
        (2, 5, "B"),
    ]
    assert table.count() == 3
    assert rows(path, end.join([declaration, "1;A, b", "2;B, c"]), 1) == [["1", "A, b"], ["2", "B, c"]]


def test_a_declared_delimiter_gives_way_to_a_named_one_and_not_to_another_format(tmp_path):
    text = "sep=;\nclaim,note\nA;b,c\n"
    assert claims(tmp_path / "t.csv", text, delimiter="comma") == ["A;b"]
    assert claims(tmp_path / "t.csv", "sep=;\nclaim;note\nA;b\n", format="csv") == ["A"]
    with pytest.raises(InputError, match="the columns are separated by semicolons, not by tabs"):
        claims(tmp_path / "t.csv", text, format="tsv")
    assert rows(tmp_path / "t.csv", "sep=:\nA\n", 1) == [["sep=:"], ["A"]]
