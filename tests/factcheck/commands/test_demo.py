"""The demo and the bundled model: what a newcomer runs first."""

import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from factcheck import Claim, Verifier
from factcheck.cli import main
from factcheck.sample import sample_folder


@pytest.mark.slow
def test_the_demo_gives_every_sample_row_a_verdict_or_a_reason(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    verdicts = pq.read_table(tmp_path / "demo" / "verdicts.parquet").to_pylist()
    claims = (sample_folder() / "claims.gold.jsonl").read_text("utf-8").splitlines()
    assert len(verdicts) == len(claims) >= 40
    for row in verdicts:
        assert row["label"] is not None or (row["status"] == "error" and row["reason"])
    assert {row["status"] for row in verdicts} == {"ok", "degraded", "error"}
    assert (tmp_path / "demo" / "report.html").is_file()
    assert "report:" in printed
    assert "always the most frequent stance: 0." in printed
    assert "evidence of highest" in printed
    assert "gold" in printed
    for row in verdicts:
        if row["status"] != "ok":
            assert row["reason"].split(";")[0].split(":")[0] in printed


def test_the_demo_needs_a_folder(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.strip().endswith("file' is a file; name a folder")


def test_how_to_activate_the_environment_is_said_where_the_command_is_not_found(tmp_path, monkeypatch):
    from factcheck.commands import demo

    monkeypatch.chdir(tmp_path)
    environment = tmp_path / ".venv"
    (environment / "bin").mkdir(parents=True)
    command = environment / "bin" / "factcheck"
    command.write_text("")
    command.chmod(0o755)
    monkeypatch.setattr(sys, "prefix", str(environment))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo._activation() == ". .venv/bin/activate"
    monkeypatch.setenv("PATH", str(environment / "bin"))
    assert demo._activation() is None
    monkeypatch.setattr(sys, "base_prefix", str(environment))  # no virtual environment
    assert demo._activation() is None


def test_the_majority_baseline_is_scikit_learns():
    from sklearn.metrics import f1_score

    from factcheck.commands.demo import _majority_f1
    from factcheck.evaluation.metrics import classification

    gold = ["a"] * 5 + ["b"] * 3 + ["c"]
    part = classification(gold, gold, ["a", "b", "c"])
    assert _majority_f1(part) == pytest.approx(f1_score(gold, ["a"] * 9, average="weighted", zero_division=0))


@pytest.mark.slow
def test_the_quickstart_configuration_trains_the_bundled_model(tmp_path):
    root = sample_folder()
    if root.name != "sample":
        pytest.skip("the quickstart configuration names the sample of a checkout")
    checkout = root.parents[1]
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    shutil.copytree(root, work / "data" / "sample")
    arguments = ["fit", "--config", str(checkout / "configs" / "quickstart.yaml"), "--trainer.max_epochs", "1"]
    subprocess.run([sys.executable, "-m", "factcheck", *arguments], check=True, cwd=work, timeout=280)
    assert (work / "runs" / "quickstart" / "best.ckpt").is_file()


@pytest.mark.slow
def test_the_bundled_model_knows_the_easy_cases():
    verifier = Verifier.load("bundled", attribution=False)

    def stance(claim, document):
        return verifier.verify(Claim(claim=claim, document=document)).stance

    assert stance("A dog is running on the beach.", "A dog is running on the beach near the water.") == "support"
    assert stance("Nobody is playing the guitar.", "A man is playing the guitar on a stage.") == "refute"
    assert stance("The minister resigned on Monday.", "A cat sleeps on a red sofa.") == "insufficient"
