import pyarrow as pa
import pytest

from factcheck.data import normalize_claims
from factcheck.data.canonical import RawRows, canonical_table
from factcheck.data.columns import CLAIM_COLUMNS
from factcheck.errors import InputError
from factcheck.records import claims_schema


def test_only_a_claim_is_required():
    (row,) = normalize_claims(pa.table({"claim": ["a"]})).to_pylist()
    assert row == dict.fromkeys(claims_schema().names) | {"id": "0", "claim": "a", "status": "ok", "reasons": []}


def test_schema_order_and_ids():
    table = normalize_claims(pa.table({"Claim": ["a", "b", "c"], "id": pa.array([7.0, None, 7.0])}))
    assert table.schema.equals(claims_schema())
    assert table["id"].to_pylist() == ["7", "row 1", "7"], "a bare 1 might be another row's id"


@pytest.mark.parametrize(
    "images",
    [
        pa.array([b"x", None], pa.binary()),
        pa.array([b"x", None], pa.large_binary()),
        pa.array([b"x", None], pa.binary_view()),
        pa.array([b"x", None], pa.binary(1)),
        pa.array([{"bytes": b"x"}, None]),
        pa.array(
            [{"path": None, "bytes": b"x"}, {"path": " ", "bytes": None}],
            pa.struct([("path", pa.string()), ("bytes", pa.binary())]),
        ),
        pa.array(
            [{"bytes": b"x", "path": None}, None],
            pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())]),
        ),
    ],
    ids=lambda array: str(array.type),
)
def test_image_types(images):
    table = normalize_claims(pa.table({"claim": ["a", "b"], "claim_image": images}))
    table.validate(full=True)
    assert table["claim_image"].to_pylist() == [{"bytes": b"x", "path": None}, None]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_image_paths(kind):
    table = normalize_claims(pa.table({"claim": ["a", "b", "c"], "claim_image": pa.array(["p.jpg", "", None], kind)}))
    assert table["claim_image"].to_pylist() == [{"bytes": None, "path": "p.jpg"}, None, None]


def test_image_struct_of_other_fields_costs_the_image():
    images = pa.array([{"url": "x"}])
    (row,) = normalize_claims(pa.table({"claim": ["a"], "claim_image": images})).to_pylist()
    assert row["status"] == "degraded"
    assert row["reasons"][0].startswith(
        "claim_image: expected a path, bytes, {bytes, path} or a list of them, found an obj"
    )


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.string(), 2)])
def test_documents_as_lists(kind):
    table = normalize_claims(pa.table({"claim": ["a", "b"], "document": pa.array([["x 😀", "y"], None], kind)}))
    first, second = table.to_pylist()
    assert [first["document"][s["start"] : s["end"]] for s in first["document_spans"]] == ["x 😀", "y"]
    assert second["document_spans"] is None


def test_several_chunks_and_slices():
    table = pa.concat_tables(
        [
            pa.table({"claim": [str(i)] * 3, "claim_image": [b"%d" % i, None, b"z"], "document": [["s", "t"]] * 3})
            for i in range(4)
        ]
    ).slice(2, 7)
    rows = normalize_claims(table).to_pylist()
    assert [r["claim"] for r in rows] == table["claim"].to_pylist()
    assert [r["claim_image"] and r["claim_image"]["bytes"] for r in rows] == table["claim_image"].to_pylist()


def test_canonical_stays_as_it_is():
    table = normalize_claims(
        pa.table({"claim": ["a", " "], "document": [["x", "y"], ["z"]], "label": ["refute", "support"]})
    )
    assert normalize_claims(table).equals(table)
    # Also when columns come in another order, so that nothing can be passed through unseen.
    again = normalize_claims(table.select(table.column_names[::-1]))
    assert again["document_spans"].equals(table["document_spans"])
    assert again["status"].to_pylist() == ["ok", "error"]


def test_a_schema_alone_does_not_make_rows_valid():
    blank = pa.table({name: pa.nulls(1, claims_schema().field(name).type) for name in claims_schema().names})
    (row,) = normalize_claims(blank).to_pylist()
    assert (row["id"], row["status"], row["reasons"]) == ("row 0", "error", ["claim: empty"])


def test_spans_outside_the_document():
    table = normalize_claims(pa.table({"claim": ["a"], "document": [["xy"]]}))
    wrong = pa.array([[{"start": 0, "end": 3}]], table.schema.field("document_spans").type)
    table = table.set_column(table.column_names.index("document_spans"), "document_spans", wrong)
    (row,) = normalize_claims(table.drop_columns("date")).to_pylist()
    assert row["reasons"] == ["document_spans: span 0–3 lies outside the document's 2 characters"]


def test_somebody_elses_status_column_is_ignored():
    (row,) = normalize_claims(pa.table({"claim": ["a"], "status": ["published"], "reasons": [["why"]]})).to_pylist()
    assert (row["status"], row["reasons"]) == ("ok", [])


def test_messages():
    with pytest.raises(InputError, match="claims table: no column 'claim'; found columns 'text'"):
        normalize_claims(pa.table({"text": ["a"]}))
    with pytest.raises(InputError, match="claims table, row 1, column 'claim': empty"):
        normalize_claims(pa.table({"claim": ["a", ""]}), on_error="fail")
    with pytest.raises(InputError, match="`on_error` is 'ignore', expected one of mark, fail"):
        normalize_claims(pa.table({"claim": ["a"]}), on_error="ignore")


def test_empty_table():
    assert normalize_claims(pa.table({"claim": pa.array([], pa.string())})).num_rows == 0


def test_a_canonical_table_comes_back_from_pandas():
    pytest.importorskip("pandas")
    rows = [
        {"id": "1", "claim": "A", "document": ["Dr. A. said b", "and then", "yes"], "label": "support"},
        {"id": "2", "claim": "B", "document": ["x", 3], "date": "2024-01-01"},
        {"id": "3", "claim": None, "document": "d"},
    ]
    raw = RawRows(0, 3, {name: [row.get(name) for row in rows] for name in CLAIM_COLUMNS})
    table = canonical_table(raw, where="t", on_error="mark", names={name: name for name in CLAIM_COLUMNS})
    assert table["status"].to_pylist() == ["ok", "error", "error"]
    assert normalize_claims(pa.Table.from_pandas(table.to_pandas())) == table
