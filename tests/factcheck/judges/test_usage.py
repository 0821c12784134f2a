"""What a judge was asked is told once and whole, wherever it worked: in this process, in several, on a cluster."""

import functools
import json

import pytest
from judge_models import ChatServer, completion

from factcheck import Verifier
from factcheck.cli import main
from factcheck.verification.stream import verify_file

ROWS = 12
ANSWER = {
    "label": "refute",
    "probabilities": {"support": 0.1, "insufficient": 0.1, "refute": 0.8},
    "evidence": [1],
    "reason": "It is not so.",
}


@pytest.fixture
def server(monkeypatch):
    for name in ("FACTCHECK_JUDGE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    server = ChatServer(lambda body, number: (200, {}, completion(json.dumps(ANSWER))))
    yield server
    server.close()


@pytest.fixture
def claims(tmp_path):
    rows = [{"id": str(i), "claim": f"Claim {i} of a dog.", "document": f"A dog runs {i}."} for i in range(ROWS)]
    path = tmp_path / "claims.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_the_command_says_and_writes_it_and_a_second_run_asks_nothing(server, tiny_model, claims, tmp_path, capsys):
    def verify(name):
        options = [
            "--judge",
            f"openai:{server.url}#tiny",
            "--judge-price",
            "1,5",
            "--judge-cache",
            str(tmp_path / "c.sqlite"),
        ]
        metrics = ["--metrics", str(tmp_path / "m.json"), "--metrics", str(tmp_path / "m.prom")]
        assert (
            main(["verify", str(claims), "--model", str(tiny_model), "--out", str(tmp_path / name), *options, *metrics])
            == 0
        )
        return capsys.readouterr().out, json.loads((tmp_path / "m.json").read_text())["judge"]

    said, figures = verify("a.parquet")
    assert "  judge: 12 requests, 1200 + 240 tokens, cost 0.0024\n" in said
    assert (figures["requests"], figures["prompt_tokens"], figures["cost"]) == (12, 1200, pytest.approx(0.0024))
    assert 'factcheck_judge{count="completion_tokens"} 240' in (tmp_path / "m.prom").read_text()
    said, figures = verify("b.parquet")
    assert "  judge: 12 answers known from before\n" in said
    assert figures == {"known": 12, "cost": 0}


@pytest.mark.slow
def test_several_processes_are_added_up(server, tiny_model, claims, tmp_path):
    load = functools.partial(Verifier.load, str(tiny_model), judge=f"openai:{server.url}#tiny")
    summary = verify_file(load(), claims, tmp_path / "v.parquet", chunk_size=3, workers=2, load=load)
    assert summary.judge["requests"] == len(server.bodies) == ROWS
    assert summary.judge["prompt_tokens"] == 100 * ROWS


@pytest.mark.slow
def test_a_cluster_is_added_up(server, tiny_model, claims, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'factcheck-twins[ray]'")
    from factcheck.verification.cluster import RayCluster, verify_on_ray

    ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False)
    try:
        load = functools.partial(Verifier.load, str(tiny_model), judge=f"openai:{server.url}#tiny")
        cluster = RayCluster(actors=1)
        summary = verify_on_ray(load(), claims, tmp_path / "v.parquet", load=load, cluster=cluster, chunk_size=3)
    finally:
        ray.shutdown()
    assert summary.judge["requests"] == len(server.bodies) == ROWS
    assert summary.judge["completion_tokens"] == 20 * ROWS
