"""Faults that once could be planted without a test seeing them: temperatures, thresholds, sides, names of classes."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.special import softmax

from factcheck.errors import InputError
from factcheck.judges.fusion import FusionJudge
from factcheck.labels import Stance, parse_label
from factcheck.models.calibration import Calibration
from factcheck.models.folder import encoder_of
from factcheck.models.verdict import VerdictOutput
from factcheck.verification.decide import DecidedRows, Decision, attribute_images
from factcheck.verification.verdict_table import below

STANCE, IMAGE = [[2.0, 0.5, -1.0]], [[1.5, -0.5]]
LABEL = [[0.1, 1.2, -0.3, 0.4, 2.0]]


@pytest.mark.parametrize("head", ["stance", "image", "label"])
def test_each_temperature_acts_on_its_own_head(head):
    judge = FusionJudge(cast(Any, None), cast(Any, None), Calibration(**{head: 2.5}))
    output = VerdictOutput(torch.tensor(STANCE), torch.tensor(IMAGE), torch.tensor(LABEL), torch.tensor([0.3]))
    (found,) = judge._read(output, torch.tensor([7]), torch.tensor([True]))
    for name, logits, given in (
        ("stance", STANCE, found.stance),
        ("image", IMAGE, found.relation),
        ("label", LABEL, found.label),
    ):
        expected = softmax(np.array(logits[0], np.float64) / (2.5 if name == head else 1.0))
        assert given == pytest.approx(expected, abs=1e-6), name


def test_a_verdict_at_the_threshold_does_not_abstain():
    assert not below(0.5, 0.5)
    assert not below(float(np.float32(0.7)), 0.7)  # as a table holds it
    assert below(float(np.nextafter(np.float32(0.7), np.float32(0))), 0.7)


def test_the_drop_stands_on_the_side_of_the_image_that_was_left_out():
    """The claim's image carries 0.3 of the stance, the document's 0.1."""

    def decide(variants):
        lost = [0.3 * (not v.claim_image) + 0.1 * (not v.document_image) for v in variants]
        return [Decision((0.8 - drop, 0.1 + drop, 0.1)) for drop in lost]

    rows = SimpleNamespace(has_images=[(True, True), (False, True)], decide=decide)
    full = Decision((0.8, 0.1, 0.1))
    both, document = attribute_images(DecidedRows(cast(Any, rows), (full, full)))
    assert both == pytest.approx((0.3, 0.1))
    assert document is not None
    assert document[0] is None
    assert document[1] == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["NEI", "nei", "NOT ENOUGH INFO"])
def test_not_enough_information_is_no_refutation(name):
    assert parse_label(name) is Stance.INSUFFICIENT


def test_an_encoder_that_a_folder_names_on_a_hub_is_not_looked_up_unasked(tmp_path):
    config = {"preprocessing": {"retrieval_encoder": "somebody/encoder"}}
    with pytest.raises(InputError, match="'somebody/encoder' of a hub, which is not looked up unasked"):
        encoder_of(tmp_path, config)
    for name in ("bundled", str(tmp_path)):
        assert encoder_of(tmp_path, {"preprocessing": {"retrieval_encoder": name}}) == name
