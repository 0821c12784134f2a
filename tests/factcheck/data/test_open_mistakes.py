"""Unusable claims tables, rows and cells: what is said about them."""

import json
import os

import pyarrow as pa
import pytest
from claims_tables import rows_of

from factcheck.data import ClaimsFormat, normalize_claims, open_claims
from factcheck.data.claims import check_labels
from factcheck.errors import InputError


def test_broken_quotes_lose_no_row(tmp_path):
    path = tmp_path / "t.tsv"
    good = [f'{i}\tclaim {i}\t"doc ""{i}"" with\ntwo lines"' for i in range(6)]
    bad = ['3\tclaim 3\t"opened here', "second line of it", "third line of it"]
    path.write_text("\n".join(["id\tclaim\tdocument", *good[:3], *bad, *good[4:]]) + "\n")
    rows = rows_of(open_claims(path, on_error="mark"))
    # Nothing says that the lines after the broken one belong to it, so each counts.
    assert [r["claim"] for r in rows] == ["claim 0", "claim 1", "claim 2", None, None, None, "claim 4", "claim 5"]
    assert [r["status"] for r in rows[3:6]] == ["error"] * 3
    assert rows[3]["reasons"] == [
        "line 8: a quoted field goes on after its closing quotation mark; double the marks inside it"
    ]
    assert rows[7]["document"] == 'doc "5" with\ntwo lines'
    with pytest.raises(InputError, match=r"row 3 \(line 8\): a quoted field goes on"):
        rows_of(open_claims(path))


def test_quote_that_never_closes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('claim,label\na,refute\n"b,refute\nc,refute\nd,refute\n')
    assert [(r["claim"], r["label"]) for r in rows_of(open_claims(path))] == [
        (c, "Refute") for c in ["a", '"b', "c", "d"]
    ]
    rows = rows_of(open_claims(path, on_error="mark", format=ClaimsFormat(quoting="quoted")))
    assert [(r["claim"], r["reasons"]) for r in rows] == [
        ("a", []),
        (None, ["line 3: a quoted field is never closed"]),
        ("c", []),
        ("d", []),
    ]


def test_wrong_number_of_fields(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("claim,label\na\nb,refute\nc,refute,more\n")
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [r["reasons"] for r in rows] == [
        ["line 2: split into 1, where the header has 2 columns"],
        [],
        ["line 4: split into 3, where the header has 2 columns"],
    ]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_other_encodings_are_named_by_row_and_byte(tmp_path, name):
    path = tmp_path / name
    lines = ["claim,label", "café,refute"] if name == "t.csv" else ['{"claim": "a"}', '{"claim": "café"}']
    path.write_bytes("\n".join(lines).encode("latin-1"))
    where = f"offset {path.read_bytes().index(0xE9)} of the file"
    number = 0 if name == "t.csv" else 1
    with pytest.raises(InputError, match=rf"row {number} \(line 2\): not UTF-8: byte 0xe9 at {where}"):
        rows_of(open_claims(path))
    assert rows_of(open_claims(path, on_error="mark"))[number]["status"] == "error"


BAD_CELLS = [
    ({"claim": 3}, "claim: expected text, found a number (3)"),
    ({"claim": None}, "claim: empty"),
    ({"claim": "a", "document": {"x": 1}}, "document: expected text or a list of sentences, found an object"),
    ({"claim": "a", "document": ["x", None]}, "document: sentence 1: expected text, found NoneType"),
    ({"claim": "a", "label": 2}, "label: expected the name of a class, found a number (2)"),
    (
        {"claim": "a", "date": "31/02/2024"},
        "date: not a date such as 2024-05-31, 31.5.2024 or May 31, 2024 ('31/02/2024')",
    ),
    ({"claim": "a", "date": "2025-W03"}, "date: not a date such as 2024-05-31, 31.5.2024 or May 31, 2024 ('2025-W03')"),
    ({"claim": "a", "date": 20240531, "document": "Text."}, "date: expected a date such as 2024-05-31"),
    ({"claim": "a", "id": [1]}, "id: expected text or a whole number, found a list"),
    (
        {"claim": "a", "claim_image": 5},
        "claim_image: expected a path, bytes, {bytes, path} or a list of them, found a number (5)",
    ),
    ({"claim": "a", "claim_ocr": True}, "claim_ocr: expected text, found true or false (True)"),
    ({"claim": "half \ud83d pair"}, "claim: half of a surrogate pair at character 5"),
]


@pytest.mark.parametrize(("cells", "reason"), BAD_CELLS)
def test_bad_cells(tmp_path, cells, reason):
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"claim": "fine", "label": "refute"}) + "\n" + json.dumps(cells))
    fine, bad = rows_of(open_claims(path, on_error="mark"))
    assert fine["status"] == "ok"
    # The date only chooses evidence, which a row with a document brings along.
    minor = reason.startswith("claim_image") or (reason.startswith("date") and "document" in cells)
    assert bad["status"] == ("ok" if "label" in cells else ("degraded" if minor else "error"))
    assert bad["reasons"][0].startswith(reason)
    with pytest.raises(InputError, match=r"row 1 \(line 2\), column '\w+': "):
        rows_of(open_claims(path))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{broken", "not JSON (Expecting property name"),
        ('"text"', "expected a JSON object, found str"),
        ("[" * 100_000, "not readable JSON"),
    ],
)
def test_bad_json(tmp_path, line, reason):
    path = tmp_path / "t.jsonl"
    path.write_text('{"claim": "a"}\n' + line + '\n{"claim": "b"}\n')
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [r["status"] for r in rows] == ["ok", "error", "ok"]
    assert rows[1]["reasons"][0].startswith(f"line 2: {reason}")


