"""Rows with a pair of photos and rows without: temperatures and thresholds of their own, fitted, stored and used."""

import json

import numpy as np
import pytest

from factcheck import Claim, InputError, Verifier
from factcheck.judges.base import Judge, Judgement
from factcheck.judges.calibrated import CalibratedJudge
from factcheck.models.calibration import Calibration, PairCalibration
from factcheck.training.calibration import calibrate, calibrate_judge
from factcheck.verification.stream import verify_file
from factcheck.verification.verdict_table import Thresholds, read_about, read_verdicts, with_threshold

WORDS = ["dog", "cat", "man", "woman", "runs", "sits", "red", "blue", "park", "street"]


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


@pytest.fixture(scope="module")
def claims(tmp_path_factory, verifier, photo):
    """220 rows of each kind: the more certain half of the verdicts is right, of the others one in five without photos, four with."""
    folder = tmp_path_factory.mktemp("kinds")
    for number in (1, 2):
        (folder / f"{number}.jpg").write_bytes(photo(number))
    rng = np.random.default_rng(2)
    rows = [
        {
            "id": str(i),
            "claim": " ".join(rng.choice(WORDS, 4)),
            "document": " ".join(rng.choice(WORDS, rng.integers(3, 9))) + ".",
            **({"claim_image": "1.jpg", "document_image": "2.jpg"} if i % 2 else {}),
        }
        for i in range(440)
    ]
    path = folder / "claims.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    verify_file(verifier, path, folder / "v.parquet")
    verdicts = read_verdicts(folder / "v.parquet").to_pylist()
    others = {0: ["Support", "Refute", "Insufficient"], 1: ["Support_Text", "Refute", "Insufficient_Multimodal"]}
    for kind in (0, 1):
        ranked = sorted(range(kind, 440, 2), key=lambda i: -verdicts[i]["confidence"])
        for place, i in enumerate(ranked):
            label = verdicts[i]["label"]
            wrong = place >= 110 and (place % 5 == 0 if kind else place % 5 != 0)
            rows[i]["label"] = next(other for other in others[kind] if other != label) if wrong else label
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.slow
def test_each_kind_keeps_the_precision_that_was_asked_for(verifier, claims, tmp_path):
    found = calibrate(verifier, [claims], target_precision=0.8)
    assert (found.rows, found.pairs.rows) == (440, 220)
    assert found.coverage < 0.9 < found.pairs.coverage  # of the pairs nine in ten are right anyway
    found.write(tmp_path)
    assert Calibration.read(tmp_path) == found
    calibrated = verifier.replace(calibration=found)
    verify_file(calibrated, claims, tmp_path / "v.parquet")
    gold = [json.loads(line)["label"] for line in claims.read_text("utf-8").splitlines()]
    verdicts = read_verdicts(tmp_path / "v.parquet").to_pylist()
    for kind, coverage in ((0, found.coverage), (1, found.pairs.coverage)):
        kept = [
            row["label"] == label
            for row, label in zip(verdicts[kind::2], gold[kind::2], strict=True)
            if not row["abstained"]
        ]
        assert len(kept) / 220 == pytest.approx(coverage)
        assert sum(kept) / len(kept) >= 0.8
    assert read_about(tmp_path / "v.parquet")["abstain_below"] == {
        "text": found.abstain_below,
        "pairs": found.pairs.abstain_below,
    }


@pytest.mark.slow
def test_a_kind_that_cannot_reach_the_precision_is_named(verifier, claims, tmp_path):
    rows = [json.loads(line) for line in claims.read_text("utf-8").splitlines()]
    for row in rows[::2]:
        row["label"] = "Refute" if int(row["id"]) % 4 else "Support"  # whatever the verdict
    path = tmp_path / "claims.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(InputError, match=r"^text only: .*is not reached on these 220 rows"):
        calibrate(verifier, [path], image_root=claims.parent, target_precision=0.85)


