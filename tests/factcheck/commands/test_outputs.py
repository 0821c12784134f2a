"""Outputs that would overwrite an input, or could not be written: refused before the work, with nothing changed."""

import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.records import verdict_schema
from factcheck.verification.verdict_table import check_output

CSV = "id,claim,document,label\na,Two dogs run,Two dogs run in the park.,support\n"


@pytest.fixture
def claims(tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text(CSV, "utf-8")
    return path


@pytest.fixture
def verdicts(tmp_path):
    row = {"id": "a", "label": "Support", "stance": "support", "confidence": 0.9, "abstained": False, "status": "ok"}
    path = tmp_path / "verdicts.parquet"
    pq.write_table(pa.Table.from_pylist([{**row, "evidence": [], "model": "m"}], schema=verdict_schema()), path)
    return path


def refused(capsys, *arguments):
    status = main([str(a) for a in arguments])
    err = capsys.readouterr().err
    assert status == 2
    assert err.startswith("factcheck: error: ")
    assert err.count("\n") == 1, err
    return err


def test_verify_does_not_overwrite_its_claims(claims, tmp_path, capsys):
    assert "is the claims table itself" in refused(capsys, "verify", claims, "--out", claims)
    (tmp_path / "link.csv").symlink_to(claims)
    assert "is the claims table itself" in refused(capsys, "verify", claims, "--out", tmp_path / "link.csv")
    os.link(claims, tmp_path / "hard.csv")
    assert "is the claims table itself" in refused(capsys, "verify", claims, "--out", tmp_path / "hard.csv")
    assert claims.read_text("utf-8") == CSV
    assert sorted(path.name for path in tmp_path.iterdir()) == ["claims.csv", "hard.csv", "link.csv"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.csv", b"id,claim\n1,a\n"),
        ("mine.tsv", b"id\tlabel\n"),
        ("mine.jsonl", b'{"id": 1}\n'),
        ("mine.jsonl", b"[1, 2"),
        ("mine.csv", b"\xff\xfe\x00"),
        ("mine.parquet", b"PAR1 not really"),
    ],
)
def test_verify_does_not_overwrite_what_is_no_verdict_table(claims, tmp_path, capsys, name, content):
    (tmp_path / name).write_bytes(content)
    assert "exists and is not a verdict table" in refused(capsys, "verify", claims, "--out", tmp_path / name)
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".tsv", ".jsonl"])
def test_a_verdict_table_of_an_earlier_run_may_be_replaced(claims, verdicts, tmp_path, ending):
    from factcheck.verification.verdict_table import merge_parts

    parts = tmp_path / "parts"
    parts.mkdir()
    verdicts.rename(parts / "0.parquet")
    out = tmp_path / f"out{ending}"
    list(merge_parts(parts, out))
    check_output(out, claims)
    (tmp_path / f"empty{ending}").touch()
    check_output(tmp_path / f"empty{ending}", claims)


