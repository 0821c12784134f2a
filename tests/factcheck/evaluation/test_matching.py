"""Whose rows the verdicts are: tables without ids, tables of the same shape, tables trained on."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.evaluation.matching import join_tables
from factcheck.evaluation.scoring import score
from factcheck.records import verdict_schema

LABELS = ["support", "refute", "insufficient"]


def document(i):
    return f"The dog of house {i} runs. It is red."


@pytest.fixture
def verdicts(tmp_path):
    """Writes verdicts that quote the first sentence of each row's document, or of ``quoted(i)``."""

    def write(ids, quoted=document, source=None):
        rows = []
        for i, name in enumerate(ids):
            text = quoted(i).split(". ")[0] + "."
            evidence = {"document_id": source or name, "sentence": 0, "start": 0, "end": len(text), "text": text}
            rows.append(
                {
                    **{"id": name, "label": LABELS[i % 3].title(), "stance": LABELS[i % 3], "confidence": 0.9},
                    **{"abstained": False, "status": "ok", "model": "m", "evidence": [{**evidence, "score": 1.0}]},
                    "stance_probabilities": dict.fromkeys(["support", "insufficient", "refute"], 0.3),
                }
            )
        out = tmp_path / "v.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=verdict_schema()), out)
        return out

    return write


@pytest.fixture
def truth(tmp_path):
    def write(count, ids=None, text=document):
        rows = [{"claim": "A dog.", "label": LABELS[i % 3]} for i in range(count)]
        for i, row in enumerate(rows):
            row |= {"id": ids[i]} if ids else {}
            row |= {"document": text(i)} if text else {}
        path = tmp_path / "truth.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return write


def numbers(count):
    return [str(i) for i in range(count)]


