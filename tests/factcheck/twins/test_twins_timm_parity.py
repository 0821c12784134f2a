"""Twins against timm's implementation with the same weights, where both are defined alike."""

import pytest
import timm
import torch

from factcheck.twins.variants import VARIANTS, create_twins

PUBLISHED = [name for name in VARIANTS if name != "twins_svt_tiny"]
LIGHT = {"embed_dims": (16, 32, 64, 64), "num_heads": (1, 2, 4, 4), "depths": (2, 2, 2, 2), "num_classes": 7}


def pair(name, **settings):
    torch.manual_seed(0)
    reference = timm.create_model(name, **settings).eval()
    with torch.no_grad():  # timm starts all biases at zero
        for p in reference.parameters():
            p.add_(torch.randn_like(p) * 0.02)
    ours = create_twins(name, **settings).eval()
    ours.load_state_dict(reference.state_dict())
    return ours, reference


def assert_equal(name, **settings):
    ours, reference = pair(name, **settings)
    x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        tokens, expected = ours.forward_features(x), reference.forward_features(x)
        assert (tokens - expected).abs().max() <= 1e-5
        assert (ours(x) - reference(x)).abs().max() <= 1e-5
        for a, b in zip(
            ours.forward_intermediates(x, intermediates_only=True),
            reference.forward_intermediates(x, intermediates_only=True),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=3e-5)  # the residual stream, before the norm
    x = x[:1]
    for model in (ours, reference):
        model(x).square().mean().backward()
    for (n, p), q in zip(
        reference.named_parameters(),
        [dict(ours.named_parameters())[n] for n, _ in reference.named_parameters()],
        strict=True,
    ):
        difference = (p.grad - q.grad).abs().max()
        assert difference <= 1e-5, n
        assert difference <= 1e-4 * p.grad.abs().max() + 1e-8, n  # small gradients are no excuse


@pytest.mark.parametrize("name", ["twins_svt_small", "twins_pcpvt_small"])
def test_narrow_networks_equal_timm(name):
    assert_equal(name, **LIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_equal_timm(name):
    assert_equal(name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_state_dicts_load_in_both_directions(name):
    narrow = {"embed_dims": (8, 8, 8, 8), "num_heads": (1, 1, 1, 1), "num_classes": 3}  # all blocks, little work
    ours, reference = create_twins(name, **narrow), timm.create_model(name, **narrow)
    shapes = {n: tuple(t.shape) for n, t in ours.state_dict().items()}
    assert shapes == {n: tuple(t.shape) for n, t in reference.state_dict().items()}
    ours.load_state_dict(reference.state_dict())
    reference.load_state_dict(ours.state_dict())


def test_timm_takes_our_weights():
    ours = create_twins("twins_svt_small", **LIGHT).eval()
    reference = timm.create_model("twins_svt_small", **LIGHT).eval()
    reference.load_state_dict(ours.state_dict())
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), reference(x), rtol=0, atol=1e-5)
