"""Claims tables as streams: full batches, resuming, nothing lost, constant memory."""

import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from claims_tables import TRICKY, factify, rows_of

from factcheck.data import open_claims
from factcheck.errors import InputError


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
    assert {i: r["status"] for i, r in enumerate(rows) if r["status"] != "ok"} == {501: "error"}
    assert rows[500]["reasons"][0].startswith("label: unknown label 'Perhaps'; expected one of")
    assert rows[500]["claim"].startswith("claim 500")
    assert rows[501]["reasons"] == ["claim: empty"]


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
    assert message.endswith(
        "correct the row, say with `labels` what it counts as (as in half-true=insufficient), or mark bad rows and go on (`on_error` mark)"
    )


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
    for module in ("rows", "delimited"):
        monkeypatch.setattr(f"retrieval.tables.{module}.BATCH_CHARS", 50)
    texts = ["x" * (i * 7 % 60 + 1) for i in range(50)]
    factify(tmp_path / "t.csv", [[text] for text in texts], ["claim"])
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"claim": text}) for text in texts))
    for name in ("t.csv", "t.jsonl"):
        tables = list(open_claims(tmp_path / name).batches(8))
        assert [table.num_rows for table in tables] == [8] * 6 + [2]
        assert [claim for table in tables for claim in table["claim"].to_pylist()] == texts


def test_arguments_of_batches(tmp_path):
    (tmp_path / "t.csv").write_text("claim\na\n")
    source = open_claims(tmp_path / "t.csv")
    with pytest.raises(InputError, match="`batch_size` is 0"):
        source.batches(0)
    with pytest.raises(InputError, match="`skip` is -1"):
        source.batches(skip=-1)


def test_a_limit_on_rows(thousand):
    source = open_claims(thousand, on_error="mark")
    rows = rows_of(source)
    for limit in (0, 1, 64, 65, 999, 1000, 5000):
        assert rows_of(source, batch_size=64, skip=3, limit=limit) == rows[3 : 3 + limit]


def test_images_are_read_on_the_way(tmp_path):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for folder in (tmp_path, tmp_path / "photos"):
        Image.new("RGB", (2, 2)).save(folder / f"{folder.name}.png")
    names = [f"{tmp_path.name}.png", "photos.png"]
    factify(tmp_path / "t.csv", [["a", name] for name in names], ["claim", "claim_image"])
    source = open_claims(tmp_path / "t.csv")
    for images, found in ((False, []), (True, names[:1]), (tmp_path / "photos", names[1:])):
        cells = [row["claim_image"] for row in rows_of(source, batch_size=1, images=images)]
        assert [cell["path"] for cell in cells if cell and cell["bytes"]] == found
    with pytest.raises(InputError, match="is not a folder"):
        next(source.batches(images=tmp_path / "nowhere"))


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