def test_matching_by_position_is_said(verdicts, truth, capsys):
    out = verdicts(numbers(6))
    assert main(["evaluate", str(out), "--truth", str(truth(6))]) == 0
    captured = capsys.readouterr()
    assert "has no id column: its 6 rows and the verdicts were matched by position" in captured.err
    assert "position" not in captured.out
    assert main(["evaluate", str(out), "--truth", str(truth(6, ids=numbers(6)))]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("count", [5, 7])
def test_other_numbers_of_rows_do_not_match(verdicts, truth, count):
    with pytest.raises(InputError, match=f"{count} rows for the 6 verdicts"):
        score(verdicts(numbers(6)), truth(count))


def test_verdicts_with_ids_need_a_truth_with_ids(verdicts, truth):
    out = verdicts(["2", "0", "1"])
    with pytest.raises(InputError, match=r"no id column, but the verdicts of .* have ids \(the first is '2'\)"):
        score(out, truth(3, text=None))
    assert score(out, truth(3, text=None, ids=["2", "0", "1"])).stance.accuracy == 1


def test_another_file_of_the_same_shape_is_refused(verdicts, truth):
    def other(i):
        return f"A cat sits in street {i}."

    out = verdicts(numbers(6), quoted=other)
    with pytest.raises(InputError, match=r"evidence of 6 of 6 verdicts compared is not in the document of its row"):
        score(out, truth(6))
    assert score(out, truth(6, text=None)).rows == 6, "without documents there is nothing to compare"


def test_rows_of_other_documents_are_said(verdicts, truth, capsys):
    """Ids that agree outweigh documents that were edited since; so do most of the documents."""
    out = verdicts(numbers(6))
    edited = truth(6, ids=numbers(6), text=lambda i: "Rewritten since.")
    assert main(["evaluate", str(out), "--truth", str(edited)]) == 0
    assert "6 verdicts of 6 quote evidence that is not in the document" in capsys.readouterr().err
    swapped = [0, 1, 3, 2, 4, 5]
    assert score(out, truth(6, text=lambda i: document(swapped[i]))).other_documents == 2
    assert score(out, truth(6)).other_documents == 0
    assert score(out, truth(6, text=lambda i: document(i).replace(" ", "\r\n"))).other_documents == 0


def test_evidence_out_of_an_index_is_not_looked_for_in_the_table(verdicts, truth):
    out = verdicts(numbers(6), quoted=lambda i: f"Another text {i}.", source="corpus-7")
    assert score(out, truth(6)).rows == 6


def test_baselines_are_not_trained_on_the_rows_they_are_scored_on(verdicts, truth, tmp_path, capsys):
    path = truth(6)
    (tmp_path / "link.jsonl").symlink_to(path)
    arguments = ["evaluate", str(verdicts(numbers(6))), "--truth", str(path), "--baselines"]
    for train in (path, tmp_path / "link.jsonl"):
        assert main([*arguments, str(train)]) == 2
        assert "is the truth table itself: baselines would be scored on the rows" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--json", "--report"])
def test_a_dash_is_no_file(verdicts, truth, flag, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", str(verdicts(numbers(6))), "--truth", str(truth(6)), flag, "-"]) == 2
    assert f"{flag} '-': standard output has the tables; name a file" in capsys.readouterr().err
    assert not (tmp_path / "-").exists()


def test_tables_in_memory_are_scored_as_files_are(verdicts, tmp_path):
    names = [f"r{i}" for i in range(9)]
    path = verdicts(names)
    rows = [{"id": n, "claim": "c", "label": LABELS[i // 2 % 3], "source": f"s{i % 2}"} for i, n in enumerate(names)]
    truth = tmp_path / "t.jsonl"
    truth.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    table = pq.read_table(path)
    assert score(table, pa.Table.from_pylist(rows)).to_dict() == score(path, truth).to_dict()
    with pytest.raises(InputError, match="not a table of verdicts: it lacks the columns abstained"):
        score(table.select(["id", "label"]), truth)
    with pytest.raises(InputError, match="the truth table has no row with id 'r0'"):
        score(table, pa.Table.from_pylist([{"id": "x", "claim": "c", "label": "support"}]))


def test_withheld_verdicts_survive_a_spreadsheet(verdicts, tmp_path):
    from factcheck.verification.verdict_table import merge_parts, read_verdicts, write_part

    table = pq.read_table(verdicts(["a", "b"]))
    table = table.set_column(table.column_names.index("abstained"), "abstained", pa.array([True, False]))
    (tmp_path / "parts").mkdir()
    write_part(tmp_path / "parts" / "0.parquet", table)
    out = tmp_path / "v.csv"
    list(merge_parts(tmp_path / "parts", out))
    text = out.read_text("utf-8")
    for spelling in (text, text.replace("true", "True").replace("false", "False"), text.replace("true", "TRUE")):
        out.write_text(spelling, "utf-8")
        assert read_verdicts(out)["abstained"].to_pylist() == [True, False]
    out.write_text(text.replace("true", "maybe"), "utf-8")
    with pytest.raises(InputError, match="abstained is 'maybe', expected true or false"):
        read_verdicts(out)


def test_the_stance_is_calibrated_by_its_own_probability(verdicts):
    """Verdicts on a pair of photos carry the confidence of the five-class label, which is another one."""
    names = [f"r{i}" for i in range(9)]
    rows = pq.read_table(verdicts(names)).to_pylist()
    for i, row in enumerate(rows):
        row["confidence"] = 0.5
        row["stance_probabilities"] = {name: 0.98 if name == LABELS[i % 3] else 0.01 for name in LABELS}
    truth = pa.Table.from_pylist([{"id": n, "claim": "c", "label": LABELS[i % 3]} for i, n in enumerate(names)])
    found = score(pa.Table.from_pylist(rows, schema=verdict_schema()), truth).operating
    assert found.kind == "text only"
    assert found.ece == pytest.approx(0.02, abs=1e-6)


def test_a_table_saved_by_pandas_is_read_or_it_is_said_how_to_save_it(verdicts, truth, tmp_path):
    path, labelled = verdicts(numbers(6)), truth(6)
    expected = score(path, labelled).to_dict()
    frame = pq.read_table(path).to_pandas()
    frame.to_parquet(tmp_path / "p.parquet")
    frame.set_index("id").to_parquet(tmp_path / "i.parquet")
    frame.to_json(tmp_path / "p.jsonl", orient="records", lines=True)
    for name in ("p.parquet", "i.parquet", "p.jsonl"):
        assert score(tmp_path / name, labelled).to_dict() == expected, name
    frame.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(InputError, match=r"which is not JSON; a data frame's to_csv .* save it with to_parquet"):
        score(tmp_path / "p.csv", labelled)


def test_no_verdicts(verdicts, truth, capsys):
    out = verdicts([])
    assert main(["evaluate", str(out), "--truth", str(truth(0, ids=[]))]) == 2
    assert "no verdicts to score (0 rows)" in capsys.readouterr().err


def test_rows_in_another_order_are_matched_by_id(verdicts, truth):
    """Verdicts of rows c, a, b that are all right, of a truth table of a, b, c: by place none would be."""
    right = {"a": 0, "b": 1, "c": 2}
    path = verdicts(["c", "a", "b"], quoted=lambda i: document("abc".index("cab"[i])))
    table = pq.read_table(path).to_pylist()
    for row in table:
        row["stance"] = LABELS[right[row["id"]]]
    pq.write_table(pa.Table.from_pylist(table, schema=verdict_schema()), path)
    joined = join_tables(path, truth(3, ["a", "b", "c"]))
    assert joined.places.tolist() == [2, 0, 1]
    assert [label.lower() for label in joined.labels] == [row["stance"] for row in table]
    assert score(path, truth(3, ["a", "b", "c"])).stance.accuracy == 1
