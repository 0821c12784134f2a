import csv
import json

import numpy as np
import pyarrow as pa
import pytest

from factcheck import InputError, Verifier
from factcheck.cli import main
from factcheck.data import load_images, open_claims
from factcheck.evaluation.matching import join_tables
from factcheck.evaluation.scoring import score
from factcheck.labels import FACTIFY_LABELS, STANCES, FactifyLabel, Stance, parse_label, stance_of
from factcheck.models.calibration import Calibration
from factcheck.training.calibration import _labelled_rows, calibrate, fit_temperature, fit_temperature_by_length
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.rows import read_training_rows
from factcheck.verification.stream import verify_file


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


def test_each_length_gets_the_temperature_that_made_its_forecasts():
    rng = np.random.default_rng(0)
    tokens = rng.choice([20, 60, 180], 9000)
    true = {20: 1.2, 60: 2.0, 180: 3.0}
    logits = rng.normal(size=(9000, 3)) * 3
    p, gold = [], []
    for row, length in zip(logits, tokens, strict=True):
        forecast = np.exp(row - row.max())
        p.append(forecast / forecast.sum())
        chance = p[-1] ** (1 / true[length])
        gold.append(rng.choice(3, p=chance / chance.sum()))
    found = Calibration(stance_by_length=fit_temperature_by_length(p, gold, tokens, knots=3))
    assert found.stance_temperatures([20, 60, 180]) == pytest.approx([1.2, 2.0, 3.0], rel=0.12)
    assert [n for n, _ in found.stance_by_length] == [20, 60, 180]


def test_temperatures_between_and_beyond_the_lengths():
    calibration = Calibration(stance_by_length=[[10, 1.0], [1000, 4.0]])
    assert calibration.stance_temperatures([0, 1, 10, 100, 1000, 10**6]) == pytest.approx([1, 1, 1, 2, 4, 4])
    assert Calibration(stance=1.5).stance_temperatures([3, 300]).tolist() == [1.5, 1.5]


@pytest.mark.parametrize(
    "pairs", [[[10, 0.0]], [[10, 1.0], [10, 2.0]], [[0, 1.0]], [[20, 1.0], [10, 1.0]], [[5, float("nan")]]]
)
def test_lengths_out_of_order_and_temperatures_out_of_range_are_refused(pairs):
    with pytest.raises(InputError, match="stance_by_length"):
        Calibration(stance_by_length=pairs)


def test_a_verdict_is_scaled_by_the_length_of_its_text(verifier, factify_folder):
    def stances(**temperatures):
        own = Verifier(
            verifier.model,
            verifier.builder,
            verifier.encoder,
            calibration=Calibration(**temperatures),
            attribution=False,
        )
        table = pa.table({"claim": ["A dog."] * 2, "document": ["A dog runs.", "A dog runs " + "and runs " * 50 + "."]})
        return [list(row["stance_probabilities"].values()) for row in own.verify_batch(table).to_pylist()]

    plain, by_length = stances(), stances(stance_by_length=[[20, 1.0], [50, 4.0]])
    assert by_length[0] == pytest.approx(plain[0])
    assert by_length[1] == pytest.approx(stances(stance=4.0)[1])
    assert max(by_length[1]) < max(plain[1])


