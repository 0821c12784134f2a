import csv
import json
import tracemalloc

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factcheck.data import open_claims
from factcheck.errors import InputError
from factcheck.records import claims_schema

HEADER = ["", "claim", "claim_image", "document", "document_image", "Category", "Claim OCR", "Document OCR"]
TRICKY = 'First line\nsecond\t"quoted, so" \r\n\n &amp; end'


def factify(path, rows, header=HEADER, delimiter="\t", **options):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=options.pop("lineterminator", "\n"), **options)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def row(number=0, **changes):
    cells = {
        "": number,
        "claim": f"claim {number}",
        "claim_image": "c.jpg",
        "document": TRICKY,
        "document_image": "http://x.com/a?format=jpg&name=large",
        "Category": "Support_Text",
        "Claim OCR": "",
        "Document OCR": "text",
    }
    return list((cells | changes).values())


def rows_of(source, **options):
    tables = list(source.batches(**options))
    for table in tables:
        assert table.schema.equals(claims_schema())
        table.validate(full=True)
    return [item for table in tables for item in table.to_pylist()]


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
        "reason": None,
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
    delimiter=st.sampled_from(",\t"),
)
def test_what_csv_writes_is_read_back(tmp_path_factory, cells, delimiter):
    cells = [("c" + claim, "d" + document) for claim, document in cells]
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    factify(path, cells, ["claim", "document"], delimiter)
    assert [(r["claim"], r["document"]) for r in rows_of(open_claims(path), batch_size=3)] == cells


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
    assert [r["id"] for r in (first, second, third, fourth)] == ["5", "1", "2", "3"]
    assert first["document"] == "One é.  Two."
    assert [first["document"][s["start"] : s["end"]] for s in first["document_spans"]] == ["One é.", "", "Two."]
    assert (first["label"], second["label"]) == ("Support", None)
    assert (second["document_spans"], second["date"]) == (None, "2024-05-31")
    assert third["claim_image"] == {"bytes": None, "path": "x.jpg"}
    assert (fourth["document_spans"], fourth["status"]) == ([], "ok")


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
    assert (first["id"], second["id"]) == ("1", "1")
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


@pytest.fixture(params=["csv", "tsv", "jsonl", "parquet", "groups"])
def thousand(request, tmp_path):
    """The same thousand rows, two of them bad and ids repeated, in each format."""
    path = tmp_path / f"t.{'parquet' if request.param == 'groups' else request.param}"
    rows = [{"id": str(i % 900), "claim": f"claim {i}\n{TRICKY}", "label": "refute"} for i in range(1000)]
    rows[500]["label"] = "Perhaps"
    rows[501]["claim"] = " "
    if request.param in ("csv", "tsv"):
        cells = [list(r.values()) for r in rows]
        factify(path, cells, ["id", "claim", "label"], delimiter="," if request.param == "csv" else "\t")
    elif request.param == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, path, row_group_size=170 if request.param == "groups" else None)
    return path


def test_nothing_lost_when_marking(thousand):
    source = open_claims(thousand, on_error="mark")
    rows = rows_of(source, batch_size=64)
    assert source.count() == len(rows) == 1000
    assert [r["id"] for r in rows] == [str(i % 900) for i in range(1000)]
    assert {i for i, r in enumerate(rows) if r["status"] == "error"} == {500, 501}
    assert rows[500]["reason"].startswith("label: unknown label 'Perhaps'; expected one of")
    assert rows[500]["claim"].startswith("claim 500")
    assert rows[501]["reason"] == "claim: empty"


def test_failing_names_file_row_and_column(thousand):
    batches = open_claims(thousand).batches(batch_size=100)
    assert sum(next(batches).num_rows for _ in range(5)) == 500
    with pytest.raises(InputError) as caught:
        next(batches)
    message = str(caught.value)
    assert message.startswith(f"{thousand}, row 500")
    assert "column 'label': unknown label 'Perhaps'; expected one of Support_Multimodal" in message
    if thousand.suffix == ".csv":
        assert "(line 2502)" in message  # each row fills five lines, after a line of header
    assert "--on-error mark" in message


@pytest.mark.parametrize("skip", [1, 169, 170, 171, 999, 1000, 5000])
def test_skip_resumes(thousand, skip):
    source = open_claims(thousand, on_error="mark")
    assert rows_of(source, batch_size=77, skip=skip) == rows_of(source)[skip:]


