"""The command line as a user meets it: exit codes, one clear line for each mistake, nothing lost."""

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from factcheck.cli import COMMANDS, LIGHTNING, main

ROWS = [
    {"id": "a", "claim": "Two dogs run", "document": ["Two dogs run in the park.", "A boy eats."], "label": "support"},
    {"id": "b", "claim": "No dog runs", "document": "Two dogs run in the park. A boy eats.", "label": "refute"},
    {
        "id": "c",
        "claim": "A cat sleeps",
        "document": "Two dogs run.",
        "label": "insufficient",
        "claim_image": "gone.jpg",
    },
]


@pytest.fixture
def claims(tmp_path):
    path = tmp_path / "claims.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return path


def fails(capsys, *arguments):
    """Run a command that must fail; returns its one line of explanation."""
    status = main([str(a) for a in arguments])
    lines = capsys.readouterr().err.strip().splitlines()
    err = "\n".join(line for line in lines if not line.startswith("verifying: "))  # progress
    assert status == 2
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1, err
    return err


def test_help_lists_every_command():
    result = subprocess.run([sys.executable, "-m", "factcheck", "--help"], capture_output=True, text=True, check=True)
    for name in [*COMMANDS, *LIGHTNING]:
        assert name in result.stdout


def test_importing_the_packages_loads_no_torch():
    code = "import sys, factcheck, retrieval, factcheck.cli, factcheck.data, factcheck.models; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv", "tsv"])
