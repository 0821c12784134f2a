"""What an interrupted run may be finished with, and what is made of damaged, missing and foreign parts."""

import json
import os
import shutil

import pyarrow.parquet as pq
import pytest
from verdict_tables import assert_same

from factcheck import InputError, Verifier
from factcheck.verification import verify_file
from factcheck.verification.stream import RunInterrupted

ROWS = 40


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


def write_claims(path, rows=ROWS):
    lines = [
        {"id": f"r{i}", "claim": f"Claim {i} of a dog", "document": f"A dog runs {i}. No cat."} for i in range(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def whole(verifier, tmp_path_factory):
    """The table of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return pq.read_table(verify_file(verifier, write_claims(folder / "c.jsonl"), folder / "o.parquet").out)


def interrupted(verifier, claims, out, chunks=3, **options):
    calls = []
    with pytest.raises(RunInterrupted) as stopped:
        verify_file(
            verifier, claims, out, should_stop=lambda: calls.append(1) or len(calls) >= chunks, chunk_size=6, **options
        )
    assert (stopped.value.done, stopped.value.total) == (6 * chunks, ROWS)
    return out.with_name(out.name + ".parts")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"top_k": 1}, "`top_k` 3, this run has 1"),
        ({"min_share": 0.5}, r"`min_share` 0\.0, this run has 0\.5"),
        ({"retrieval_method": "bm25"}, '`retrieval_method` "hybrid", this run has "bm25"'),
        ({"attribution": True}, "`attribution` false, this run has true"),
        ({"photo_attribution": True}, "`photo_attribution` false, this run has true"),
    ],
)
def test_other_options_are_refused_by_name_and_nothing_is_lost(verifier, tmp_path, whole, options, said):
    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    parts = interrupted(verifier, claims, out)
    before = sorted(path.name for path in parts.iterdir())
    with pytest.raises(InputError, match=f"holds 18 finished rows of a run with {said}; .*`fresh`") as caught:
        verify_file(verifier.replace(**options), claims, out, chunk_size=6)
    assert caught.value.field == "fresh"
    assert sorted(path.name for path in parts.iterdir()) == before
    assert verify_file(verifier, claims, out).resumed == 18
    assert_same(pq.read_table(out), whole)


def test_another_model_evidence_or_table_is_refused(verifier, tiny_model, tmp_path):
    class Index:
        fingerprint = "an index"

        def search(self, queries, *, top_k, filters=None):
            return [[] for _ in queries]

    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    interrupted(verifier, claims, out)
    with pytest.raises(InputError, match='`evidence` null, this run has "an index"'):
        verify_file(Verifier.load(tiny_model, attribution=False, evidence=Index()), claims, out)
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    (other / "calibration.json").write_text('{"stance": 2.0}')
    with pytest.raises(InputError, match=r'`model` "[0-9a-f]+", this run has "[0-9a-f]+"'):
        verify_file(Verifier.load(other, attribution=False), claims, out)
    stat = claims.stat()
    claims.write_text(claims.read_text().replace("dog", "cat"))
    os.utime(claims, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(InputError, match="a run with another content of the claims table"):
        verify_file(verifier, claims, out)
    assert verify_file(verifier, claims, out, fresh=True).resumed == 0


def test_place_time_chunk_size_and_threshold_do_not_matter(verifier, tmp_path, whole):
    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    interrupted(verifier, claims, out)
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "renamed.jsonl"
    claims.rename(moved)
    os.utime(moved)
    again = verify_file(verifier.replace(abstain_below=1.0), moved, out, chunk_size=100, image_root=tmp_path)
    assert again.resumed == 18
    table = pq.read_table(out)
    assert_same(table.drop_columns(["abstained"]), whole.drop_columns(["abstained"]))
    assert table["abstained"].to_pylist() == [True] * ROWS, "also the rows that the earlier run had finished"


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "undescribed", "described wrongly", "not json"])
def test_a_damaged_part_is_made_anew(verifier, tmp_path, whole, damage):
    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    parts = interrupted(verifier, claims, out)
    path, described = parts / "000000000006.parquet", parts / "000000000006.json"
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        path.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    elif damage == "gone":
        path.unlink()
    elif damage == "undescribed":  # killed between the two
        described.unlink()
    elif damage == "described wrongly":
        described.write_text(described.read_text().replace('"rows": 6', '"rows": 0'))
    else:
        described.write_text("[" * 10_000)
    summary = verify_file(verifier, claims, out, chunk_size=4)
    assert (summary.rows, summary.resumed) == (ROWS, 12)
    assert summary.remade == (damage != "undescribed")
    assert_same(pq.read_table(out), whole)


def test_a_part_that_changes_before_the_merge_stops_it(verifier, tmp_path):
    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    first = tmp_path / "o.parquet.parts" / "000000000000.parquet"

    def progress(done, total):
        if done == total:
            first.write_bytes(first.read_bytes()[:-9])

    with pytest.raises(InputError, match=r"000000000000\.parquet' has been changed since it was written"):
        verify_file(verifier, claims, out, chunk_size=10, progress=progress)
    assert not out.exists()
    assert verify_file(verifier, claims, out).resumed == 30


def test_parts_that_overlap_count_once(verifier, tmp_path, whole):
    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    parts = interrupted(verifier, claims, out)
    for ending in (".parquet", ".json"):
        shutil.copy(parts / f"000000000006{ending}", parts / f"000000000003{ending}")
    assert verify_file(verifier, claims, out).rows == ROWS
    assert pq.read_table(out)["id"].to_pylist() == whole["id"].to_pylist()


def test_parts_without_their_run_are_refused_until_asked_for_afresh(verifier, tmp_path, whole):
    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    parts = interrupted(verifier, claims, out)
    for content in (None, "", "[]", "[" * 10_000, '{"facts": 1}'):
        (parts / "run.json").unlink(missing_ok=True)
        if content is not None:
            (parts / "run.json").write_text(content)
        with pytest.raises(InputError, match=r"options that are no longer known"):
            verify_file(verifier, claims, out)
    assert verify_file(verifier, claims, out, fresh=True).rows == ROWS
    assert_same(pq.read_table(out), whole)


def test_what_a_kill_leaves_before_the_first_part_is_no_obstacle(verifier, tmp_path):
    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    parts = tmp_path / "o.parquet.parts"
    parts.mkdir()
    (parts / ".000000000000.parquet.ab12cd34.partial.parquet").write_bytes(b"PAR1")
    (parts / ".run.json.ab12cd34.partial.json").write_bytes(b"{")
    (parts / ".lock").touch()
    assert verify_file(verifier, claims, out).rows == ROWS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.jsonl", "o.parquet"]


def test_another_shard_is_refused_and_nothing_is_lost(verifier, tmp_path):
    claims, out = write_claims(tmp_path / "c.jsonl"), tmp_path / "o.parquet"
    with pytest.raises(RunInterrupted) as stopped:
        verify_file(verifier, claims, out, chunk_size=6, shard=(0, 2), should_stop=lambda: True)
    assert (stopped.value.done, stopped.value.total) == (6, ROWS // 2)
    with pytest.raises(InputError, match=r"`shard` \[0, 2\], this run has \[1, 2\]"):
        verify_file(verifier, claims, out, shard=(1, 2))
    assert verify_file(verifier, claims, out, shard=(0, 2)).resumed == 6
    assert pq.read_table(out)["id"].to_pylist() == [f"r{i}" for i in range(ROWS // 2)]
