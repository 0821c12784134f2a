"""Mistakes in the use of a verifier, from Python and on the command line."""

import pyarrow as pa
import pytest
import torch

from factcheck import Claim, InputError, Verifier
from factcheck.cli import main
from factcheck.judges.device import find_device


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


def test_verify_takes_a_claim(verifier):
    with pytest.raises(InputError, match=r"verify takes one Claim, found str; write verifier\.verify\(Claim\("):
        verifier.verify("Two dogs run")


@pytest.mark.parametrize("table", [{"claim": ["a"]}, "claims.csv", 3])
def test_verify_batch_takes_a_table(verifier, table):
    with pytest.raises(
        InputError, match=rf"`table` is {type(table).__name__}, expected a table of claims; give a pyarrow table"
    ):
        verifier.verify_batch(table)


def test_a_claim_without_an_id_is_row_0(verifier):
    assert verifier.verify(Claim(claim="Two dogs run", document="Two dogs run.")).id == "0"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "document: missing"),
        (" ", "document: missing"),
        ("https://example.com/a", "document: no readable sentence"),
    ],
)
def test_where_nothing_was_judged_the_verdict_abstains(verifier, document, reason):
    verdict = verifier.verify(Claim(claim="Two dogs run", document=document))
    assert (verdict.label, verdict.abstained, verdict.status, verdict.reason) == (
        "Insufficient",
        True,
        "degraded",
        reason,
    )
    judged = verifier.verify(Claim(claim="Two dogs run", document="Two dogs run."))
    assert not judged.abstained


WRONG_DEVICES = ["foo", "cuda:x", "meta"] + ([] if torch.cuda.is_available() else ["cuda", "cuda:3"])


@pytest.mark.parametrize("device", WRONG_DEVICES)
def test_a_device_that_is_not_there(device, tmp_path):
    with pytest.raises(InputError, match=rf"device '{device}' .* machine.* 'cpu'"):
        find_device(device)
    with pytest.raises(InputError, match=rf"device '{device}'"):  # before the model is looked for
        Verifier.load(tmp_path / "nothing", device=device)


@pytest.mark.parametrize("command", ["verify", "attribution", "robustness"])
def test_commands_name_a_device_that_is_not_there(command, tmp_path, capsys):
    claims = tmp_path / "c.csv"
    claims.write_text("claim,document\na,b\n")
    assert main([command, str(claims), "--device", "foo", "--out", str(tmp_path / "o.parquet")]) == 2
    err = capsys.readouterr().err
    assert "device 'foo' is not available on this machine, which has 'cpu'" in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv"], "nothing is left behind"


@pytest.mark.parametrize("command", ["verify", "attribution", "robustness"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image-root", "nowhere"], "--image-root 'nowhere' is not a folder"),
        (["--model", "/no/where"], "--model '/no/where': no such folder; give a model folder, 'bundled', or"),
        (["--model", "."], "--model '.' is not a model folder: it has no config.json"),
        (["--model", "c.csv"], "--model 'c.csv' is a file; give a model folder"),
    ],
)
def test_cheap_mistakes_show_before_anything_is_loaded(command, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.csv").write_text("claim,document\na,b\n")
    monkeypatch.setattr(f"factcheck.commands.{command}.quiet_libraries", None)  # the first heavy import
    assert main([command, "c.csv", "--out", "o.parquet", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv"], "nothing is left behind"


def test_a_table_without_rows_is_remarked_on(tmp_path, tiny_model, capsys):
    claims, out = tmp_path / "c.csv", tmp_path / "o.parquet"
    claims.write_text("claim,document\n")
    assert main(["verify", str(claims), "--model", str(tiny_model), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "warning: " in captured.err
    assert "holds 0 rows" in captured.err
    assert "0 rows -> " in captured.out
    assert out.is_file()


def test_a_bad_label_does_not_cost_the_verdict(verifier):
    table = pa.table({"claim": ["Two dogs run"], "document": ["Two dogs run."], "label": ["half-true"]})
    (row,) = verifier.verify_batch(table).to_pylist()
    assert row["status"] == "ok"
    assert row["reason"].startswith("label: unknown label 'half-true'")
    assert "what it counts as" not in row["reason"]
    assert row["label"] is not None
