"""One graph of ``torch.export`` for every height, width and batch gives what the network gives."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._dynamo.exc import UserError
from torch.export import Dim

from factcheck.twins.blocks import GlobalSubsampledAttention
from factcheck.twins.exporting import fill_cells, window_places
from factcheck.twins.lsa import LocallyGroupedSelfAttention
from factcheck.twins.twins import MIN_SIZE, Twins

# divided by all windows and patches and by none; odd, square and long; one token in the last map, one window in all
SIZES = [(1, 32, 32), (3, 224, 224), (2, 33, 47), (1, 101, 255), (5, 448, 32), (2, 100, 133)]
OPEN = ({0: Dim("batch", max=64), 2: Dim("height", min=MIN_SIZE, max=2048), 3: Dim("width", min=MIN_SIZE, max=2048)},)


def network(**settings) -> Twins:
    torch.manual_seed(0)
    figures = {
        "embed_dims": (8, 16, 24, 32),
        "num_heads": (1, 2, 3, 4),
        "depths": (2, 1, 1, 2),
        "mlp_ratios": (2, 2, 2, 2),
        "windows": (7, (3, 4), 2, 7),
        "num_classes": 5,
    }
    model = Twins(**{**figures, **settings})
    with torch.no_grad():  # large biases: a padded token would show
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.15)
    return model.eval()


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def export(model, strict=False, example=(2, 3, 100, 133), dims=OPEN):
    return torch.export.export(model, (images(*example),), dynamic_shapes=dims, strict=strict)


@torch.no_grad()
def check(graph, model, sizes=SIZES, channels=3):
    for batch, h, w in sizes:
        x = images(batch, channels, h, w)
        torch.testing.assert_close(graph(x), model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(14, 21), (15, 20), (7, 3), (1, 1), (1, 30)])
@pytest.mark.parametrize("window", [(7, 7), (3, 5), (1, 1)])
def test_places_are_those_of_the_padded_map(size, window):
    (h, w), (k1, k2) = size, window
    rows, columns = -(-h // k1), -(-w // k2)
    numbers = torch.arange(h * w, dtype=torch.float64).view(1, 1, h, w) + 1
    padded = F.pad(numbers, (0, columns * k2 - w, 0, rows * k1 - h)).view(rows, k1, columns, k2)
    expected = padded.transpose(1, 2).reshape(rows * columns, k1 * k2)
    where = window_places(size, window, torch.device("cpu"))
    assert torch.equal(where.inside, expected > 0)
    assert torch.equal(where.tokens.view_as(expected)[where.inside], expected[where.inside].long() - 1)
    assert torch.equal(expected.flatten()[where.places], numbers.flatten())


@pytest.mark.parametrize("size", [(8, 12), (9, 14), (1, 1)])
def test_cells_are_filled_with_zeros(size):
    x = torch.full((2, *size, 3), torch.inf)
    filled, (rows, columns) = fill_cells(x, 4)
    expected = F.pad(x, (0, 0, 0, -size[1] % 4, 0, -size[0] % 4))
    assert torch.equal(filled, expected)
    assert (rows, columns) == (expected.shape[1] // 4, expected.shape[2] // 4)


class Attentions(nn.Module):
    """LSA and GSA on a map, (B, D, H, W) -> twice (B, H*W, D)."""

    def __init__(self, window):
        super().__init__()
        torch.manual_seed(0)
        self.lsa, self.gsa = LocallyGroupedSelfAttention(12, 3, window), GlobalSubsampledAttention(12, 3, 2)
        for p in self.parameters():
            nn.init.normal_(p, 0, 0.5)

    def forward(self, x):
        tokens, size = x.flatten(2).transpose(1, 2), tuple(x.shape[2:])
        return self.lsa(tokens, size), self.gsa(tokens, size)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("window", [7, (3, 5)])
def test_attention_at_every_size(window, strict):
    model = Attentions(window).eval()
    dims = ({0: Dim("batch"), 2: Dim("height"), 3: Dim("width")},)
    graph = export(model, strict, (2, 12, 20, 15), dims).module()
    check(graph, model, [(1, 1, 1), (2, 14, 21), (3, 3, 2), (1, 7, 50), (2, 20, 15)], 12)


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_network_at_every_size(strict):
    model = network()
    check(export(model, strict).module(), model)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"windows": None},
        {"windows": ((16, 5), None, 9, 1), "sr_ratios": (3, 5, 1, 2)},
        {"patch_size": 16, "in_chans": 20, "num_classes": 0, "global_pool": ""},
    ],
)
def test_other_networks(settings):
    model, channels = network(**settings), settings.get("in_chans", 3)
    check(export(model, example=(2, channels, 100, 133)).module(), model, channels=channels)


class Maps(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model.forward_intermediates(x)


@pytest.mark.slow
def test_maps_of_all_stages_where_convolutions_are_watched():
    model = network()
    for conv in (model.patch_embeds[0].proj, model.patch_embeds[1].proj, model.blocks[0][1].attn.sr):
        conv.register_forward_hook(lambda _, __, out: 2 * out)
    check(export(Maps(model)).module(), Maps(model))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "dims", "sizes"),
    [
        ((2, 3, 64, 96), ({0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO},), SIZES),
        ((2, 3, 32, 32), ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},), SIZES),
        ((1, 3, 64, 133), ({2: Dim("height", min=MIN_SIZE)},), [(1, 32, 133), (1, 97, 133)]),
    ],
)
def test_however_sizes_are_left_open(example, dims, sizes):
    model = network()
    check(export(model, example=example, dims=dims).module(), model, sizes)


@pytest.mark.slow
def test_a_saved_graph(tmp_path):
    model, path = network(), tmp_path / "twins.pt2"
    program = export(model)
    torch.export.save(program, path)
    check(torch.export.load(path).module(), model)
    check(program.run_decompositions().module(), model)


@pytest.mark.slow
def test_images_that_are_too_small():
    with pytest.raises(UserError, match=rf"height = Dim\('height', min={MIN_SIZE}"):
        export(network(), dims=({2: Dim("height", min=16, max=64)},), example=(2, 3, 64, 64))
    with pytest.raises(AssertionError, match=f">= {MIN_SIZE}"):
        export(network()).module()(images(2, 3, 16, 64))
