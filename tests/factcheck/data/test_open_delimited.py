"""Comma- and tab-separated claims tables: Factify's own files and anybody's."""

import pandas as pd
import pytest
from claims_tables import HEADER, TRICKY, factify, row, rows_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from factcheck.data import open_claims
from factcheck.data.claims import ClaimsFormat
from factcheck.errors import InputError


def test_factify_2_as_distributed(tmp_path):
    path = factify(tmp_path / "train.csv", [row(7), row(8, **{"Claim OCR": "two\nlines"})])
    source = open_claims(path)
    first, second = rows_of(source)
    assert first == {
        "id": "7",
        "claim": "claim 7",
        "claim_image": {"bytes": None, "path": "c.jpg"},
        "document": TRICKY,
        "document_spans": None,
        "document_image": {"bytes": None, "path": "http://x.com/a?format=jpg&name=large"},
        "claim_ocr": None,
        "document_ocr": "text",
        "label": "Support_Text",
        "date": None,
        "status": "ok",
        "reasons": [],
    }
    assert second["claim_ocr"] == "two\nlines"
    assert source.count() == 2
    assert source.columns["label"] == "Category"
    assert source.path == path


def test_factify_2_test_file_with_named_index(tmp_path):
    header = ["Unnamed: 0", *(name for name in HEADER[1:] if name != "Category")]
    cells = [[cell for name, cell in zip(HEADER, row(3), strict=True) if name != "Category"]]
    (only,) = rows_of(open_claims(factify(tmp_path / "test.csv", cells, header)))
    assert (only["id"], only["label"]) == ("3", None)


def test_factify_1(tmp_path):
    header = ["Id", "claim", "claim_image", "claim_ocr", "document", "document_image", "document_ocr", "Category"]
    path = factify(tmp_path / "train.csv", [["a1", "x", "", "", "y", "", "", "Refute"]], header, delimiter=",")
    (only,) = rows_of(open_claims(path))
    assert (only["id"], only["claim"], only["document"], only["label"]) == ("a1", "x", "y", "Refute")
    assert only["claim_image"] is None


@pytest.mark.parametrize("text", ["", "nan", "NaN"])
def test_nan_cells_are_null(tmp_path, text):
    changes = {"Claim OCR": text, "claim_image": text, "document": text}
    (only,) = rows_of(open_claims(factify(tmp_path / "t.tsv", [row(**changes)])))
    assert only["claim_ocr"] is only["claim_image"] is only["document"] is None
    assert only["status"] == "ok"


@pytest.mark.parametrize("word", ["None", "none", "null", "NULL", "N/A", "n/a", "NA", "NAN", "-", " None "])
def test_words_for_a_missing_text(tmp_path, word):
    path = tmp_path / "t.csv"
    path.write_text(f"claim,document,claim_ocr\na,{word},{word}\n{word},text,\na {word},{word} text,\n")
    document, claim, neither = rows_of(open_claims(path, on_error="mark"))
    assert (document["document"], document["status"]) == (None, "ok")
    assert (claim["claim"], claim["reasons"]) == (None, ["claim: empty"])
    assert (neither["claim"], neither["document"]) == (f"a {word}", f"{word} text")
    if word != "NAN":
        assert document["claim_ocr"] == word, "a photo may well say so"


def test_written_by_pandas(tmp_path):
    frame = pd.DataFrame({"claim": ["a", "b"], "document": [TRICKY, "y"], "Claim OCR": [None, "z"]})
    frame.to_csv(tmp_path / "p.csv", sep="\t")
    frame.to_parquet(tmp_path / "p.parquet")
    for name in ("p.csv", "p.parquet"):
        first, second = rows_of(open_claims(tmp_path / name))
        assert (first["id"], first["document"], first["claim_ocr"], second["claim_ocr"]) == ("0", TRICKY, None, "z")


@pytest.mark.parametrize("prefix", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends(tmp_path, prefix, newline):
    path = tmp_path / "t.csv"
    path.write_bytes((prefix + newline.join(["claim,label", "a,refute", "", "b,Support"]) + newline).encode())
    assert [(r["claim"], r["label"]) for r in rows_of(open_claims(path))] == [("a", "Refute"), ("b", "Support")]


def test_bare_carriage_return_inside_a_field(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'claim,document\na\rb,"c\r\nd"\n')
    (only,) = rows_of(open_claims(path))
    assert (only["claim"], only["document"]) == ("a b", "c\r\nd")


@pytest.mark.parametrize("ending", ["\r", ""])
def test_lines_that_end_in_a_lone_carriage_return(tmp_path, ending):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f'claim,document\ra,"c\nd e"\r\rb,f{ending}'.encode())
    source = open_claims(path)
    assert [(r["claim"], r["document"]) for r in rows_of(source)] == [("a", "c\nd e"), ("b", "f")]
    assert source.count() == 2
    assert [r["claim"] for r in rows_of(source, skip=1)] == ["b"]
    path.write_bytes(b"claim,label\ra,refute\rcaf\xe9,refute\r")
    bad = rows_of(open_claims(path, on_error="mark"))[1]
    assert bad["reasons"] == ["line 3: not UTF-8: byte 0xe9 at offset 24 of the file"]