class Certain(Judge):
    """Always says "support" with the same certainty."""

    fingerprint = "certain"

    def judge(self, rows):
        return [Judgement(stance=(0.98, 0.01, 0.01)) for _ in rows]


@pytest.mark.slow
def test_a_judge_has_temperatures_and_thresholds_by_kind(verifier, claims, photo):
    with_judge = verifier.replace(judge=Certain())
    found = calibrate_judge(with_judge, [claims])
    assert found.pairs is not None
    assert found.stance != found.pairs.stance
    thresholds = Calibration(stance=1.0, abstain_below=0.5, pairs=PairCalibration(stance=5.0, abstain_below=1.0))
    judged = verifier.replace(judge=CalibratedJudge(Certain(), thresholds))
    alone = judged.verify(Claim(claim="A dog runs.", document="A dog runs."))
    pair = judged.verify(
        Claim(claim="A dog runs.", document="A dog runs.", claim_image=photo(1), document_image=photo(2))
    )
    assert (alone.abstained, pair.abstained) == (False, True)
    assert alone.stance_probabilities["support"] == pytest.approx(0.98)
    assert pair.stance_probabilities["support"] == pytest.approx(0.98**0.2 / (0.98**0.2 + 2 * 0.01**0.2))
    assert judged.fingerprint.startswith("certain at 1 and 5")


def test_pairs_have_a_temperature_and_a_threshold_of_their_own(verifier, photo):
    text = {"claim": "A dog runs.", "document": "A dog runs in the park."}
    pair = {**text, "claim_image": photo(1), "document_image": photo(2)}

    def verdicts(**calibration):
        other = verifier.replace(calibration=Calibration(**calibration))
        return [other.verify(Claim(**row)) for row in (text, pair)], other

    (alone, both), _ = verdicts(abstain_below=0.0)
    (alone_by_kind, both_by_kind), by_kind = verdicts(
        abstain_below=0.0, pairs=PairCalibration(stance=4.0, abstain_below=1.0)
    )
    assert alone_by_kind.stance_probabilities == alone.stance_probabilities
    assert max(both_by_kind.stance_probabilities.values()) < max(both.stance_probabilities.values())
    assert both_by_kind.probabilities == pytest.approx(both.probabilities)
    assert (alone_by_kind.abstained, both_by_kind.abstained) == (False, True)
    assert by_kind.thresholds == Thresholds(0.0, 1.0)
    assert by_kind.replace(abstain_below=0.0).thresholds == Thresholds(0.0, 0.0)  # the user's is for all
    table = by_kind.verify_batch([Claim(**row) for row in (text, pair)])
    for thresholds, abstained in ((Thresholds(0.0, 1.0), [False, True]), (Thresholds(1.0, 0.0), [True, False])):
        assert with_threshold(table, thresholds)["abstained"].to_pylist() == abstained


@pytest.mark.parametrize("pairs", ["3", "true", '"x"', "[1]", "1e308", '{"x": 1}'])
def test_pairs_that_are_no_calibration_are_refused(tmp_path, pairs):
    (tmp_path / "calibration.json").write_text(f'{{"pairs": {pairs}}}')
    with pytest.raises(InputError, match=r"calibration\.json: unusable calibration \(.*\); export the model again"):
        Calibration.read(tmp_path)


def test_a_folder_without_kinds_reads_as_before(tmp_path):
    (tmp_path / "calibration.json").write_text('{"stance": 1.5, "abstain_below": 0.4}')
    found = Calibration.read(tmp_path)
    assert found.pairs is None
    assert found.threshold(True) == found.threshold(False) == 0.4
    assert found.stance_temperatures([5, 5], [True, False]).tolist() == [1.5, 1.5]
    (tmp_path / "calibration.json").write_text('{"pairs": {"stance": 0}}')
    with pytest.raises(InputError, match="stance of image pairs temperature must be positive, found 0"):
        Calibration.read(tmp_path)
