import json

import pytest

from factcheck import InputError, Verifier
from factcheck.cli import main
from factcheck.data import load_images, open_claims
from factcheck.labels import FactifyLabel, parse_label, stance_of
from factcheck.training.calibration import calibrate, fit_temperature


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


def outcomes(verifier, path):
    """Of each labelled row: abstained, and whether its verdict is right."""
    rows = []
    for table in open_claims(path).batches():
        verdicts = verifier.verify_batch(load_images(table, path.parent)).to_pylist()
        for row, label in zip(verdicts, table["label"].to_pylist(), strict=True):
            gold = parse_label(label)
            right = row["label"] == gold if isinstance(gold, FactifyLabel) and row["probabilities"] else None
            rows.append((row["abstained"], row["stance"] == stance_of(gold) if right is None else right))
    return rows


def test_the_fitted_temperature_is_the_one_that_made_the_forecast():
    p = [[0.9, 0.05, 0.05]] * 60 + [[0.9, 0.05, 0.05]] * 40
    gold = [0] * 60 + [1] * 20 + [2] * 20  # right in 60%: the logits are too large
    temperature = fit_temperature(p, gold)
    scaled = 0.9 ** (1 / temperature)
    assert scaled / (scaled + 2 * 0.05 ** (1 / temperature)) == pytest.approx(0.6, abs=1e-3)


def test_the_stored_threshold_does_what_it_was_chosen_for(verifier, factify_folder, tmp_path):
    files = [factify_folder / "train.csv", factify_folder / "val.csv"]
    before = verifier.calibration
    free = [right for path in files for _, right in outcomes(verifier, path)]
    target = min(1.0, sum(free) / len(free) + 0.03)
    found = calibrate(verifier, files, target_precision=target)
    assert verifier.calibration is before
    (tmp_path / "calibration.json").write_text(json.dumps(found.to_dict()))
    calibrated = Verifier(
        verifier.model,
        verifier.builder,
        verifier.encoder,
        calibration=type(found).read(tmp_path),
        top_k=verifier.top_k,
        attribution=False,
    )
    assert calibrated.abstain_below == found.abstain_below
    kept = [right for path in files for abstained, right in outcomes(calibrated, path) if not abstained]
    assert len(kept) / len(free) == pytest.approx(found.coverage)
    assert 20 <= len(kept) < len(free)
    assert sum(kept) / len(kept) >= target


def test_a_precision_out_of_reach_says_what_can_be_had(verifier, factify_folder):
    with pytest.raises(InputError, match=r"0\.999 is not reached on these 20 rows: the highest"):
        calibrate(verifier, [factify_folder / "train.csv"], target_precision=0.999)
    with pytest.raises(InputError, match="target_precision must lie in"):
        calibrate(verifier, [factify_folder / "train.csv"], target_precision=95)


def test_the_flag_needs_rows_to_choose_on(tmp_path, capsys):
    checkpoint = tmp_path / "x.ckpt"
    checkpoint.write_bytes(b"x")
    assert main(["export", str(checkpoint), "--out", str(tmp_path / "m"), "--target-precision", "0.95"]) == 2
    assert "--calibrate-on" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()
