"""Delimited tables, quoted, unquoted and half broken: no row is lost, and no field holds another row's text."""

import csv
import hashlib
import io
import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.tables.content import Content
from retrieval.tables.delimited import DelimitedTable
from retrieval.tables.profile import CERTAIN, Identifiers


def table(path, text, delimiter="\t", **options):
    path.write_bytes(text.encode())
    return DelimitedTable(Content(path), delimiter, **options)


def read(path, text, delimiter="\t", **options):
    found = table(path, text, delimiter, **options)
    rows = list(found.rows())
    assert found.count() == len(rows) == sum(len(batch) for batch in found.batches(3))
    return rows


def values(rows):
    return [None if row.fault else list(row.values.values()) for row in rows]


HEADLINES = [
    "id\ttext\tlabel",
    '1\t"We won," says coach\ta',
    '2\t"Rain," say all\tb',
    "3\tPlain\tc",
    '4\t"No," they say\td',
]


def test_runs_of_rows_that_do_not_parse_are_all_there(tmp_path, caplog):
    rows = read(tmp_path / "t.tsv", "\n".join(HEADLINES) + "\n")
    assert values(rows) == [line.split("\t") for line in HEADLINES[1:]]
    assert "its fields are not quoted" in caplog.text
    quoted = read(tmp_path / "t.tsv", "\n".join(HEADLINES) + "\n", quoting="quoted")
    assert [row.fault is not None for row in quoted] == [True, True, False, True]


@pytest.mark.parametrize(
    ("line", "sure"),
    [("2\tb\tc", True), ("  2\tb\tc", True), ("٢\tb\tc", True), ("b 2\tc\td", False), ("(2\tb\tc", False)],
)
def test_a_number_opens_a_line_with_or_without_spaces_before_it(line, sure):
    numbers = Identifiers(digits=(1, 3), step=1)
    assert (numbers.opening(['1\t"a', line], "\t", "1") == CERTAIN) is sure


def test_stray_marks_join_no_rows(tmp_path):
    lines = ["id\ttext\tlabel", '1\t"An opening\ta', "2\tmiddle\tb", '3\tan end"\tc', "4\tlast\td"]
    assert values(read(tmp_path / "t.tsv", "\n".join(lines))) == [line.split("\t") for line in lines[1:]]


def test_a_quoted_table_keeps_its_lines_and_its_broken_row_its_neighbours(tmp_path):
    text = 'id,text,label\n1,"two\nlines, ""one"" field",a\n2,"he said "x" and\nmore",b\n3,"again\ntwo",c\n4,"d, e",d\n'
    rows = read(tmp_path / "t.csv", text, ",")
    good = [row.values for row in rows if row.fault is None]
    assert [row["id"] for row in good] == ["1", "3", "4"]
    assert good[0]["text"] == 'two\nlines, "one" field'
    assert [row.line for row in rows if row.fault] == [4, 5]


def test_a_table_that_quotes_every_field_stays_quoted_though_a_row_is_broken(tmp_path):
    lines = ['"id","text"', *(f'"{i}","text {i}"' for i in range(20)), '"20","he said "no" again"']
    rows = read(tmp_path / "t.csv", "\n".join(lines), ",")
    assert [row.values["id"] for row in rows[:20]] == [str(i) for i in range(20)]
    assert rows[20].fault is not None


LINES_IN_TEXTS = ["Sea|false", "Sun|true", '"Rain fell', 'in May"|false', '"Snow | ice', 'lay deep"|true', "Wind|true"]


def test_one_text_that_looks_like_two_rows_does_not_unquote_the_others(tmp_path):
    """A doubled mark within marks shows that a program has quoted; "lay deep" may be a row of its own."""
    lines = ["claim|label", *LINES_IN_TEXTS, '"A ""calm"" sea"|true']
    assert values(read(tmp_path / "t.csv", "\n".join(lines), "|")) == [
        *(["Sea", "false"], ["Sun", "true"], ["Rain fell\nin May", "false"]),
        *(None, None, ["Wind", "true"], ['A "calm" sea', "true"]),
    ]


def test_rows_whose_first_line_alone_is_none_are_not_torn(tmp_path):
    found = values(read(tmp_path / "t.csv", "\n".join(["claim|label", *LINES_IN_TEXTS]), "|"))
    assert found == [["Sea", "false"], ["Sun", "true"], None, None, None, None, ["Wind", "true"]]


