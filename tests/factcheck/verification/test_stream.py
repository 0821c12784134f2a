"""The streaming run: nothing lost, resumable after any interruption, atomic output."""

import json
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from factcheck import InputError, Verifier
from factcheck.verification import verify_file


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


@pytest.fixture
def claims(tmp_path):
    path = tmp_path / "claims.jsonl"
    rows = [
        {"id": f"r{i}", "claim": f"Claim {i} of a dog" if i % 7 else "", "document": f"A dog runs {i}."}
        for i in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


class Interrupted(Exception):
    pass


def interrupt_after(chunks):
    count = 0

    def progress(done, total):
        nonlocal count
        count += 1
        if count > chunks:
            raise Interrupted

    return progress


def test_an_interrupted_run_goes_on_and_gives_the_same_table(verifier, claims, tmp_path):
    whole = verify_file(verifier, claims, tmp_path / "whole.parquet", chunk_size=6)
    assert (whole.rows, whole.resumed) == (40, 0)
    assert whole.statuses == {"ok": 34, "error": 6}
    out = tmp_path / "out.parquet"
    with pytest.raises(Interrupted):
        verify_file(verifier, claims, out, chunk_size=6, progress=interrupt_after(3))
    assert not out.exists()
    rest = verify_file(verifier, claims, out, chunk_size=6)
    assert rest.resumed == 18
    assert pq.read_table(out).equals(pq.read_table(tmp_path / "whole.parquet"))
    assert not out.with_name("out.parquet.parts").exists()


def test_two_runs_do_not_write_to_one_table(verifier, claims, tmp_path):
    out = tmp_path / "out.parquet"

    def second(done, total):
        with pytest.raises(InputError, match=r"another run is writing to .*out\.parquet\.parts"):
            verify_file(verifier, claims, out, chunk_size=6, fresh=True)

    assert verify_file(verifier, claims, out, chunk_size=6, progress=second).rows == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["claims.jsonl", "out.parquet"]


def test_a_bad_row_stops_only_when_asked(verifier, claims, tmp_path):
    with pytest.raises(InputError, match=r"row 0.*claim"):
        verify_file(verifier, claims, tmp_path / "out.parquet", on_error="fail")
    assert [path.name for path in tmp_path.iterdir()] == ["claims.jsonl"], "nothing is left behind"


@pytest.mark.slow
def test_a_killed_process_loses_nothing(claims, tiny_model, tmp_path):
    out = tmp_path / "out.parquet"
    arguments = [
        sys.executable,
        "-m",
        "factcheck",
        "verify",
        str(claims),
        "--model",
        str(tiny_model),
        "--out",
        str(out),
    ]
    arguments += ["--chunk-size", "1", "--no-attribution"]
    process = subprocess.Popen(arguments)
    parts = tmp_path / "out.parquet.parts"
    deadline = time.monotonic() + 120
    while len(list(parts.glob("*.parquet"))) < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None, "finished before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    result = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert "from an interrupted run" in result.stdout
    assert pq.read_table(out)["id"].to_pylist() == [f"r{i}" for i in range(40)]
