"""Claims in JSONL, Parquet and data sets of the datasets library."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from claims_tables import rows_of

from factcheck.data import open_claims
from factcheck.data.claims import ClaimsFormat
from factcheck.errors import InputError


def test_jsonl_with_text_and_lists(tmp_path):
    path = tmp_path / "t.jsonl"
    lines = [
        {"id": 5, "claim": "a", "document": ["One é.", "", "Two."], "label": "support", "extra": 1},
        {"claim": "b", "document": "Whole text.", "label": None, "date": "2024-05-31"},
        {"id": None, "claim": "c", "claim_image": "x.jpg", "claim_ocr": float("nan")},
        {"claim": "d", "document": []},
    ]
    path.write_text("\ufeff" + "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n", "utf-8")
    first, second, third, fourth = rows_of(open_claims(path))
    assert [r["id"] for r in (first, second, third, fourth)] == ["5", "row 1", "row 2", "row 3"]
    assert first["document"] == "One é.  Two."
    assert [first["document"][s["start"] : s["end"]] for s in first["document_spans"]] == ["One é.", "", "Two."]
    assert (first["label"], second["label"]) == ("Support", None)
    assert (second["document_spans"], second["date"]) == (None, "2024-05-31")
    assert third["claim_image"] == {"bytes": None, "path": "x.jpg"}
    assert (fourth["document_spans"], fourth["status"]) == ([], "ok")


def test_climate_fever_as_distributed(tmp_path):
    path = tmp_path / "climate-fever.jsonl"
    labels = {"SUPPORTS": "Support", "REFUTES": "Refute", "NOT_ENOUGH_INFO": "Insufficient", "DISPUTED": None}
    evidence = [{"evidence_id": "Bear:1", "evidence_label": "REFUTES", "article": "Bear", "evidence": "Bears swim."}]
    lines = [
        {"claim_id": str(i), "claim": "It warms.", "claim_label": label, "evidences": evidence}
        for i, label in enumerate(labels)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [(row["id"], row["label"], row["status"]) for row in rows] == [
        (str(i), label, "ok") for i, label in enumerate(labels.values())
    ]
    assert rows[3]["reasons"][0].startswith("label: unknown label 'DISPUTED'")
    disputed = ClaimsFormat(labels={"disputed": "insufficient"})
    assert rows_of(open_claims(path, format=disputed))[3]["label"] == "Insufficient"


def test_what_is_said_of_a_claim_is_not_said_of_its_pieces_of_evidence(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(
        "claim_id,claim,claim_label,evidence_label,document\n7,a,SUPPORTS,SUPPORTS,b\n7,a,SUPPORTS,REFUTES,c\n"
    )
    assert [(row["id"], row["label"]) for row in rows_of(open_claims(path))] == [("0", None), ("1", None)]
    mapped = rows_of(open_claims(path, columns={"label": "evidence_label"}))
    assert [(row["id"], row["label"]) for row in mapped] == [("0", "Support"), ("1", "Refute")]
    path.write_text(",claim_id,claim,id_of_source\n0,7,a,1\n1,7,b,1\n")
    assert [row["id"] for row in rows_of(open_claims(path))] == ["0", "1"]


def test_averitec_as_distributed(tmp_path):
    path = tmp_path / "dev.json"
    labels = ["Supported", "Refuted", "Not Enough Evidence", "Conflicting Evidence/Cherrypicking"]
    dates = ["25-8-2020", "1-9-2020", None, "31-10-2020"]
    lines = [
        {"claim": "a", "label": label, "claim_date": date, "speaker": "s", "questions": []}
        for label, date in zip(labels, dates, strict=True)
    ]
    path.write_text(json.dumps(lines, indent=1))
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [row["label"] for row in rows] == ["Support", "Refute", "Insufficient", None]
    assert [row["date"] for row in rows] == ["2020-08-25", "2020-09-01", None, "2020-10-31"]
    assert rows[3]["reasons"][0].startswith("label: unknown label 'Conflicting")


def test_key_that_turns_up_late(tmp_path):
    path = tmp_path / "t.jsonl"
    lines = [{"claim": "a"}] * 150 + [{"claim": "b", "label": "refute"}]
    path.write_text("\n".join(map(json.dumps, lines)))
    source = open_claims(path)
    assert rows_of(source)[-1]["label"] == "Refute"
    assert "label" not in source.columns


def test_parquet_types(tmp_path):
    table = pa.table(
        {
            "ID": pa.array([1, None], pa.int64()),
            "text": pa.array(["a", "b"], pa.large_string()),
            "document": pa.array([["x", "y"], None], pa.large_list(pa.string())),
            "claim_image": pa.array([b"123", None], pa.large_binary()),
            "document_image": pa.array([{"path": "p.jpg", "bytes": None}, {"path": "", "bytes": None}]),
            "label": pa.array(["refute", None]).dictionary_encode(),
            "date": pa.array([19_000, None], pa.date32()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    first, second = rows_of(open_claims(tmp_path / "t.parquet", columns={"claim": "text"}))
    assert (first["id"], second["id"]) == ("1", "row 1")
    assert first["document"] == "x y"
    assert first["claim_image"] == {"bytes": b"123", "path": None}
    assert first["document_image"] == {"bytes": None, "path": "p.jpg"}
    assert (first["label"], first["date"]) == ("Refute", "2022-01-08")
    assert second["claim_image"] is second["document_image"] is second["document"] is second["document_spans"] is None


def test_canonical_parquet_comes_back_equal(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"claim": "a", "document": ["x", "y z"]}\n{"claim": ""}\n')
    table = next(open_claims(tmp_path / "a.jsonl", on_error="mark").batches())
    pq.write_table(table, tmp_path / "t.parquet")
    again = next(open_claims(tmp_path / "t.parquet", on_error="mark").batches())
    assert again.column("document_spans").equals(table.column("document_spans"))
    assert again.column("status").to_pylist() == ["ok", "error"]


@pytest.mark.parametrize("name", ["t.jsonl", "t.parquet"])
def test_words_for_a_missing_document(tmp_path, name):
    rows = [{"claim": "None", "document": "N/A"}, {"claim": "b", "document": "null and void"}]
    if name == "t.jsonl":
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    found = rows_of(open_claims(tmp_path / name))
    assert [(r["claim"], r["document"]) for r in found] == [("None", None), ("b", "null and void")]


def test_a_list_of_such_a_word_survives_a_second_reading(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"claim": "a", "document": ["None"]}')
    table = next(open_claims(tmp_path / "t.jsonl").batches())
    pq.write_table(table, tmp_path / "t.parquet")
    assert rows_of(open_claims(tmp_path / "t.parquet", on_error="mark")) == table.to_pylist()


@pytest.mark.parametrize("batch_size", [1, 3])
def test_somebody_elses_status_is_not_obeyed(tmp_path, batch_size):
    content = {"claim": ["a", "b", "c"], "status": ["error", "ok", "published"], "reasons": [["r"], None, None]}
    pq.write_table(pa.table(content), tmp_path / "t.parquet")
    rows = rows_of(open_claims(tmp_path / "t.parquet"), batch_size=batch_size)
    assert [(r["status"], r["reasons"]) for r in rows] == [("ok", [])] * 3


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_canonical_status_is_kept_row_by_row(tmp_path, batch_size):
    (tmp_path / "a.jsonl").write_text('{"claim": "a"}\n{"claim": "b"}\n{"claim": "c"}\n')
    table = next(open_claims(tmp_path / "a.jsonl").batches())
    for name, values in (("status", ["degraded", "published", "error"]), ("reasons", [["r"], ["why"], ["s", "t"]])):
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, tmp_path / "t.parquet")
    rows = rows_of(open_claims(tmp_path / "t.parquet"), batch_size=batch_size)
    assert [(r["status"], r["reasons"]) for r in rows] == [("degraded", ["r"]), ("ok", []), ("error", ["s", "t"])]


@pytest.mark.parametrize("columns", [None, {"claim": "text"}])
def test_tables_of_no_rows(tmp_path, columns):
    (tmp_path / "a.jsonl").write_bytes(b"")
    (tmp_path / "b.jsonl").write_bytes(b"\n \n")
    pq.write_table(pa.table({}), tmp_path / "c.parquet")
    pq.write_table(pa.table({"claim": pa.array([], pa.string()), "text": pa.array([], pa.string())}), tmp_path / "d.pq")
    for name in ("a.jsonl", "b.jsonl", "c.parquet", "d.pq"):
        source = open_claims(tmp_path / name, columns=columns)
        assert (source.count(), list(source.batches())) == (0, [])
        assert source.columns["claim"] == (columns or {"claim": "claim"})["claim"]


@pytest.mark.parametrize("kind", ["memory", "stream", "saved"])
def test_datasets(tmp_path, kind):
    from datasets import ClassLabel, Dataset, Features, Image, List, Value

    from factcheck.data.images import decode_image

    buffer = tmp_path / "p.png"
    from PIL import Image as Pillow

    Pillow.new("RGB", (4, 4), (255, 0, 0)).save(buffer)
    features = Features(
        {
            "claim": Value("string"),
            "document": List(Value("string")),
            "claim_image": Image(),
            "label": ClassLabel(names=["support", "refute"]),
        }
    )
    content = {
        "claim": ["a", "b", "c"],
        "document": [["x"], [], ["y", "z"]],
        "claim_image": [{"bytes": buffer.read_bytes(), "path": None}, None, None],
        "label": [1, 0, None],
    }
    dataset = Dataset.from_dict(content, features)
    if kind == "stream":
        dataset = dataset.to_iterable_dataset()
    if kind == "saved":
        dataset.save_to_disk(tmp_path / "set")
        dataset = tmp_path / "set"
    source = open_claims(dataset)
    rows = rows_of(source, batch_size=2)
    assert [r["id"] for r in rows] == ["0", "1", "2"]
    assert [r["label"] for r in rows] == ["Refute", "Support", None]
    assert decode_image(rows[0]["claim_image"]["bytes"]).getpixel((0, 0)) == (255, 0, 0)
    assert rows[2]["document"] == "y z"
    assert source.count() == (None if kind == "stream" else 3)
    assert [r["claim"] for r in rows_of(source, skip=2)] == ["c"]


def test_datasets_with_splits(tmp_path):
    from datasets import Dataset, DatasetDict

    splits = DatasetDict({"train": Dataset.from_dict({"claim": ["a"]}), "dev": Dataset.from_dict({"claim": ["b"]})})
    with pytest.raises(InputError, match="holds the splits train, dev; give one of them"):
        open_claims(splits)
    splits.save_to_disk(tmp_path / "all")
    with pytest.raises(InputError, match="holds the splits dev, train; give the folder of one"):
        open_claims(tmp_path / "all")


@pytest.mark.parametrize("table", [{"claim": ["a"]}, {}, pa.table({"claim": ["a"]})])
def test_tables_in_memory_go_elsewhere(table):
    with pytest.raises(InputError, match="a table in memory goes through `normalize_claims`"):
        open_claims(table)
