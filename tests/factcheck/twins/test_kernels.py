"""Packed linear layers equal PyTorch's own; the sizes of the parts that work is cut into."""

import pytest
import torch
import torch.nn.functional as F

from factcheck.twins.kernels import PackedLinear, cache_floats, can_pack, even_part
from factcheck.twins.runtime import optimize
from factcheck.twins.variants import twins_svt_tiny


@pytest.fixture
def kernels():
    if not can_pack(torch.nn.Linear(4, 4)):
        pytest.skip("this build of PyTorch has no oneDNN linear kernel")


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(5, 24), (1, 24), (2, 7, 24), (700, 24)])
def test_equal_to_linear_and_gelu(shape, bias, gelu):
    torch.manual_seed(0)
    linear = torch.nn.Linear(24, 40, bias=bias)
    # the weight as frozen models lay it out
    linear.weight.data = linear.weight.data.t().contiguous().t()
    x = torch.randn(shape)
    expected = F.linear(x.double(), linear.weight.double(), None if linear.bias is None else linear.bias.double())
    expected = F.gelu(expected) if gelu else expected
    with torch.no_grad():
        torch.testing.assert_close(PackedLinear(linear, gelu)(x).double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [1, 700])
def test_adding_to_a_residual_leaves_the_residual(rows, bias):
    torch.manual_seed(1)
    linear = torch.nn.Linear(24, 40, bias=bias)
    x, residual = torch.randn(rows, 24), torch.randn(rows, 40)
    before = residual.clone()
    with torch.no_grad():
        out = PackedLinear(linear).add_to(residual, x)
        torch.testing.assert_close(out, before + linear(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(residual, before)


@pytest.mark.usefixtures("kernels")
def test_what_cannot_be_packed():
    class Own(torch.nn.Linear):
        pass

    assert not can_pack(Own(4, 4))
    assert not can_pack(torch.nn.Linear(4, 4).to(torch.bfloat16))
    assert not can_pack(torch.nn.Linear(4, 4, device="meta"))
    assert not can_pack(None)


@pytest.mark.usefixtures("kernels")
def test_an_optimised_twins_packs_attention_and_mlp_and_keeps_its_own():
    model = twins_svt_tiny(num_classes=3).eval()
    fast = optimize(model)
    packed = [name for name, m in fast.named_modules() if isinstance(m, PackedLinear)]
    depth = sum(len(stage) for stage in model.blocks)
    for layer in ("attn.proj", "mlp.fc1", "mlp.fc2"):
        assert sum(name.endswith(layer) for name in packed) == depth
    assert sum(name.endswith((".qkv", ".kv")) for name in packed) == depth
    assert not any(isinstance(m, PackedLinear) for m in model.modules())
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)


def test_a_cache_holds_a_positive_number_of_floats():
    assert cache_floats() >= 2**17


@pytest.mark.parametrize("total", [0, 1, 7, 8, 9, 1568, 6272])
@pytest.mark.parametrize("most", [0, 1, 5, 2048, 10_000])
def test_even_parts_are_few_and_no_larger_than_allowed(total, most):
    part = even_part(total, most)
    assert 1 <= part <= max(1, most)
    fewest = -(-total // max(1, most))
    assert -(-total // part) == fewest
