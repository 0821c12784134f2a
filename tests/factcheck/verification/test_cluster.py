"""One run on a Ray cluster of several processes: the local table row for row, also when a process is killed."""

import functools
import json
import os
import signal

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from verdict_tables import assert_same

from factcheck import InputError, Verifier
from factcheck.cli import main
from factcheck.verification import verify_file
from factcheck.verification.chunks import RunOptions
from factcheck.verification.cluster import RayCluster, _Actor, _add_images, _Job, _read, _table, verify_on_ray
from factcheck.verification.stream import RunInterrupted

# Three processes of PyTorch start on what may be one busy core.
pytestmark = pytest.mark.timeout(900)
ROWS, BAD = 60, 9


@pytest.fixture(scope="module")
def cluster():
    """A cluster of this machine with two CPUs, whatever it has."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'factcheck-twins[ray]'")
    pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'factcheck-twins[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        # Ray's processes are nice by 15: beside other tests they would get a thirtieth of a CPU.
        patch.setenv("RAY_worker_niceness", "0")
        ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False)
        yield RayCluster(actors=2)
        ray.shutdown()


@pytest.fixture(scope="module")
def load(tiny_model):
    return functools.partial(Verifier.load, str(tiny_model), attribution=False)


@pytest.fixture(scope="module")
def verifier(load):
    return load()


@pytest.fixture(scope="module")
def claims(tmp_path_factory, photo):
    folder = tmp_path_factory.mktemp("claims")
    (folder / "p.png").write_bytes(photo(1))
    rows = [
        {
            "id": f"r{i}",
            "claim": f"Claim {i} of a dog" if i % 7 else "",
            "document": f"A dog runs {i}. A cat sleeps.",
            "claim_image": "p.png" if i % 3 == 0 else None,
            "document_image": "none.png" if i % 5 == 0 else None,
        }
        for i in range(ROWS)
    ]
    path = folder / "claims.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def whole(verifier, claims, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "whole.parquet"
    verify_file(verifier, claims, out, chunk_size=4)
    return pq.read_table(out)


def pids_of_actors():
    """The processes that verify."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if words.startswith("ray::") and "_Actor" in words:
            found.append(process.pid)
    return found


@pytest.mark.slow
def test_a_killed_actor_loses_no_row(cluster, verifier, load, claims, whole, tmp_path):
    out = tmp_path / "v.parquet"
    killed, seen = [], []

    def kill_one(done, total):
        seen.append(done)
        if done and not killed:
            running = pids_of_actors()
            assert running
            os.kill(running[0], signal.SIGKILL)
            killed.append(running[0])

    summary = verify_on_ray(verifier, claims, out, load=load, cluster=cluster, chunk_size=4, progress=kill_one)
    assert killed
    assert seen == sorted(seen)
    assert (summary.rows, summary.statuses["error"]) == (ROWS, BAD)
    assert summary.stages["decide"] > 0
    assert_same(pq.read_table(out), whole)
    assert not out.with_name("v.parquet.parts").exists()


@pytest.mark.slow
def test_a_stopped_run_is_finished_on_a_cluster(cluster, verifier, load, claims, whole, tmp_path):
    out = tmp_path / "v.parquet"
    with pytest.raises(RunInterrupted):
        verify_file(verifier, claims, out, chunk_size=4, should_stop=lambda: True)
    with pytest.raises(RunInterrupted):
        verify_on_ray(verifier, claims, out, load=load, cluster=cluster, chunk_size=4, should_stop=lambda: True)
    summary = verify_on_ray(verifier, claims, out, load=load, cluster=cluster, chunk_size=7)
    assert summary.resumed == 8
    assert_same(pq.read_table(out), whole)


@pytest.mark.slow
def test_other_models_on_the_cluster_are_told_of(cluster, verifier, claims, tiny_model, tmp_path):
    other = functools.partial(Verifier.load, str(tiny_model), attribution=False, top_k=1)
    with pytest.raises(InputError, match="another version, model, index or option"):
        verify_on_ray(verifier, claims, tmp_path / "v.parquet", load=other, cluster=cluster)


def passed_through(load, verifier, claims, **options):
    """What the stages make of a table, one after the other in this process."""
    job = _Job(load, json.dumps(verifier.facts), claims, RunOptions(**options), os.getcwd())
    actor = _Actor(job)
    stretch = pa.table({"start": [0], "stop": pa.array([None], pa.int64())})
    return [actor(part).to_pylist()[0] for chunk in _read(stretch, job) for part in _add_images(chunk, job)]


def test_the_stages_make_the_local_table(load, verifier, claims, whole, tmp_path):
    chunks = passed_through(load, verifier, claims, chunk_size=8)
    assert [chunk["first"] for chunk in chunks] == list(range(0, ROWS, 8))
    assert_same(pa.concat_tables(_table(chunk["table"]) for chunk in chunks), whole)
    assert {"read", "decide"} <= set(json.loads(chunks[0]["seconds"]))
    earlier = tmp_path / "earlier.parquet"
    pq.write_table(whole.slice(0, 20), earlier)
    again = passed_through(load, verifier, claims, since=earlier)
    assert sum(chunk["taken_over"] for chunk in again) == 20 - whole.slice(0, 20)["status"].to_pylist().count("error")
    assert_same(_table(again[0]["table"]), whole)


def test_a_mistake_comes_back_with_its_words(load, verifier, claims, tmp_path):
    assert "column 'claim': empty" in passed_through(load, verifier, claims, on_error="fail")[0]["error"]
    missing = functools.partial(Verifier.load, str(tmp_path / "no" / "model"))
    assert "no such folder" in passed_through(missing, verifier, claims)[0]["error"]


def test_what_a_cluster_cannot_do_is_said_at_once(verifier, load, claims, tmp_path, capsys):
    with pytest.raises(InputError, match="a Ray client, which cannot run Ray Data"):
        RayCluster(address="ray://head:10001")
    with pytest.raises(InputError, match=r"`actors` is 0"):
        RayCluster(actors=0)
    pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'factcheck-twins[ray]'")
    with pytest.raises(InputError, match="`workers` are processes of one machine"):
        verify_on_ray(verifier, claims, tmp_path / "v.parquet", load=load, workers=2)
    assert main(["verify", str(claims), "--out", str(tmp_path / "v.parquet"), "--ray-actors", "2"]) == 2
    assert "--ray-actors are processes of a cluster; give --ray, too" in capsys.readouterr().err


def test_actors_leave_a_cpu_to_read_with():
    for cpus in (1, 2, 3, 8, 64):
        actors, share = RayCluster().shares(cpus, 0)
        assert actors * share + 0.75 <= cpus
        assert actors == max(1, cpus - 1)
    actors, share = RayCluster(actors=4).shares(2, 0)
    assert (actors, actors * share + 0.75 <= 2) == (4, True)
    assert RayCluster(address="auto", actors=40).shares(8, 0) == (40, 1.0), "a cluster may grow"
    assert RayCluster(cuda=True).shares(16, 2) == (2, 1.0)
