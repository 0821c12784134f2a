"""Locally-grouped self-attention against its definition."""

import math

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from factcheck.errors import InputError
from factcheck.twins import lsa
from factcheck.twins.lsa import LocallyGroupedSelfAttention, from_windows, lsa_flops, to_windows

# map, window: divided; not divided in one or both directions; window over the map; single tokens
CASES = [
    ((4, 6), (2, 3)),
    ((5, 6), (2, 3)),
    ((4, 7), (2, 3)),
    ((7, 8), (3, 5)),
    ((3, 2), (5, 5)),
    ((2, 3), (1, 1)),
]


def layer(window, dim=12, heads=3, **kwargs):
    torch.manual_seed(0)
    attention = LocallyGroupedSelfAttention(dim, heads, window, **kwargs).double()
    with torch.no_grad():
        for p in attention.parameters():  # large biases: a padded token would show
            p.normal_(0, 0.7)
    return attention.eval()


def tokens(size, dim=12, batch=2):
    return torch.randn(batch, size[0] * size[1], dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_definition(attention, x, size):
    """Loops over images, windows, heads, queries and keys that exist."""
    (h, w), (k1, k2), d = size, attention.window, attention.head_dim
    qkv = (x @ attention.qkv.weight.T + attention.qkv.bias).detach()
    out = torch.zeros_like(x)
    for image in range(x.shape[0]):
        for top in range(0, h, k1):
            for left in range(0, w, k2):
                cells = [r * w + c for r in range(top, min(top + k1, h)) for c in range(left, min(left + k2, w))]
                for head in range(attention.num_heads):
                    q, k, v = (
                        qkv[image, :, part * attention.dim + head * d : part * attention.dim + (head + 1) * d]
                        for part in range(3)
                    )
                    for i in cells:
                        scores = [math.exp(float(q[i] @ k[j]) / math.sqrt(d)) for j in cells]
                        mixed = sum(s * v[j] for s, j in zip(scores, cells, strict=True)) / sum(scores)
                        out[image, i, head * d : (head + 1) * d] = mixed
    return out @ attention.proj.weight.T + attention.proj.bias


@pytest.mark.parametrize(("size", "window"), CASES)
@pytest.mark.parametrize("gradients", [True, False])
def test_equals_the_definition(size, window, gradients):
    attention, x = layer(window), tokens(size)
    with torch.set_grad_enabled(gradients):
        torch.testing.assert_close(attention(x, size), by_definition(attention, x, size), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "window"), CASES)
def test_explicit_path_pads_and_masks_to_the_same(size, window):
    attention, x = layer(window), tokens(size)
    out, weights = attention.forward_with_weights(x, size)
    torch.testing.assert_close(out, attention(x, size), rtol=0, atol=1e-12)
    (h, w), (k1, k2) = size, window
    rows, columns = -(-h // k1), -(-w // k2)
    assert weights.shape == (2, rows * columns, 3, k1 * k2, k1 * k2)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    exists = torch.zeros(rows * k1, columns * k2, dtype=torch.bool)
    exists[:h, :w] = True
    exists = exists.view(rows, k1, columns, k2).transpose(1, 2).reshape(rows * columns, k1 * k2)
    padded = ~exists[None, :, None, None, :].expand_as(weights)
    assert (weights[padded] == 0).all()
    assert (weights[~padded] > 0).all()


def test_a_border_window_gives_what_it_gives_alone():
    attention, x = layer((3, 4)), tokens((8, 9))
    grid = attention(x, (8, 9)).view(2, 8, 9, 12)
    source = x.view(2, 8, 9, 12)
    for rows, columns in [(slice(0, 3), slice(8, 9)), (slice(6, 8), slice(4, 8)), (slice(6, 8), slice(8, 9))]:
        part = source[:, rows, columns]
        size = part.shape[1:3]
        alone = attention(part.reshape(2, -1, 12), tuple(size)).view_as(part)
        torch.testing.assert_close(grid[:, rows, columns], alone, rtol=0, atol=1e-12)


def test_windows_do_not_see_each_other():
    attention, x = layer((2, 2)), tokens((5, 5))
    changed = x.clone().view(2, 5, 5, 12)
    changed[:, 2:4, 2:4] += 1
    difference = (attention(changed.view_as(x), (5, 5)) - attention(x, (5, 5))).view(2, 5, 5, 12).abs().amax(-1)
    inside = torch.zeros(5, 5, dtype=torch.bool)
    inside[2:4, 2:4] = True
    assert (difference[:, inside] > 0).all()
    assert (difference[:, ~inside] == 0).all()


def test_an_image_does_not_depend_on_its_batch():
    attention, x = layer((3, 3)), tokens((7, 5), batch=4)
    together = attention(x, (7, 5))
    for i in range(4):
        torch.testing.assert_close(attention(x[i : i + 1], (7, 5))[0], together[i], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "window"), CASES[:4])