def test_verify_then_evaluate(ending, claims, tiny_model, tmp_path, capsys):
    out = tmp_path / f"verdicts.{ending}"
    assert main(["verify", str(claims), "--model", str(tiny_model), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "3 rows" in printed
    assert "degraded 1" in printed
    report, figures = tmp_path / "report.html", tmp_path / "figures.json"
    arguments = ["evaluate", out, "--truth", claims, "--report", report, "--json", figures]
    assert main([str(a) for a in arguments]) == 0
    result = json.loads(figures.read_text())
    assert result["rows"] == 3
    assert result["five_class"] is None
    assert result["stance"]["rows"] == 3
    assert "<svg" in report.read_text()
    assert not list(tmp_path.glob("*.parts")), "chunks of a finished run are removed"


def test_the_same_verdicts_in_every_format(claims, tiny_model, tmp_path):
    from factcheck.verification.verdict_table import read_verdicts

    tables = []
    for ending in ("parquet", "jsonl", "csv"):
        out = tmp_path / f"v.{ending}"
        assert main(["verify", str(claims), "--model", str(tiny_model), "--out", str(out)]) == 0
        tables.append(read_verdicts(out).to_pylist())
    for other in tables[1:]:
        for a, b in zip(tables[0], other, strict=True):
            assert a["confidence"] == pytest.approx(b["confidence"], abs=1e-6)
            assert [e["text"] for e in a["evidence"]] == [e["text"] for e in b["evidence"]]
            assert a["label"] == b["label"]
            assert a["reason"] == b["reason"]


def test_columns_are_mapped(tmp_path, tiny_model):
    path = tmp_path / "mine.csv"
    path.write_text("text,body,n\nTwo dogs run,Two dogs run in the park.,1\n", "utf-8")
    out = tmp_path / "v.parquet"
    assert (
        main(
            [
                "verify",
                str(path),
                "--columns",
                "claim=text,document=body",
                "--model",
                str(tiny_model),
                "--out",
                str(out),
            ]
        )
        == 0
    )
    assert pq.read_table(out)["status"].to_pylist() == ["ok"]


class TestMistakes:
    def test_missing_file(self, capsys, tmp_path):
        assert "no such file" in fails(capsys, "verify", tmp_path / "none.csv", "--out", tmp_path / "v.parquet")

    def test_wrong_separator(self, capsys, tmp_path):
        path = tmp_path / "c.csv"
        path.write_text("id;claim;document\n1;a dog;a dog runs\n2;a cat;a cat runs\n", "utf-8")
        assert ";" in fails(capsys, "verify", path, "--delimiter", "comma", "--out", tmp_path / "v.parquet")

    def test_unknown_column(self, capsys, claims, tmp_path):
        err = fails(capsys, "verify", claims, "--columns", "claim=text", "--out", tmp_path / "v.parquet")
        assert "text" in err
        assert "document" in err  # the columns that were found

    def test_malformed_column_mapping(self, capsys, claims, tmp_path):
        assert "NAME=COLUMN" in fails(capsys, "verify", claims, "--columns", "claim", "--out", tmp_path / "v.parquet")

    def test_label_outside_the_map(self, capsys, tiny_model, tmp_path):
        path = tmp_path / "c.jsonl"
        path.write_text('{"claim": "a", "document": "b", "label": "whatever"}\n', "utf-8")
        out = tmp_path / "v.parquet"
        # A label is none of verify's business; what scores by it refuses it.
        assert main(["verify", str(path), "--out", str(out), "--model", str(tiny_model)]) == 0
        capsys.readouterr()
        assert "unknown label 'whatever'" in fails(capsys, "evaluate", out, "--truth", path)

    def test_out_of_another_format(self, capsys, claims, tmp_path):
        assert ".xlsx" in fails(capsys, "verify", claims, "--out", tmp_path / "v.xlsx")

    def test_out_in_a_missing_folder(self, capsys, claims, tmp_path):
        assert "make it first" in fails(capsys, "verify", claims, "--out", tmp_path / "no" / "v.parquet")

    def test_no_such_model(self, capsys, claims, tmp_path):
        err = fails(capsys, "verify", claims, "--model", tmp_path / "model", "--out", tmp_path / "v.parquet")
        assert "model" in err

    def test_a_folder_that_is_no_model(self, capsys, claims, tmp_path):
        err = fails(capsys, "verify", claims, "--model", tmp_path, "--out", tmp_path / "v.parquet")
        assert "config.json" in err

    def test_hub_model_offline(self, capsys, claims, tmp_path):
        err = fails(capsys, "verify", claims, "--model", "nobody/nothing", "--out", tmp_path / "v.parquet")
        assert "nobody/nothing" in err

    def test_model_of_another_version(self, capsys, claims, tiny_model, tmp_path):
        import shutil

        model = shutil.copytree(tiny_model, tmp_path / "model")
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "format_version": 99}))
        err = fails(capsys, "verify", claims, "--model", model, "--out", tmp_path / "v.parquet")
        assert "99" in err

    @pytest.mark.parametrize(
        ("flag", "value"), [("--abstain-below", "1.5"), ("--top-k", "0"), ("--batch-size", "x"), ("--chunk-size", "-1")]
    )
    def test_flags_out_of_range(self, capsys, claims, tmp_path, flag, value):
        with pytest.raises(SystemExit) as stop:
            main(["verify", str(claims), "--out", str(tmp_path / "v.parquet"), flag, value])
        assert stop.value.code == 2
        err = capsys.readouterr().err
        assert f"argument {flag}: expected a whole number" in err or "a number in [0, 1]" in err
        assert err.endswith("; see 'factcheck verify --help'\n")
        assert err.count("\n") == 1

    def test_unknown_argument(self, capsys, claims, tmp_path):
        err = fails(capsys, "verify", claims, "--out", tmp_path / "v.parquet", "--fast")
        assert "unknown argument '--fast'; see 'factcheck verify --help'" in err

    def test_what_the_system_refuses(self, capsys, claims, tmp_path, monkeypatch):
        def full(*_args, **_options):
            raise OSError(28, "No space left on device", "v.parquet")

        monkeypatch.setattr("factcheck.data.open_claims", full)
        err = fails(capsys, "verify", claims, "--out", tmp_path / "v.parquet")
        assert err == "factcheck: error: 'v.parquet': No space left on device"

    def test_evaluating_against_another_table(self, capsys, claims, tiny_model, tmp_path):
        out = tmp_path / "v.parquet"
        assert main(["verify", str(claims), "--model", str(tiny_model), "--out", str(out)]) == 0
        capsys.readouterr()
        other = tmp_path / "other.jsonl"
        other.write_text('{"id": "z", "claim": "a", "label": "support"}\n', "utf-8")
        assert "no row with id 'a'" in fails(capsys, "evaluate", out, "--truth", other)

    def test_evaluating_without_labels(self, capsys, claims, tiny_model, tmp_path):
        out = tmp_path / "v.parquet"
        assert main(["verify", str(claims), "--model", str(tiny_model), "--out", str(out)]) == 0
        capsys.readouterr()
        bare = tmp_path / "bare.jsonl"
        bare.write_text("".join(json.dumps({"id": r["id"], "claim": r["claim"]}) + "\n" for r in ROWS), "utf-8")
        assert "label" in fails(capsys, "evaluate", out, "--truth", bare)

    def test_evaluating_something_else(self, capsys, claims):
        assert "is not a verdict table" in fails(capsys, "evaluate", claims, "--truth", claims)

    def test_export_without_a_checkpoint(self, capsys, tmp_path):
        assert "no such file" in fails(capsys, "export", tmp_path / "x.ckpt", "--out", tmp_path / "m")

    def test_missing_configuration(self, capsys, tmp_path):
        assert "no such file" in fails(capsys, "fit", "--config", tmp_path / "x.yaml")
