"""``factcheck verify`` as others run it: exit codes, signals, shards, earlier tables, thresholds, figures for machines."""

import json
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factcheck.cli import main
from factcheck.verification.verdict_table import read_verdicts


@pytest.fixture
def claims(tmp_path):
    return write(tmp_path / "c.jsonl", 12)


def write(path, rows, empty=(), changed=()):
    lines = [
        {
            "id": f"r{i}",
            "claim": "" if i in empty else f"Claim {i} of a dog",
            "document": f"A {'cat' if i in changed else 'dog'} runs {i}. No bread.",
        }
        for i in range(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def verify(model, claims, out, *options):
    return main(
        ["verify", str(claims), "--model", str(model), "--out", str(out), "--no-attribution", *map(str, options)]
    )


@pytest.mark.parametrize(
    ("empty", "options", "status", "said"),
    [
        ((3,), [], 0, ""),
        ((3,), ["--max-errors", "1"], 0, ""),
        ((3,), ["--max-errors", "0"], 3, "1 of 12 rows are in error, more than --max-errors allows"),
        ((3, 4), ["--max-errors", "10%"], 3, "2 of 12 rows are in error"),
        ((3, 4), ["--max-errors", "0.2"], 0, ""),
        (range(12), [], 3, "every row is in error"),
        (range(12), ["--max-errors", "12"], 3, "every row is in error"),
    ],
)
def test_rows_in_error_show_in_the_exit_code(tiny_model, tmp_path, capsys, empty, options, status, said):
    claims = write(tmp_path / "c.jsonl", 12, empty=empty)
    assert verify(tiny_model, claims, tmp_path / "o.parquet", *options) == status
    assert said in capsys.readouterr().err
    assert read_verdicts(tmp_path / "o.parquet").num_rows == 12, "the table is there whatever the status"


def test_rows_that_did_not_change_are_taken_over(tiny_model, tmp_path, claims, capsys):
    old, new, afresh = (tmp_path / f"{name}.parquet" for name in ("old", "new", "afresh"))
    assert verify(tiny_model, claims, old) == 0
    write(claims, 15, changed=(2, 7))
    assert verify(tiny_model, claims, new, "--since", old) == 0
    assert "(10 of them taken over)" in capsys.readouterr().out
    assert verify(tiny_model, claims, afresh) == 0
    for a, b in zip(pq.read_table(new).to_pylist(), pq.read_table(afresh).to_pylist(), strict=True):
        assert (a["id"], a["label"], a["content_hash"]) == (b["id"], b["label"], b["content_hash"])
        assert a["confidence"] == pytest.approx(b["confidence"], abs=1e-5)
    # Another option is another content: nothing is taken over.
    assert verify(tiny_model, claims, tmp_path / "o.csv", "--since", new, "--top-k", "1") == 0
    assert "taken over" not in capsys.readouterr().out
    assert verify(tiny_model, claims, new, "--since", tmp_path / "o.csv", "--top-k", "1") == 0
    assert "(15 of them taken over)" in capsys.readouterr().out


def test_shards_make_the_whole_table(tiny_model, tmp_path, claims, capsys):
    whole, out = tmp_path / "whole.parquet", tmp_path / "v.parquet"
    assert verify(tiny_model, claims, whole) == 0
    shards = [tmp_path / f"v.0000{i}-of-00003.parquet" for i in range(3)]
    for i in range(3):
        assert verify(tiny_model, claims, out, "--shard", f"{i}/3") == 0
    assert [pq.read_metadata(path).num_rows for path in shards] == [4, 4, 4]
    capsys.readouterr()
    cases = [
        ([shards[0], shards[2]], "rows 4 to 7 are missing before"),
        ([shards[0], shards[1]], "rows 8 to 11 are missing before the end"),
        ([shards[0], *shards], "rows 0 to 3 are in two of the shards"),
        ([*shards, whole], "is not a shard of a run"),
    ]
    for paths, said in cases:
        assert main(["verdicts", "merge", *map(str, paths), "--out", str(out)]) == 2
        assert said in capsys.readouterr().err
        assert not out.exists()
    assert main(["verdicts", "merge", *map(str, shards[::-1]), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"12 rows -> {out}\n"
    assert pq.read_table(out)["id"].to_pylist() == pq.read_table(whole)["id"].to_pylist()
    assert verify(tiny_model, claims, tmp_path / "w.parquet", "--shard", "0/3", "--top-k", "1") == 0
    other = tmp_path / "w.00000-of-00003.parquet"
    assert main(["verdicts", "merge", str(other), *map(str, shards[1:]), "--out", str(out)]) == 2
    assert "was made with another table, model or option" in capsys.readouterr().err


def test_another_threshold_without_verifying_again(tiny_model, tmp_path, claims, capsys):
    write(claims, 12, empty=(5,))
    out = tmp_path / "v.parquet"
    assert verify(tiny_model, claims, out, "--abstain-below", "0") == 0
    rows = pq.read_table(out).to_pylist()
    assert [row["status"] == "error" for row in rows] == [i == 5 for i in range(12)]
    assert not any(row["abstained"] for row in rows), "a row in error has no verdict to withhold"
    confidences = [row["confidence"] for row in rows if row["confidence"] is not None]
    limit = sorted(set(confidences))[len(set(confidences)) // 2]
    under = sum(value < limit for value in confidences)
    assert 0 < under < 11
    earlier = tmp_path / "earlier.parquet"  # versions that marked rows in error as abstained, too
    table = pq.read_table(out)
    marked = pa.array([i == 5 for i in range(12)])
    pq.write_table(table.set_column(table.schema.get_field_index("abstained"), "abstained", marked), earlier)
    for name in ("w.parquet", "w.csv", "w.jsonl"):
        source = earlier if name == "w.parquet" else tmp_path / "w.parquet"
        arguments = ["verdicts", "threshold", str(source), "--abstain-below", str(limit), "--out", str(tmp_path / name)]
        assert main(arguments) == 0
        assert f"12 rows, {under} abstained below" in capsys.readouterr().out
        changed = read_verdicts(tmp_path / name).to_pylist()
        for before, after in zip(rows, changed, strict=True):
            # At the threshold a verdict stands.
            assert after["abstained"] == (before["status"] == "ok" and before["confidence"] < limit)
            assert {**after, "abstained": None} == {**before, "abstained": None}
    assert main(["verdicts", "threshold", str(tmp_path / "w.parquet"), "--abstain-below", "0"]) == 0
    assert not any(pq.read_table(tmp_path / "w.parquet")["abstained"].to_pylist())


def test_figures_for_machines(tiny_model, tmp_path, claims):
    write(claims, 12, empty=(1,))
    metrics, text = tmp_path / "m.json", tmp_path / "m.prom"
    options = ["--metrics", metrics, "--metrics", text, "--abstain-below", "1"]
    assert verify(tiny_model, claims, tmp_path / "v.parquet", *options) == 0
    found = json.loads(metrics.read_text())
    assert (found["rows"], found["statuses"], found["reasons"]) == (12, {"ok": 11, "error": 1}, {"claim: empty": 1})
    assert sum(found["labels"].values()) == 12
    assert found["abstained"] == 11, "a row in error is counted as that"
    assert set(found["seconds_by_stage"]) >= {"read", "select", "decide", "write"}
    assert found["peak_memory"] > 2**20
    assert found["made_with"]["model"] == read_verdicts(tmp_path / "v.parquet")["model"][0].as_py()
    lines = text.read_text().splitlines()
    assert "factcheck_rows 12" in lines
    assert 'factcheck_rows_by_status{status="error"} 1' in lines
    assert all(line.startswith(("#", "factcheck_")) for line in lines)


def test_ids_that_occur_twice_are_told(tiny_model, tmp_path, capsys):
    claims = tmp_path / "c.csv"
    claims.write_text("id,claim,document\na,dog,A dog.\nb,dog,A dog.\na,cat,A cat.\n")
    assert verify(tiny_model, claims, tmp_path / "v.parquet") == 0
    assert "1 row with an id that an earlier row has" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_the_chunk_in_hand(tiny_model, tmp_path, number, status):
    claims, out = write(tmp_path / "c.jsonl", 60), tmp_path / "v.parquet"
    arguments = [sys.executable, "-m", "factcheck", "verify", claims, "--model", tiny_model, "--out", out]
    arguments = [*map(str, arguments), "--chunk-size", "1", "--no-attribution"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    parts = tmp_path / "v.parquet.parts"
    deadline = time.monotonic() + 240
    while len(list(parts.glob("*.json"))) < 6:  # one of them describes the run
        assert time.monotonic() < deadline
        assert process.poll() is None, "finished before it could be stopped"
        time.sleep(0.01)
    os.kill(process.pid, number)
    err = process.communicate(timeout=240)[1]
    assert process.returncode == status, err
    assert "finishing the chunk in hand, then stopping" in err
    done = int(err.partition("stopped with ")[2].split()[0])
    assert 5 <= done < 60
    assert f"{done} of 60 rows done; the same command goes on from there" in err
    again = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert f"60 rows ({done} of them from an interrupted run)" in again.stdout


def test_an_output_folder_that_goes_away(tiny_model, tmp_path, claims, capsys, monkeypatch):
    from factcheck.verification import stream

    write_part = stream.Parts.write

    def removed(self, first, verdicts, counts):
        if first:
            self.remove()
        return write_part(self, first, verdicts, counts)

    monkeypatch.setattr(stream.Parts, "write", removed)
    assert verify(tiny_model, claims, tmp_path / "v.parquet", "--chunk-size", "5") == 2
    err = capsys.readouterr().err
    assert "cannot be written (No such file or directory)" in err
    assert "Traceback" not in err


def test_a_column_of_evidence_by_another_name_is_pointed_out(tmp_path, tiny_model, capsys):
    table = tmp_path / "t.csv"
    table.write_text("ID,Claim,Speaker,Evidence Text\n1,Two dogs run.,x,Two dogs run.\n", "utf-8")
    common = ["verify", str(table), "--model", str(tiny_model), "--out", str(tmp_path / "v.parquet")]
    assert main(common) == 0
    err = capsys.readouterr().err
    assert err.count("no column 'document'") == 1
    assert "unused are 'Speaker', 'Evidence Text'; if one holds" in err
    assert "--columns document='Evidence Text'" in err
    assert main([*common, "--fresh", "--columns", "document=Evidence Text"]) == 0
    assert "no column 'document'" not in capsys.readouterr().err


def test_tables_separated_by_semicolons_and_unknown_labels(tiny_model, tmp_path, capsys):
    claims, out = tmp_path / "c.csv", tmp_path / "v.parquet"
    claims.write_text("id;claim;document;label\na;dog, cat;A dog.;half-true\nb;cat;A cat.;pants-fire\n")
    for more in ([], ["--delimiter", "semicolon"]):
        assert verify(tiny_model, claims, out, "--fresh", *more) == 0
        rows = pq.read_table(out).to_pylist()
        assert [(row["id"], row["evidence"][0]["text"]) for row in rows] == [("a", "A dog."), ("b", "A cat.")]
        capsys.readouterr()
        assert main(["evaluate", str(out), "--truth", str(claims), *more]) == 2
        said = capsys.readouterr().err
        assert "unknown label 'half-true'" in said
        assert "say with --labels what it counts as, as in half-true=insufficient" in " ".join(said.split())
    assert main(["evaluate", str(out), "--truth", str(claims), "--labels", "half-true=insufficient"]) == 0
