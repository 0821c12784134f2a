"""Linear layers of encoders: the figures of PyTorch's own, by either kernel, and nearly in 8 bits."""

import pytest
import torch
import torch.nn.functional as F

from retrieval.encoders.linear import Int8Linear, Linear


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return torch.nn.Linear(24, 40).requires_grad_(False)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("gelu", [True, False])
@pytest.mark.parametrize("rows", [1, 16, 37])
def test_both_kernels_give_what_pytorch_gives(layer, packed, gelu, rows, monkeypatch):
    if not packed:
        monkeypatch.setattr("retrieval.encoders.linear.has_packed_kernel", lambda: False)
    x = torch.randn(rows, 24)
    wanted = F.linear(x.double(), layer.weight.double(), layer.bias.double())
    with torch.inference_mode():
        found = Linear(layer.weight, layer.bias, gelu=gelu)(x)
    torch.testing.assert_close(found.double(), F.gelu(wanted) if gelu else wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("gelu", [True, False])
def test_eight_bits_are_near_and_row_by_row(layer, gelu):
    x = torch.randn(32, 24)
    wanted = layer(x)
    with torch.inference_mode():
        quick = Int8Linear(layer.weight, layer.bias, gelu=gelu)
        found = quick(x)
        x[1:] *= 1000
        torch.testing.assert_close(quick(x)[0], found[0])
    assert 0 < (found - (F.gelu(wanted) if gelu else wanted)).abs().max() < 0.05