def test_window_order_and_back(size, window):
    x = tokens(size).view(2, *size, 12)
    ordered = to_windows(x, window)
    torch.testing.assert_close(ordered[: min(window[1], size[1])], x[0, 0, : window[1]], rtol=0, atol=0)
    torch.testing.assert_close(from_windows(ordered, 2, size, window), x, rtol=0, atol=0)


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_gradients(size):
    attention = layer((2, 3), dim=4, heads=2)
    x = tokens(size, dim=4, batch=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: attention(t, size), (x,))


def test_chunks_give_the_same(monkeypatch):
    attention, x = layer((2, 2)), tokens((5, 6))
    whole = attention(x, (5, 6))
    monkeypatch.setattr(lsa, "MAX_LEADING", 5)
    torch.testing.assert_close(attention(x, (5, 6)), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_large_maps_are_worked_on_in_parts(size, monkeypatch):
    attention, x = layer((2, 3)), tokens(size, batch=3)
    whole = attention(x, size)
    monkeypatch.setattr(lsa, "CHUNK_FLOATS", 500)
    with torch.no_grad():
        torch.testing.assert_close(attention(x, size), whole, rtol=0, atol=1e-12)


def operators(function):
    with profile(activities=[ProfilerActivity.CPU]) as record:
        function()
    return {event.key for event in record.key_averages()}


def test_runs_on_a_fused_kernel_and_pads_nothing():
    attention = layer((7, 7), dim=64, heads=2).float()
    for size in [(14, 14), (16, 15)]:
        x = torch.randn(2, size[0] * size[1], 64)
        names = operators(lambda x=x, size=size: attention(x, size))
        assert not {n for n in names if "pad" in n or "attention_math" in n or "softmax" in n}
        assert [n for n in names if "flash_attention" in n]
    names = operators(lambda: attention(torch.randn(2, 196, 64), (14, 14)))
    assert "aten::cat" not in names


def test_attention_dropout_only_in_training():
    attention, x = layer((3, 3), attn_drop=0.5), tokens((6, 6))
    torch.testing.assert_close(attention(x, (6, 6)), attention(x, (6, 6)), rtol=0, atol=0)
    attention.train()
    assert (attention(x, (6, 6)) - attention(x, (6, 6))).abs().max() > 0


@pytest.mark.parametrize(("size", "window"), [((14, 14), 7), ((9, 11), (4, 3)), ((5, 5), 8)])
def test_flops_as_counted_by_torch(size, window):
    attention = layer(window if isinstance(window, tuple) else (window, window), dim=32, heads=4)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        attention(tokens(size, dim=32, batch=3), size)
    assert lsa_flops(size, 32, window, batch=3) == counter.get_total_flops()


def test_flops_of_attention_are_linear_in_the_map():
    base = lsa_flops((56, 56), 64, 7)
    assert lsa_flops((112, 112), 64, 7) == 4 * base


def test_mistakes_are_named():
    with pytest.raises(InputError, match="dim=10 and num_heads=3"):
        LocallyGroupedSelfAttention(10, 3, 7)
    with pytest.raises(InputError, match="window must be a positive int or a pair"):
        LocallyGroupedSelfAttention(12, 3, 0)
    with pytest.raises(InputError, match=r"x must be \(B, H\*W, 12\)"):
        layer((2, 2))(tokens((4, 4)), (4, 5))


@pytest.mark.parametrize("window", [None, 7.0, True, "77", 0, (7,), (7, 0), (7, 7, 7), (2.5, 2)])
def test_windows_that_are_none(window):
    with pytest.raises(InputError, match="window must be a positive int"):
        LocallyGroupedSelfAttention(8, 2, window)


def test_numpy_integers_are_integers():
    import numpy as np

    assert LocallyGroupedSelfAttention(8, 2, np.int64(3)).window == (3, 3)


@pytest.mark.parametrize("arguments", [((-7, 7), 32, 7), ((7, 7), -32, 7), ((7, 7), 32, 7, 0)])
def test_flops_of_nothing(arguments):
    with pytest.raises(InputError, match="must be positive"):
        lsa_flops(*arguments)