@pytest.mark.slow
def test_many_rows_without_photos_give_temperatures_by_length(verifier, tmp_path):
    rng = np.random.default_rng(1)
    words = ["dog", "cat", "man", "woman", "runs", "sits", "red", "blue", "park", "street"]
    rows = [
        {
            "claim": " ".join(rng.choice(words, 4)),
            "document": [" ".join(rng.choice(words, rng.integers(3, 25)))],
            "label": str(rng.choice(["support", "insufficient", "refute"])),
        }
        for _ in range(1000)
    ]
    (tmp_path / "claims.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = calibrate(verifier, [tmp_path / "claims.jsonl"])
    assert len(found.stance_by_length) == 4
    (tmp_path / "calibration.json").write_text(json.dumps(found.to_dict()))
    assert Calibration.read(tmp_path) == found


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
        top_k=verifier.options.top_k,
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
    with pytest.raises(InputError, match="`target_precision` is 95, expected a number in"):
        calibrate(verifier, [factify_folder / "train.csv"], target_precision=95)


def test_the_flag_needs_rows_to_choose_on(tmp_path, capsys):
    checkpoint = tmp_path / "x.ckpt"
    checkpoint.write_bytes(b"x")
    assert main(["export", str(checkpoint), "--out", str(tmp_path / "m"), "--target-precision", "0.95"]) == 2
    assert "--calibrate-on" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


@pytest.fixture
def stances(factify_folder, tmp_path):
    """The rows of the small set, photos and all, with bare stances for labels."""
    rows = (factify_folder / "train.csv").read_text("utf-8")
    for end in ("_Multimodal", "_Text"):
        rows = rows.replace(end, "")
    (tmp_path / "train.csv").write_text(rows, "utf-8")
    return tmp_path / "train.csv"


def test_a_table_of_stances_has_no_five_class_targets(stances, factify_folder):
    rows = read_training_rows(stances)
    assert {row.label for row in rows} == {UNLABELLED}
    assert [row.stance for row in rows] == [row.stance for row in read_training_rows(factify_folder / "train.csv")]
    assert {row.label for row in read_training_rows(factify_folder / "train.csv")} == set(range(5))


def test_a_table_of_stances_leaves_the_five_class_temperature_alone(verifier, stances, factify_folder):
    own = Verifier(verifier.model, verifier.builder, verifier.encoder, calibration=Calibration(label=1.7))
    assert calibrate(own, [stances], image_root=factify_folder).label == 1.7
    assert calibrate(own, [stances, factify_folder / "train.csv"], image_root=factify_folder).label != 1.7


def test_a_text_only_refute_beside_rows_with_images_is_a_stance_to_training_calibration_and_scoring(
    verifier, factify_folder, tmp_path
):
    """One rule in all three; of the Refute rows of the small set, every other one loses its images here."""
    with (factify_folder / "train.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    refutes = [row for row in rows if row[5] == "Refute"]
    for row in refutes[::2]:
        row[2] = row[4] = ""
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([header, *rows])
    refute, bare = FACTIFY_LABELS.index(FactifyLabel.REFUTE), {row[0] for row in refutes[::2]}
    with_images = {row[0] for row in refutes} - bare

    trained = read_training_rows(tmp_path / "t.csv")
    assert {row.id for row in trained if row.label == refute} == with_images

    calibrated = _labelled_rows(verifier, [tmp_path / "t.csv"], factify_folder, None)
    assert len(calibrated) == len(rows)
    assert sum(row.gold_label == refute for row in calibrated) == len(with_images)
    assert sum(row.gold_stance == STANCES.index(Stance.REFUTE) for row in calibrated) == len(refutes)

    verify_file(verifier, tmp_path / "t.csv", tmp_path / "v.parquet", image_root=factify_folder)
    joined = join_tables(tmp_path / "v.parquet", tmp_path / "t.csv")
    scored = {
        i for i, label in zip(joined.verdicts["id"].to_pylist(), joined.classes, strict=True) if label == "Refute"
    }
    assert scored == with_images
    assert score(tmp_path / "v.parquet", tmp_path / "t.csv").five_class.rows == len(rows) - len(bare)


def test_a_temperature_that_ends_at_a_bound_is_said(caplog, verifier, tmp_path):
    one = {"claim": "The dog runs in the park", "document": "The dog runs in the park."}
    verdict = verifier.verify_batch(pa.Table.from_pylist([one])).to_pylist()[0]
    # One row whose verdict is right: the more certain, the better.
    (tmp_path / "one.jsonl").write_text(json.dumps(one | {"label": verdict["stance"]}), "utf-8")
    calibrate(verifier, [tmp_path / "one.jsonl"])
    said = caplog.text
    assert "1 labelled rows are few for a calibration" in said
    assert "the temperature of the stance head ended at the bound 0.05: its 1 rows, of 1 of 3 classes" in said
