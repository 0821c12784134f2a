"""``factcheck calibrate``: the bundled kind of model without a checkpoint, and judges."""

import json

import pytest

from factcheck.cli import main
from factcheck.judges.calibrated import CalibratedJudge, JudgeProfile
from factcheck.judges.label_names import stance_map
from factcheck.models.calibration import Calibration


@pytest.fixture(scope="module")
def claims(tmp_path_factory):
    """Sixty claims of which a judge that always says the same is right in two of three."""
    path = tmp_path_factory.mktemp("claims") / "claims.jsonl"
    rows = [
        {
            "id": str(i),
            "claim": f"w{i % 20} runs",
            "document": "w1 confirmed w2.",
            "label": "support" if i % 3 else "refute",
        }
        for i in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_a_model_is_copied_with_a_calibration_of_its_own(tiny_model, claims, tmp_path, capsys):
    out = tmp_path / "model"
    assert main(["calibrate", "--model", str(tiny_model), "--on", str(claims), "--out", str(out)]) == 0
    assert "60 labelled rows -> " in capsys.readouterr().out
    found = Calibration.read(out)
    assert found.rows == 60
    assert found.stance != Calibration.read(tiny_model).stance
    assert {p.name for p in out.iterdir()} == {p.name for p in tiny_model.iterdir()} | {"calibration.json"}


def test_few_rows_are_refused(tiny_model, claims, tmp_path, capsys):
    few = tmp_path / "few.jsonl"
    few.write_text("".join(claims.read_text("utf-8").splitlines(True)[:15]), "utf-8")
    assert main(["calibrate", "--model", str(tiny_model), "--on", str(few), "--out", str(tmp_path / "m")]) == 2
    said = capsys.readouterr().err
    assert "15 labelled rows in" in said
    assert "at least 50 are needed" in said
    assert not (tmp_path / "m").exists()


def test_bad_rows_are_left_out_and_counted(tiny_model, claims, tmp_path, capsys):
    table = tmp_path / "some_bad.jsonl"
    table.write_text(
        '{"id": "empty", "claim": "", "label": "refute"}\n' + claims.read_text("utf-8") + "{broken\n", "utf-8"
    )
    out = tmp_path / "m"
    assert main(["calibrate", "--model", str(tiny_model), "--on", str(table), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "60 labelled rows -> " in said.out
    assert "bad rows left out: 2; the first is row 0 (id 'empty'): " in said.err


def test_the_model_itself_is_not_overwritten(tiny_model, claims, capsys):
    assert main(["calibrate", "--model", str(tiny_model), "--on", str(claims), "--out", str(tiny_model)]) == 2
    assert "--out is the model itself" in capsys.readouterr().err


def test_a_judge_gets_a_profile_that_verify_applies(
    cross_encoder_folder, tiny_model, claims, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path / "cache"))
    profile, judge = tmp_path / "profile.json", ["--model", str(tiny_model), "--judge", f"hf:{cross_encoder_folder}"]
    assert main(["calibrate", *judge, "--on", str(claims), "--out", str(profile), "--target-precision", "0.6"]) == 0
    found = JudgeProfile.read(profile)
    # It says "support" with near certainty and is right in two of three: its temperature is high.
    assert found.calibration.stance > 1.5
    assert found.judge.startswith("hf-")
    verdicts = tmp_path / "v.jsonl"
    base = ["verify", str(claims), "--out", str(verdicts), *judge]
    assert main([*base, "--judge-profile", str(profile)]) == 0
    rows = [json.loads(line) for line in verdicts.read_text("utf-8").splitlines()]
    assert {row["label"] for row in rows} == {"Support"}
    assert 0.5 < sum(row["confidence"] for row in rows) / len(rows) < 0.85
    capsys.readouterr()
    assert main([*base, "--judge-claim-first", "--judge-profile", str(profile)]) == 2
    assert "is of the judge hf-" in capsys.readouterr().err
    assert main([*base, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("60 rows, 60 with evidence to judge, 60 known from before")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--judge-images"], "--judge-images belongs to a judge; name one with --judge"),
        (
            ["--judge", "oracle:x"],
            "--judge is 'oracle:x', which names no judge; known are hf:…, openai:…, multilingual",
        ),
        (["--judge", "hf:./nowhere"], "judge './nowhere': no such folder"),
        (["--judge", "hf:x/y", "--judge-price", "1,2"], "--judge-price means nothing for a judge hf:…"),
        (
            ["--judge", "openai:http://127.0.0.1:9/v1#m", "--judge-price", "cheap"],
            "--judge-price is 'cheap'; write two numbers",
        ),
        (["--judge", "openai:http://127.0.0.1:9/v1#m"], "no judge server at http://127.0.0.1:9/v1"),
    ],
)
def test_mistakes_about_judges_in_one_line(flags, said, claims, tiny_model, tmp_path, capsys):
    assert main(["verify", str(claims), "--out", str(tmp_path / "v.jsonl"), "--model", str(tiny_model), *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_profiles(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a judge's profile"):
        JudgeProfile.read(tmp_path / "x.json")
    with pytest.raises(ValueError, match="no such file"):
        JudgeProfile.read(tmp_path / "y.json")
    with pytest.raises(ValueError, match="is not a judge's profile"):
        JudgeProfile("hf-1", Calibration(rows=60)).save(tmp_path / "x.json")
    JudgeProfile("hf-1", Calibration(stance=2.0, rows=60)).save(tmp_path / "z.json")
    assert JudgeProfile.read(tmp_path / "z.json").calibration.stance == 2.0


def test_a_temperature_keeps_the_order_and_softens():
    import numpy as np

    from factcheck.judges import Judge, Judgement
    from factcheck.models.inputs import TextRow

    class Sure(Judge):
        fingerprint = "sure"

        def judge(self, rows):
            return [Judgement(stance=(0.9, 0.09, 0.01)) for _ in rows]

    (found,) = CalibratedJudge(Sure(), Calibration(stance=2.0)).judge([TextRow("a", ("b",))])
    expected = np.sqrt([0.9, 0.09, 0.01])
    assert found.stance == pytest.approx(expected / expected.sum())
    assert stance_map({0: "support", 1: "refute"}).roles == ("support", "refute")