def test_rows_that_each_reading_sees_its_own_way_are_not_read(tmp_path, caplog):
    lines = ["id,text", '2,"x" y', '1,"a, b"', '3,"u" v', "4,plain", '5,"w" z']
    rows = read(tmp_path / "t.csv", "\n".join(lines), ",")
    assert [row.fault is None for row in rows] == [False, False, False, True, False]
    assert rows[1].fault.text.startswith("cannot be told whether")
    assert "some rows are quoted and others not" in caplog.text
    assert [row.fault is None for row in read(tmp_path / "t.csv", "\n".join(lines), ",", quoting="quoted")] == [
        *(False, True, False, True, False)
    ]
    assert [row.fault is None for row in read(tmp_path / "t.csv", "\n".join(lines), ",", quoting="none")] == [
        *(True, False, True, True, True)
    ]


def test_a_table_without_a_header(tmp_path):
    rows = read(tmp_path / "t.tsv", "2635.json\tfalse\tSays x.\n10540.json\ttrue\tSays y.\n", header="none")
    assert [dict(row.values) for row in rows][1] == {"1": "10540.json", "2": "true", "3": "Says y."}


CELL = st.text(st.sampled_from("abc ,.\"'\t\n"), max_size=12)
ROWS = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12)


def marked(rows):
    """Rows with an id and with their number in every text, by which it is known whose it is."""
    return [(str(i), f"<{i}>{a}<{i}>", f"<{i}>{b}<{i}>") for i, (a, b) in enumerate(rows)]


def assert_nobody_elses(rows):
    for row in rows:
        if row.fault is None:
            numbers = {
                "".join(filter(str.isdigit, part.split(">")[0]))
                for value in row.values.values()
                for part in value.split("<")[1:]
            }
            assert len(numbers) <= 1, row
            assert not (row.values["id"].isdecimal() and numbers - {row.values["id"]}), row


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from(",\t"), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_quoted_tables_come_back(tmp_path_factory, cells, delimiter, quoting):
    rows = marked(cells)
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows([("id", "a", "b"), *rows])
    found = read(tmp_path_factory.mktemp("t") / "t.csv", stream.getvalue(), delimiter)
    assert [tuple(row.values.values()) for row in found] == rows


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from(",\t"))
def test_unquoted_tables_come_back(tmp_path_factory, cells, delimiter):
    rows = [[v.replace(delimiter, " ").replace("\n", " ") for v in row] for row in marked(cells)]
    text = "\n".join(delimiter.join(row) for row in [["id", "a", "b"], *rows])
    found = read(tmp_path_factory.mktemp("t") / "t.csv", text, delimiter)
    assert [list(row.values.values()) for row in found] == rows


@settings(max_examples=200, deadline=None)
@given(ROWS, st.sampled_from(",\t"), st.data())
def test_a_mark_lost_or_one_too_many_loses_no_row_and_mixes_none(tmp_path_factory, cells, delimiter, data):
    logging.getLogger("retrieval").setLevel(logging.ERROR)
    rows = marked(cells)
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows([("id", "a", "b"), *rows])
    header, _, body = stream.getvalue().partition("\n")
    places = [i for i, character in enumerate(body) if character == '"']
    if places and data.draw(st.booleans()):
        lost = data.draw(st.sampled_from(places))
        body = body[:lost] + body[lost + 1 :]
    else:
        stray = data.draw(st.integers(0, len(body)))
        body = body[:stray] + '"' + body[stray:]
    found = read(tmp_path_factory.mktemp("t") / "t.csv", f"{header}\n{body}", delimiter)
    assert len(found) >= len(rows)
    assert_nobody_elses(found)


def test_a_table_without_a_header_whose_first_rows_begin_with_stray_marks(tmp_path):
    lines = ['1.json\t"No," he says\ta', '2.json\t"An opening\tb', *(f"{i}.json\tplain\tc" for i in range(3, 9))]
    lines.append('9.json\tan end"\td')
    rows = read(tmp_path / "t.tsv", "\n".join(lines), header="none")
    assert values(rows) == [line.split("\t") for line in lines]