FILES = [
    ("t.csv", b"", None, "the file is empty"),
    ("t.jsonl", b"{}\n{}\n", None, "no column 'claim'; found no columns"),
    ("t.jsonl", b'[{"text": "a"}]', None, "no column 'claim'; found columns 'text'"),
    (
        "t.jsonl",
        b'["a", "b"]',
        None,
        "expected a JSON object, found list; write one JSON object a line, or one array of objects",
    ),
    ("t.jsonl", b"claim,label\n", None, r"line 1: not JSON \(.*\); write one JSON object a line"),
    ("t.csv", b"text,label\na,refute\n", None, "no column 'claim'; found columns 'text', 'label'; name the column"),
    ("t.tsv", b"claim;label\na;refute\n", {"format": "tsv"}, "separated by semicolons, not by tabs"),
    ("t.csv", b"claim,label\na,refute\n", {"format": "tsv"}, "separated by commas, not by tabs; name the right format"),
    (
        "t.tsv",
        b"claim\tlabel\na\trefute\n",
        {"format": "csv"},
        "separated by tabs, not by commas; name the right format",
    ),
    ("t.csv", b"claim,claim\na,b\n", None, r"column 'claim' \(read as 'claim'\) appears 2 times"),
    (
        "t.csv",
        b"claim,x\na,b\n",
        {"columns": {"label": "y"}},
        r"no column 'y' \(mapped to 'label'\); found columns 'claim', 'x'",
    ),
    (
        "t.csv",
        b"claim,x\na,b\n",
        {"columns": {"verdict": "x"}},
        "cannot map a column to 'verdict'; the names are id, claim,",
    ),
    ("t.csv", b"caf\xe9,claim\n", None, "header: not UTF-8: byte 0xe9 at offset 3"),
    ("t.csv", "claim\n".encode("utf-16")[:-1], None, "not readable as UTF-16"),
    (
        "t.csv",
        b"PK\x03\x04 spreadsheet",
        None,
        "found a zip or spreadsheet file; name it by its format or export it as CSV",
    ),
    ("t.csv", b"\x1f\x8b\x08", None, "a damaged compressed file"),
    ("t.csv", b"PAR1", None, "found a Parquet file; name it by its format"),
    ("t.csv", b'claim,"label\n', None, "header: a quoted field is never closed"),
    ("t.parquet", b"claim,label\n", None, "not a readable Parquet file"),
    ("t.xlsx", b"PK", None, r"t\.xlsx: not a readable spreadsheet"),
    ("t.doc", b"claim", None, "cannot tell the format by the ending '.doc'"),
    ("t.csv", b"claim\n", {"format": "excel"}, "`format` is 'excel', expected one of csv, tsv"),
    ("t.csv", b"claim\n", {"on_error": "skip"}, "`on_error` is 'skip', expected one of fail, mark"),
    ("t.csv", b"claim\n", {"format": "datasets"}, "a saved data set is a folder"),
]


@pytest.mark.parametrize(("name", "content", "options", "message"), FILES)
def test_unusable_files(tmp_path, name, content, options, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_claims(tmp_path / name, **(options or {}))


def test_missing_file_folder_and_wrong_object(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: no such file or folder"):
        open_claims(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"a folder, but not one written by Dataset\.save_to_disk"):
        open_claims(tmp_path)
    with pytest.raises(InputError, match="is a folder; a csv table is a file"):
        open_claims(tmp_path, format="csv")
    with pytest.raises(InputError, match=r"expected a path, a datasets\.Dataset or an IterableDataset, found int"):
        open_claims(5)


def test_pipes_and_standard_input(tmp_path, monkeypatch):
    write_it = r"write the table to a file whose name ends in \.csv, \.tsv, \.jsonl or \.parquet, and give that"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^-: standard input is not read; {write_it}"):
        open_claims("-")
    read, write = os.pipe()
    try:
        with pytest.raises(
            InputError, match=rf"/dev/fd/{read}: a pipe or device, which can be read only once; {write_it}"
        ):
            open_claims(f"/dev/fd/{read}")
    finally:
        os.close(read)
        os.close(write)
    os.mkfifo("c.csv")
    with pytest.raises(InputError, match=r"c\.csv: a pipe or device"):  # and nothing waits for its writer
        open_claims("c.csv")
    (tmp_path / "claims").write_text("claim\na\n")
    with pytest.raises(InputError, match=r"cannot tell the format by the ending ''; .*; give the file such a name"):
        open_claims("claims")
    assert [r["claim"] for r in rows_of(open_claims("claims", format="csv"))] == ["a"]


def test_what_needs_labels_refuses_those_that_are_none():
    table = normalize_claims(pa.table({"id": ["x", "y"], "claim": ["a", "b"], "label": ["refute", "maybe"]}))
    with pytest.raises(
        InputError, match=r"truth\.csv, row 6 \(id 'y'\), label: unknown label 'maybe'; expected one of"
    ):
        check_labels(table, "truth.csv", first=5)
    check_labels(table.slice(0, 1), "truth.csv", first=5)
