"""Dropout: PyTorch's in all but speed."""

import pytest
import torch
from torch import nn

from factcheck.models.dropout import Dropout, set_dropout
from factcheck.models.text import load_text_model


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_of_dropped_elements_and_mean_are_kept(p):
    torch.manual_seed(0)
    x = torch.ones(400_000)
    y = Dropout(p)(x)
    assert (y == 0).float().mean() == pytest.approx(p, abs=0.006)
    assert y.mean() == pytest.approx(1.0, abs=0.012)
    assert len(y.unique()) == 2


def test_gradient_passes_where_the_value_passed():
    torch.manual_seed(1)
    x = torch.randn(64, 33, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    assert torch.equal(x.grad == 0, y == 0)
    torch.testing.assert_close(x.grad[y != 0], (y / x).detach()[y != 0])


def test_nothing_happens_at_inference_or_at_probability_zero():
    x = torch.randn(5, 7)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert not Dropout(1.0)(x).any()


def test_same_random_state_same_mask_and_next_call_another():
    x = torch.ones(1000)
    layer = Dropout(0.5)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, second = layer(x), layer(x)
    torch.set_rng_state(state)
    assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)


def test_no_elements():
    assert Dropout(0.5)(torch.zeros(0, 3)).shape == (0, 3)


def test_hidden_states_and_attention_weights_of_a_text_transformer_have_their_own(tiny_bert):
    model = load_text_model(str(tiny_bert)).train()
    set_dropout(model, hidden=0.25, attention=0.0)
    layers = {name: module for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    attention = {name for name in layers if name.endswith("attention.self.dropout")}
    assert attention
    assert {layers[name].p for name in attention} == {0.0}
    hidden = [layers[name] for name in layers if name not in attention]
    assert hidden
    assert all(isinstance(layer, Dropout) and layer.p == 0.25 for layer in hidden)
    ids = torch.arange(5, 15)[None]
    assert not torch.equal(model(ids).last_hidden_state, model(ids).last_hidden_state)
    set_dropout(model, hidden=0.0, attention=0.0)
    assert torch.equal(model(ids).last_hidden_state, model(ids).last_hidden_state)