def test_chunks_do_not_replace_somebody_elses_folder(claims, tiny_model, tmp_path, capsys):
    taken = tmp_path / "v.parquet.parts"
    taken.mkdir()
    (taken / "thesis.txt").write_text("years of work")
    err = refused(capsys, "verify", claims, "--model", tiny_model, "--out", tmp_path / "v.parquet")
    assert "v.parquet.parts', where the finished part of the run would go" in err
    assert (taken / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("flag", ["--report", "--json"])
def test_evaluate_does_not_overwrite_its_tables(claims, verdicts, capsys, flag):
    arguments = ("evaluate", verdicts, "--truth", claims, flag)
    assert "is the verdict table itself" in refused(capsys, *arguments, verdicts)
    assert "is the truth table itself" in refused(capsys, *arguments, claims)


def test_evaluate_refuses_reports_that_cannot_be_written(claims, verdicts, tmp_path, capsys):
    arguments = ("evaluate", verdicts, "--truth", claims)
    assert "is a folder; name a file in it" in refused(capsys, *arguments, "--report", tmp_path)
    assert "make it first" in refused(capsys, *arguments, "--report", tmp_path / "no" / "r.html")
    assert "is not a folder" in refused(capsys, *arguments, "--report", claims / "r.html")
    same = tmp_path / "same"
    assert "name two files" in refused(capsys, *arguments, "--report", same, "--json", same)
    if os.geteuid():  # root may write anywhere
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        assert "no right to write in" in refused(capsys, *arguments, "--report", locked / "r.html")


def test_export_takes_checkpoints_and_replaces_its_own_folders_only(claims, tmp_path, capsys):
    import torch

    err = refused(capsys, "export", claims, "--out", tmp_path / "mo")
    assert "claims.csv' is not a checkpoint; give a .ckpt file" in err
    assert "weights_only" not in err
    checkpoint, foreign = tmp_path / "x.ckpt", tmp_path / "foreign"
    torch.save({"state_dict": {}}, checkpoint)
    foreign.mkdir()
    (foreign / "config.json").write_text('{"model_type": "bert"}')
    assert "is not a model folder" in refused(capsys, "export", checkpoint, "--out", foreign)
    assert "is not a photo encoder" in refused(capsys, "photos", "export", checkpoint, "--out", foreign)
    assert "is a file; name a folder" in refused(capsys, "export", checkpoint, "--out", claims)
    assert not (tmp_path / "mo").exists()
    assert (foreign / "config.json").read_text() == '{"model_type": "bert"}'


def test_a_checkpoint_that_would_run_code_is_refused_without_advice_to_run_it(tmp_path):
    import torch

    from factcheck.training.verdict.checkpoint import load_checkpoint

    torch.save({"state_dict": {}, "pickled": CheckOut()}, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"is not a checkpoint; give a \.ckpt file") as caught:
        load_checkpoint(tmp_path / "x.ckpt")
    assert "weights_only" not in str(caught.value)


class CheckOut:
    """A class that an unpickler would have to import."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "{verdicts}", "--out"),
        ("robustness", "{claims}", "--out"),
        ("attribution", "{claims}", "--out"),
        ("compare", "{verdicts}", "{verdicts}", "--truth", "{claims}", "--report"),
        ("compare", "{verdicts}", "{verdicts}", "--truth", "{claims}", "--json"),
        ("evaluate", "{verdicts}", "--truth", "{claims}", "--report"),
        ("evaluate", "{verdicts}", "--truth", "{claims}", "--json"),
        ("verify", "{claims}", "--out", "{claims}.parquet", "--metrics"),
        ("review", "export", "{verdicts}", "--claims", "{claims}", "--out"),
    ],
    ids=lambda arguments: " ".join((arguments[0], arguments[-1])),
)
def test_files_that_no_earlier_run_wrote_stay(claims, verdicts, tmp_path, capsys, arguments):
    mine = tmp_path / "mine.py"
    mine.write_text("print('years of work')")
    given = [one.format(claims=claims, verdicts=verdicts) for one in arguments]
    assert f"{given[-1]} '{mine}' exists and is not" in refused(capsys, *given, mine)
    assert mine.read_text() == "print('years of work')"


def test_what_an_earlier_run_wrote_may_be_replaced(claims, verdicts, tmp_path, capsys):
    report, figures = tmp_path / "r.html", tmp_path / "f.json"
    for _ in range(2):
        assert main(["report", str(verdicts), "--truth", str(claims), "--out", str(report)]) == 0
        assert main(["evaluate", str(verdicts), "--truth", str(claims), "--json", str(figures)]) == 0
        common = ["compare", str(verdicts), str(verdicts), "--truth", str(claims)]
        assert main([*common, "--json", str(tmp_path / "c.json"), "--report", str(report)]) == 0
        common = ["review", "export", str(verdicts), "--claims", str(claims), "--all", "--out"]
        for ending in ("json", "jsonl", "csv", "parquet"):
            assert main([*common, str(tmp_path / f"x.{ending}")]) == 0
    capsys.readouterr()
    assert "exists and is not" in refused(capsys, "evaluate", verdicts, "--truth", claims, "--json", report)


def test_warnings_and_messages_name_flags(verdicts, tmp_path, capsys):
    table = tmp_path / "t.tsv"
    table.write_text("id\tclaim\tdocument\n" + "".join(f'{n}\t"two" dogs\tA dog runs.\n' for n in range(40)), "utf-8")
    main(["evaluate", str(verdicts), "--truth", str(table)])
    assert "quotation marks; if that is wrong, say so with --quoting" in capsys.readouterr().err
    table.write_text("id\tclaim\tlabel\na\tTwo dogs run\tmostly true\n", "utf-8")
    err = refused(capsys, "evaluate", verdicts, "--truth", table)
    assert err.count("--labels") == 1


def test_folders_that_nothing_can_be_written_in_are_told_by_trying(claims, capsys):
    if not os.path.isdir("/proc/self"):
        pytest.skip("needs a file system that takes no files, such as /proc")
    err = refused(capsys, "verify", claims, "--out", "/proc/v.parquet")
    assert "--out '/proc/v.parquet' cannot be written: no right to write in '/proc'" in err


def test_a_missing_package_shows_before_the_model_is_loaded(claims, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("factcheck.verification.verifier.Verifier.load", None)
    err = refused(capsys, "verify", claims, "--out", tmp_path / "v.parquet", "--ray")
    assert "a run on a cluster needs the package ray, which is not installed" in err