# What marks do in a cell, {} being whose it is and | the delimiter: open, close, stand alone, quote in vain.
MARKED = st.sampled_from(
    ["{} x", "{}", '"{} x', '{} x"', "{}", '"{}"', '""{}', 'x "{}" y', "{} |x", '"{}| x', '{}"| x', '"']
)
IDS = {
    "numbers in order": str,
    "numbers": lambda i: str(7919 * (i + 3) ** 3 % 900_001 + 99_999),
    "numbers with a word": lambda i: f"{i + 11}.json",
    "several sets": lambda i: f"{('train', 'dev')[i % 2]}-{i}",
    "hashes": lambda i: hashlib.sha1(str(i).encode()).hexdigest()[:12],
}


@pytest.mark.parametrize("ids", IDS)
@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(MARKED, MARKED), min_size=2, max_size=12), st.sampled_from(",\t"))
def test_marks_anywhere_in_a_table_without_quoting_merge_no_rows(tmp_path_factory, ids, cells, delimiter):
    logging.getLogger("retrieval").setLevel(logging.ERROR)
    if ids == "several sets":  # of either one is seen
        cells = [("{}", "{}")] * 2 + cells
    lines = [
        "|".join([IDS[ids](i), *row]).replace("{}", f"<{i}>").replace("|", delimiter) for i, row in enumerate(cells)
    ]
    header = delimiter.join(("id", "a", "b"))
    found = read(tmp_path_factory.mktemp("t") / "t.csv", "\n".join([header, *lines]), delimiter)
    assert len(found) == len(lines)
    for i, row in enumerate(found):
        if row.fault is None:
            assert row.values["id"] == IDS[ids](i)
            assert set(re.findall("<([0-9]+)>", "".join(row.values.values()))) <= {str(i)}


@pytest.mark.parametrize(
    "lines",
    [
        [',r0\ta is\t",;b|\tc', ', r1\td is""e f\tg"","\txh'],  # seen in a fuzz run
        ['claim1\tit is\t"a\tx', 'another\tit ""is""\tb"\ty'],
        [
            "x1|\ta\tb\tc",
            "x2,\ta\tb\tc",
            "3\ta\tb\tc",
            "y4\ta\tb\tc",
            'z5\ta\t"b\tc',
            'it is 6\ta\tb"\tc',
            "z7\ta\tb\tc",
        ],
    ],
)
def test_a_word_or_two_with_a_digit_are_no_ids_that_every_row_begins_with(tmp_path, lines):
    assert values(read(tmp_path / "t.tsv", "\n".join(["claim\tdocument\tnote\tlabel", *lines]))) == [
        line.split("\t") for line in lines
    ]


def test_a_text_that_looks_like_rows_stays_a_text_where_marks_are_trusted(tmp_path):
    """Lines within quotation marks that begin with numbers, in a table of which every row can be read as quoted."""
    rows = [(str(50 + 3 * i), f"First,\n{i}, second,\nthird" if i % 3 else "Plain, with a comma") for i in range(40)]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([("id", "text"), *rows])
    assert values(read(tmp_path / "t.csv", stream.getvalue(), ",")) == [list(row) for row in rows]


def test_a_text_whose_lines_begin_with_the_next_ids_is_asked_about(tmp_path):
    text = 'id,text\n3,"one, two"\n4,"a list:\n5, x\n6, y"\n7,"three, four"\n'
    rows = read(tmp_path / "t.csv", text, ",")
    assert [row.fault is None for row in rows] == [True, False, False, False, True]
    assert "looks like a row of its own (see the option quoting)" in rows[1].fault.text
    assert values(read(tmp_path / "t.csv", text, ",", quoting="quoted"))[1] == ["4", "a list:\n5, x\n6, y"]


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.zst", "t.csv.bz2", "t.csv.xz", "t.csv"])
def test_packed_tables(tmp_path, name):
    import bz2
    import gzip
    import lzma

    import pyarrow as pa

    text = "id,text\n1,größer\n".encode()
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "csv": lambda data: data}
    packers["zst"] = lambda data: pa.compress(data, codec="zstd", asbytes=True)
    (tmp_path / name).write_bytes(packers[name.rpartition(".")[2]](text))
    content = Content(tmp_path / name)
    assert content.suffix == ".csv"
    assert [dict(row.values) for row in DelimitedTable(content, ",").rows()] == [{"id": "1", "text": "größer"}]