@pytest.mark.parametrize("batch_size", [31, 170, 171, 1000, 5000])
def test_every_batch_but_the_last_is_full(thousand, batch_size):
    sizes = [table.num_rows for table in open_claims(thousand, on_error="mark").batches(batch_size, skip=7)]
    full, rest = divmod(993, batch_size)
    assert sizes == [batch_size] * full + [rest] * bool(rest)


def test_batches_are_full_though_rows_are_megabytes_long(tmp_path, monkeypatch):
    for reader, limit in (("delimited", "_BATCH_CHARS"), ("jsonl", "_BATCH_BYTES")):
        monkeypatch.setattr(f"factcheck.data.{reader}.{limit}", 50)
    texts = ["x" * (i * 7 % 60 + 1) for i in range(50)]
    factify(tmp_path / "t.csv", [[text] for text in texts], ["claim"])
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"claim": text}) for text in texts))
    for name in ("t.csv", "t.jsonl"):
        tables = list(open_claims(tmp_path / name).batches(8))
        assert [table.num_rows for table in tables] == [8] * 6 + [2]
        assert [claim for table in tables for claim in table["claim"].to_pylist()] == texts


def test_broken_quotes_lose_no_row(tmp_path):
    path = tmp_path / "t.tsv"
    good = [f'{i}\tclaim {i}\t"doc ""{i}"" with\ntwo lines"' for i in range(6)]
    bad = ['3\tclaim 3\t"opened here', "second line of it", "third line of it"]
    path.write_text("\n".join(["id\tclaim\tdocument", *good[:3], *bad, *good[4:]]) + "\n")
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [r["claim"] for r in rows] == ["claim 0", "claim 1", "claim 2", None, "claim 4", "claim 5"]
    assert rows[3]["reason"] == "a quoted field goes on after its closing quote; double the quotes inside it"
    assert rows[5]["document"] == 'doc "5" with\ntwo lines'
    with pytest.raises(InputError, match=r"row 3 \(line 8\): a quoted field goes on"):
        rows_of(open_claims(path))


def test_quote_that_never_closes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('claim,label\na,refute\n"b,refute\nc,refute\nd,refute\n')
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [(r["claim"], r["reason"]) for r in rows] == [
        ("a", None),
        (None, "a quoted field is never closed"),
        ("c", None),
        ("d", None),
    ]


def test_wrong_number_of_fields(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("claim,label\na\nb,refute\nc,refute,more\n")
    rows = rows_of(open_claims(path, on_error="mark"))
    assert [r["reason"] for r in rows] == [
        "split into 1, where the header has 2 columns",
        None,
        "split into 3, where the header has 2 columns",
    ]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_other_encodings_are_named_by_row_and_byte(tmp_path, name):
    path = tmp_path / name
    lines = ["claim,label", "café,refute"] if name == "t.csv" else ['{"claim": "a"}', '{"claim": "café"}']
    path.write_bytes("\n".join(lines).encode("latin-1"))
    where = "offset 15 of the file" if name == "t.csv" else "byte 14 of the line"
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
    ({"claim": "a", "date": "31/05/2024"}, "date: '31/05/2024' is not an ISO 8601 date such as 2024-05-31"),
    ({"claim": "a", "id": [1]}, "id: expected text or a whole number, found a list"),
    ({"claim": "a", "claim_image": 5}, "claim_image: expected a path, bytes or {bytes, path}, found a number (5)"),
    ({"claim": "a", "claim_ocr": True}, "claim_ocr: expected text, found true or false (True)"),
    ({"claim": "half \ud83d pair"}, "claim: half of a surrogate pair at character 5"),
]


@pytest.mark.parametrize(("cells", "reason"), BAD_CELLS)
def test_bad_cells(tmp_path, cells, reason):
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"claim": "fine", "label": "refute"}) + "\n" + json.dumps(cells))
    fine, bad = rows_of(open_claims(path, on_error="mark"))
    assert fine["status"] == "ok"
    assert bad["status"] == "error"
    assert bad["reason"].startswith(reason)
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
    assert rows[1]["reason"].startswith(reason)


