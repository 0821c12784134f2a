"""Ids of rows that cannot be read: their own where it can be told, else none that another row could have."""

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from claims_tables import rows_of

from factcheck.data import ClaimsFormat, open_claims
from factcheck.errors import InputError


def ids(path, **options):
    return [(row["id"], row["status"]) for row in rows_of(open_claims(path, on_error="mark", **options))]


def test_a_row_that_does_not_split_keeps_its_id(tmp_path):
    path = tmp_path / "t.csv"
    rows = ["2,a,refute", "1,b", "0,c,refute,more", '"9","e" e,refute', "3,f,refute", '8,"g,refute', "4,h,refute"]
    path.write_text("\n".join(["id,claim,label", *rows]) + "\n")
    quoted = ClaimsFormat(quoting="quoted")
    assert ids(path, format=quoted) == [(name, "error" if name in "1098" else "ok") for name in "2109384"]
    broken = {"1", "0"}
    assert ids(path) == [(name, "error" if name in broken else "ok") for name in "2109384"]


def test_an_id_that_may_have_shifted_is_not_believed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("claim,id,label\na,1,refute\nb, and more,0,refute\nc\nd,3,refute\n")
    assert ids(path) == [("1", "ok"), ("row 1", "error"), ("row 2", "error"), ("3", "ok")]


def test_a_broken_id_is_not_believed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,claim\n"a" b,c\n"x,y\nz\n')
    found = ids(path, format=ClaimsFormat(quoting="quoted"))
    assert found
    assert all(name.startswith("row ") and status == "error" for name, status in found)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"id": "a7", "claim": "cut o', "a7"),
        ('{"id": 7, "claim": cut}', "7"),
        ('{"id": 7', "row 1"),
        ('{"claim": "the \\"id\\": 0", cut', "row 1"),
        ('{"idea": "x", cut', "row 1"),
        ('["id", 1]', "row 1"),
    ],
)
def test_json_that_cannot_be_read(tmp_path, line, expected):
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"id": "1", "claim": "a"}}\n{line}\n{{"id": 0, "claim": "b"}}\n')
    assert ids(path) == [("1", "ok"), (expected, "error"), ("0", "ok")]


def test_ids_are_row_numbers_where_the_table_has_none(tmp_path):
    csv, jsonl = tmp_path / "t.csv", tmp_path / "t.jsonl"
    csv.write_text("claim,label\na,refute\nb\nc,refute\n")
    jsonl.write_text('{"claim": "a"}\n{broken\n{"claim": "c"}\n')
    assert ids(csv) == ids(jsonl) == [("0", "ok"), ("1", "error"), ("2", "ok")]


def test_an_empty_id_does_not_become_another_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,claim\n2,a\n1,b\n,c\n")
    assert ids(path) == [("2", "ok"), ("1", "ok"), ("row 2", "ok")]


def test_ids_do_not_depend_on_batches(tmp_path):
    path = tmp_path / "t.jsonl"
    rows = [{"id": f"r{i}", "claim": "a"} if i % 3 else {"claim": "a"} for i in range(30)]
    path.write_text("\n".join(map(json.dumps, rows)))
    source = open_claims(path, on_error="mark")
    assert [r["id"] for r in rows_of(source, batch_size=4)] == [r["id"] for r in rows_of(source)]
    assert len({r["id"] for r in rows_of(source)}) == 30


def test_an_unknown_label_does_not_cost_the_verdict(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,claim,label\n1,a,half-true\n2,,half-true\n3,c,REFUTES\n4,d,Not Enough Info\n5,e,SUPPORTS\n")
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [row["status"] for row in rows] == ["ok", "error", "ok", "ok", "ok"]
    assert rows[0]["reasons"][0].startswith("label: unknown label 'half-true'; expected one of Support_Multimodal, ")
    assert rows[0]["reasons"][0].count("Refute,") + rows[0]["reasons"][0].count("Refute ") == 1
    assert [row["label"] for row in rows] == [None, None, "Refute", "Insufficient", "Support"]
    with pytest.raises(InputError, match=r"row 0 \(line 2\), column 'label': unknown label 'half-true'"):
        rows_of(open_claims(path))


def test_ids_of_a_numeric_column(tmp_path):
    path = tmp_path / "t.parquet"
    ids = [Decimal(10**37), Decimal("2.5"), None]
    pq.write_table(pa.table({"id": pa.array(ids, pa.decimal256(40, 1)), "claim": ["a", "b", "c"]}), path)
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [(row["id"], row["status"]) for row in rows] == [(str(10**37), "ok"), ("row 1", "error"), ("row 2", "ok")]
