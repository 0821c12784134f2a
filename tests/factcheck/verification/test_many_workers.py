"""Several processes on one table, rows made ready ahead, and own columns beside the verdicts."""

import functools
import json
import threading
import time

import pyarrow.parquet as pq
import pytest
from verdict_tables import assert_same

from factcheck import InputError, Verifier
from factcheck.verification import verify_file
from factcheck.verification.chunks import ahead
from factcheck.verification.verdict_table import read_verdicts


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


@pytest.fixture
def claims(tmp_path):
    path = tmp_path / "c.jsonl"
    rows = [
        {"id": f"r{i}", "claim": f"Dog {i}" if i % 7 else "", "document": f"A dog {i}.", "team": i % 3, "url": f"u{i}"}
        for i in range(23)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.slow
def test_two_workers_give_the_table_of_one(verifier, tiny_model, claims, tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    verify_file(verifier, claims, one)
    load = functools.partial(Verifier.load, str(tiny_model), attribution=False)
    seen = []
    summary = verify_file(
        verifier, claims, two, workers=2, load=load, chunk_size=4, progress=lambda done, total: seen.append(done)
    )
    assert (summary.rows, summary.statuses) == (23, {"ok": 19, "error": 4})
    assert seen[0] == 0
    assert seen[-1] == 23
    assert seen == sorted(seen)
    assert_same(pq.read_table(two), pq.read_table(one))
    assert summary.stages["decide"] > 0


@pytest.mark.slow
def test_a_worker_that_cannot_load_is_told_of(verifier, claims, tmp_path):
    load = functools.partial(Verifier.load, str(tmp_path / "no" / "model"))
    with pytest.raises(InputError, match="no such folder"):
        verify_file(verifier, claims, tmp_path / "o.parquet", workers=2, load=load)


def test_more_workers_need_a_way_to_load(verifier, claims, tmp_path):
    with pytest.raises(InputError, match="`workers` above 1 needs `load`"):
        verify_file(verifier, claims, tmp_path / "o.parquet", workers=2)


def test_own_columns_travel(verifier, claims, tmp_path):
    out = tmp_path / "o.parquet"
    verify_file(verifier, claims, out, keep=["claim", "team"], chunk_size=5)
    rows = pq.read_table(out).to_pylist()
    assert [row["team"] for row in rows] == [str(i % 3) for i in range(23)]
    assert rows[1]["claim"] == "Dog 1"
    assert read_verdicts(out).num_rows == 23
    verify_file(verifier, claims, tmp_path / "o.csv", keep=["all"])
    header = (tmp_path / "o.csv").read_text().splitlines()[0].replace('"', "")
    assert header.endswith(",content_hash,ocr,claim,document,team,url")
    with pytest.raises(InputError, match=r"`keep` names the column 'mood', which .* does not have; it has id, claim,"):
        verify_file(verifier, claims, out, keep=["mood"])


def test_own_columns_may_hold_halves_of_surrogate_pairs(verifier, tmp_path):
    rows = [
        {"claim": "A dog.", "document": "A dog.", "by": value, "\udc00": 1} for value in ("a\ud800", {"b": ["\udfff"]})
    ]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, rows)))
    verify_file(verifier, tmp_path / "c.jsonl", tmp_path / "o.parquet", keep=["all"])
    found = pq.read_table(tmp_path / "o.parquet")
    assert found["by"].to_pylist() == ["a\ufffd", '{"b": ["\ufffd"]}']
    assert found["\ufffd"].to_pylist() == ["1", "1"]
    assert set(found["status"].to_pylist()) == {"ok"}, "no verdict rests on them"


def test_one_item_is_made_ahead():
    made = []

    def items():
        for i in range(5):
            made.append(i)
            yield i

    for i in ahead(items()):
        time.sleep(0.05)
        # The one in hand, one that waits, and one that its maker holds.
        assert made[-1] <= i + 2
    assert made == list(range(5))


def test_what_goes_wrong_ahead_is_raised_where_it_is_used():
    def items():
        yield 1
        raise InputError("second row")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(InputError, match="second row"):
        next(found)


def test_nothing_goes_on_once_nobody_wants_more():
    before = threading.active_count()
    found = ahead(iter(range(1000)))
    assert next(found) == 0
    found.close()
    assert threading.active_count() == before