@pytest.mark.parametrize("date", ["2024-05-31", "2024-05-31T12:00:00Z", "2024-05-31 12:00:00+05:30"])
def test_dates_are_kept_as_written(tmp_path, date):
    (tmp_path / "t.csv").write_text(f"claim,date\na,{date}\n")
    assert rows_of(open_claims(tmp_path / "t.csv"))[0]["date"] == date


FILES = [
    ("t.csv", b"", None, "the file is empty"),
    ("t.jsonl", b"\n\n", None, "holds no rows; expected one JSON object a line"),
    ("t.jsonl", b'[{"claim": "a"}]', None, "found a JSON array; write one JSON object a line"),
    ("t.jsonl", b"claim,label\n", None, "line 1: not JSON"),
    ("t.csv", b"text,label\na,refute\n", None, "no column 'claim'; found columns 'text', 'label'. Name the column"),
    ("t.csv", b"claim;label\na;refute\n", None, "separated by semicolons; expected commas or tabs"),
    ("t.csv", b"claim,label\na,refute\n", {"format": "tsv"}, "separated by commas, not by tabs. Name the right format"),
    (
        "t.tsv",
        b"claim\tlabel\na\trefute\n",
        {"format": "csv"},
        "separated by tabs, not by commas. Name the right format",
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
    ("t.csv", "claim\n".encode("utf-16"), None, "UTF-16 text; save it as UTF-8"),
    ("t.csv", b"PK\x03\x04 spreadsheet", None, "a zip or spreadsheet file; export it as CSV"),
    ("t.csv", b"\x1f\x8b\x08", None, "compressed with gzip"),
    ("t.csv", b"PAR1", None, "a Parquet file; name it .parquet"),
    ("t.csv", b'claim,"label\n', None, "header: a quoted field is never closed"),
    ("t.parquet", b"claim,label\n", None, "not a readable Parquet file"),
    ("t.doc", b"claim", None, "cannot tell the format by the suffix '.doc'"),
    ("t.csv", b"claim\n", {"format": "excel"}, "format is 'excel'; expected one of csv, tsv"),
    ("t.csv", b"claim\n", {"on_error": "skip"}, "on_error is 'skip'; expected 'fail' or 'mark'"),
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


def test_arguments_of_batches(tmp_path):
    (tmp_path / "t.csv").write_text("claim\na\n")
    source = open_claims(tmp_path / "t.csv")
    with pytest.raises(InputError, match="batch_size is 0"):
        next(source.batches(0))
    with pytest.raises(InputError, match="skip is -1"):
        next(source.batches(skip=-1))


def test_mapping_beats_recognition_and_takes_its_column(tmp_path):
    (tmp_path / "t.csv").write_text("claim,document,Category\na,b,c\n")
    (only,) = rows_of(open_claims(tmp_path / "t.csv", columns={"claim": "document", "document": "Category"}))
    assert (only["claim"], only["document"], only["label"]) == ("b", "c", None)


def test_header_alone_gives_no_rows(tmp_path):
    (tmp_path / "t.csv").write_text("claim,label\n")
    source = open_claims(tmp_path / "t.csv")
    assert rows_of(source) == []
    assert source.count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path, kind):
    document = TRICKY * 4 + "word " * 560  # about 3 kB
    peaks = []
    for size in (2_000, 10_000):
        path = tmp_path / f"t{size}.{kind}"
        if kind == "csv":
            factify(path, ([i, "claim", document] for i in range(size)), ["", "claim", "document"])
        elif kind == "jsonl":
            line = json.dumps({"claim": "claim", "document": document})
            path.write_text(f"{line}\n" * size)
        else:
            with pq.ParquetWriter(path, pa.schema({"claim": pa.string(), "document": pa.string()})) as writer:
                for _ in range(0, size, 1000):
                    texts = [f"{i}{document}" for i in range(1000)]
                    writer.write_table(pa.table({"claim": texts, "document": texts}))
        base = pa.total_allocated_bytes()
        arrow_peak = 0
        tracemalloc.start()
        for _ in open_claims(path).batches(128):
            arrow_peak = max(arrow_peak, pa.total_allocated_bytes() - base)
        peaks.append(tracemalloc.get_traced_memory()[1] + arrow_peak)
        tracemalloc.stop()
    assert peaks[1] < 1.25 * peaks[0] + 2**20, peaks
    assert peaks[1] < path.stat().st_size / 2 or kind == "parquet"