@pytest.mark.slow
def test_lone_carriage_returns_across_the_blocks_of_a_large_file(tmp_path):
    path = tmp_path / "t.csv"
    claims = [f"claim {i}" + "x" * (i % 97) for i in range(60_000)]
    path.write_bytes(("claim\r" + "\r".join(claims)).encode())
    assert path.stat().st_size > 3 * 2**20
    assert [r["claim"] for r in rows_of(open_claims(path), batch_size=10_000)] == claims


def test_quoted_carriage_returns_in_a_file_with_line_feeds(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'claim,document\n"a\rb","c\rd"\ne,f\n')
    assert [(r["claim"], r["document"]) for r in rows_of(open_claims(path))] == [("a b", "c d"), ("e", "f")]


def test_fields_of_megabytes(tmp_path):
    long = "word and more. " * 400_000  # 6 MB
    path = factify(tmp_path / "t.csv", [row(document=long), row(1)])
    assert [len(r["document"]) for r in rows_of(open_claims(path))] == [len(long), len(TRICKY)]


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(
        st.tuples(*[st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=20)] * 2),
        min_size=1,
    ),
    delimiter=st.sampled_from(",\t;|"),
)
def test_what_csv_writes_is_read_back(tmp_path_factory, cells, delimiter):
    cells = [("c" + claim, "d" + document) for claim, document in cells]
    # A field whose every line has a delimiter reads as two unquoted rows: the dialect is told from the whole file, here of a row or two.
    assume(not any("\n" in cell and delimiter in cell for cells_of_row in cells for cell in cells_of_row))
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    factify(path, cells, ["claim", "document"], delimiter)
    assert [(r["claim"], r["document"]) for r in rows_of(open_claims(path), batch_size=3)] == cells


def test_mapping_beats_recognition_and_takes_its_column(tmp_path):
    (tmp_path / "t.csv").write_text("claim,document,Category\na,b,c\n")
    (only,) = rows_of(open_claims(tmp_path / "t.csv", columns={"claim": "document", "document": "Category"}))
    assert (only["claim"], only["document"], only["label"]) == ("b", "c", None)


@pytest.mark.parametrize("date", ["2024-05-31", "2024-05-31T12:00:00Z", "2024-05-31 12:00:00+05:30"])
def test_dates_are_kept_as_written(tmp_path, date):
    (tmp_path / "t.csv").write_text(f"claim,date\na,{date}\n")
    assert rows_of(open_claims(tmp_path / "t.csv"))[0]["date"] == date


@pytest.mark.parametrize(("name", "delimiter"), [("semicolon", ";"), ("pipe", "|")])
@pytest.mark.parametrize(("file", "format"), [("t.csv", None), ("t.csv", "csv"), ("t.txt", None)])
def test_semicolons_and_bars_are_found_by_the_header(tmp_path, name, delimiter, file, format):
    path = tmp_path / file
    cells = [["1", "first, with a comma", 'says "so"'], ["2", "two\nlines", f"a{delimiter}b"]]
    factify(path, cells, ["id", "claim", "document"], delimiter)
    for how in (ClaimsFormat(format=format), ClaimsFormat(format=format, delimiter=name)):
        found = rows_of(open_claims(path, format=how))
        assert [[row["id"], row["claim"], row["document"]] for row in found] == cells


def test_a_delimiter_that_is_named_wins_over_the_guess(tmp_path):
    (tmp_path / "t.csv").write_text("claim|document;note,label\nx|y;z,refute\n")
    how = ClaimsFormat(columns={"claim": "claim|document"}, delimiter="semicolon")
    (only,) = rows_of(open_claims(tmp_path / "t.csv", format=how))
    assert (only["claim"], only["label"]) == ("x|y", None)
    (tmp_path / "n.csv").write_text("1;first, and more\n2;second, too, and more\n")
    how = ClaimsFormat(columns={"id": "1", "claim": "2"}, header="none", delimiter="semicolon")
    assert [row["claim"] for row in rows_of(open_claims(tmp_path / "n.csv", format=how))] == [
        "first, and more",
        "second, too, and more",
    ]
    with pytest.raises(InputError, match="`delimiter` is 'x', expected one of auto, comma, tab, semicolon, pipe"):
        ClaimsFormat(delimiter="x")
