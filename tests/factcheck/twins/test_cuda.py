"""The networks on a CUDA device: the same outputs and gradients as on the CPU, past the kernels' limits, and in bf16."""

import copy

import pytest
import torch

from factcheck.twins.lsa import LocallyGroupedSelfAttention
from factcheck.twins.runtime import optimize
from factcheck.twins.variants import create_twins

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("size", [(14, 14), (15, 9)])
def test_lsa_equals_the_cpu(size):
    torch.manual_seed(0)
    lsa = LocallyGroupedSelfAttention(32, 2, 7)
    tokens = torch.randn(2, size[0] * size[1], 32)
    here, there = tokens.clone().requires_grad_(), tokens.cuda().requires_grad_()
    out = copy.deepcopy(lsa)(here, size)
    out.square().sum().backward()
    cuda = lsa.cuda()(there, size)
    cuda.square().sum().backward()
    torch.testing.assert_close(cuda.cpu(), out, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(there.grad.cpu(), here.grad, rtol=1e-3, atol=1e-4)


def test_more_windows_than_a_kernel_takes_at_once():
    lsa = LocallyGroupedSelfAttention(16, 1, 2).cuda().eval()
    tokens = torch.randn(80, 64 * 64, 16, device="cuda")  # 81,920 windows
    with torch.no_grad():
        whole, alone = lsa(tokens, (64, 64)), lsa(tokens[-1:], (64, 64))
    torch.testing.assert_close(whole[-1:], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", ["eager", "compile"])
def test_twins_equal_the_cpu(runtime):
    model = create_twins("twins_svt_tiny", num_classes=10).eval()
    x = torch.randn(4, 3, 67, 64)
    with torch.no_grad():
        expected = model(x)
    fast = optimize(model.cuda(), runtime)
    torch.testing.assert_close(fast(x.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)
    with torch.autocast("cuda", torch.bfloat16):
        assert torch.isfinite(fast(x.cuda())).all()
