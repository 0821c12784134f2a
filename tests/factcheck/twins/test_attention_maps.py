import pytest
import torch

from factcheck import InputError
from factcheck.models import attention_maps
from factcheck.models.folder import create_image_encoder
from factcheck.twins.attention_maps import explicit_pass
from factcheck.twins.twins import Twins


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = Twins(
        num_classes=0,
        embed_dims=(16, 32),
        num_heads=(2, 4),
        mlp_ratios=(2, 2),
        depths=(2, 3),
        sr_ratios=(4, 2),
        windows=(5, (3, 4)),
        drop_path_rate=0.5,
    )
    for parameter in model.parameters():  # attention that is not even
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.mark.parametrize("size", [(64, 64), (70, 52), (33, 100)])
def test_the_slow_path_gives_what_the_fast_one_gives(model, size):
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        tokens, weights = explicit_pass(model, x)
        torch.testing.assert_close(tokens, model.forward_features(x), rtol=1e-4, atol=1e-4)
    assert list(weights) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    for _, _, kept in weights.values():
        torch.testing.assert_close(kept.sum(-1), torch.ones_like(kept.sum(-1)))


def test_maps_cover_the_image_and_even_attention_is_one(model):
    x = torch.randn(2, 3, 70, 52)
    maps = attention_maps(model, x)
    assert [m.kind for m in maps] == ["lsa", "gsa", "lsa", "gsa", "lsa"]
    assert [tuple(m.grid.shape) for m in maps] == [(2, 18, 13), (2, 5, 4), (2, 9, 7), (2, 5, 4), (2, 9, 7)]
    for m in maps:
        assert m.image.shape == (2, 70, 52)
        torch.testing.assert_close(m.grid.mean((1, 2)), torch.ones(2), rtol=1e-4, atol=1e-4)
        assert m.grid.std() > 1e-3
        assert (m.image[:, 0, 0] == m.grid[:, 0, 0]).all()
    # A window of the first stage: 5 x 5 tokens of 4 x 4 pixels.
    torch.testing.assert_close(maps[0].grid[:, 5:10, 5:10].mean((1, 2)), torch.ones(2), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(maps[0].grid[:, 15:, 10:].mean((1, 2)), torch.ones(2), rtol=1e-4, atol=1e-4)
    assert (maps[0].image[:, 20:24, 24:28] == maps[0].grid[:, 5, 6][:, None, None]).all()


def test_what_receives_attention_is_what_the_weights_say(model):
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        _, weights = explicit_pass(model, x)
    maps = {(m.stage, m.block): m for m in attention_maps(model, x)}
    _, _, kept = weights[0, 1]  # (1, heads, 256 tokens, 16 cells)
    expected = sum(kept[0, head, token] for head in range(2) for token in range(256)) / 512 * 16
    torch.testing.assert_close(maps[0, 1].grid.flatten(), expected, rtol=1e-4, atol=1e-5)
    _, _, kept = weights[0, 0]  # windows of 5 x 5 tokens on 16 x 16: the second one in the first row is full
    torch.testing.assert_close(maps[0, 0].grid[0, :5, 5:10].flatten(), kept[0, 1].mean(0).sum(0), rtol=1e-4, atol=1e-5)


def test_photo_encoders_and_modes():
    encoder = create_image_encoder("twins_svt_tiny", "bundled")
    encoder.train()
    size = encoder.input_size
    x = torch.randn(1, 3, size, size)
    maps = attention_maps(encoder, x)
    assert encoder.backbone.training
    assert {m.kind for m in maps} == {"lsa", "gsa"}
    assert all(m.image.shape == (1, size, size) and m.image.isfinite().all() for m in maps)


def test_mistakes(model):
    with pytest.raises(InputError, match="found Linear"):
        attention_maps(torch.nn.Linear(2, 2), torch.zeros(1, 3, 64, 64))
    with pytest.raises(InputError, match="add the first dimension"):
        attention_maps(model, torch.zeros(3, 64, 64))
    with pytest.raises(InputError, match="sides of at least"):
        attention_maps(model, torch.zeros(1, 3, 16, 64))


def test_parts_that_are_frozen_stay_so(model):
    model.train()
    model.blocks[0].eval()
    try:
        attention_maps(model, torch.randn(1, 3, 64, 64))
        assert model.training
        assert not any(module.training for module in model.blocks[0].modules())
        assert all(module.training for module in model.blocks[1].modules())
    finally:
        model.eval()


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 64, 64, dtype=torch.uint8), [[0.0]]])
def test_images_are_normalised_pixels(model, images):
    with pytest.raises(InputError, match="images must be a tensor of normalised pixels, floating point, found"):
        attention_maps(model, images)


def test_windows_and_cells_tile_the_image(model):
    maps = attention_maps(model, torch.randn(1, 3, 70, 52))
    for found in maps:
        rows, columns = found.grid.shape[1:]
        assert 70 <= rows * found.cell[0] < 70 + found.cell[0]
        assert 52 <= columns * found.cell[1] < 52 + found.cell[1]
    assert [found.window for found in maps] == [(20, 20), None, (24, 32), None, (24, 32)]


def test_an_overlay_shows_the_windows_and_where_attention_is_more_than_even(model):
    import numpy as np
    from PIL import Image

    from factcheck.twins import attention_overlay

    found = attention_maps(model, torch.randn(1, 3, 64, 64))[0]
    found.grid[0] = 0.25
    found.grid[0, :5, :5] = 4.0  # the first window, of 20 pixels: 140 of 448
    photo = Image.new("RGB", (640, 640), "gray")
    plain = np.asarray(attention_overlay(found, photo, tiles=False)).mean(-1)
    assert plain.shape == (448, 448)
    assert plain[40:100, 40:100].mean() > 60 + plain[240:, 240:].mean()
    lines = np.asarray(attention_overlay(found, photo)).mean(-1) - plain
    assert lines[70, 139:142].max() > 20, "the window's edge is drawn"
    assert np.abs(lines[20:120, 20:120]).max() == 0, "nothing is drawn inside"
    with pytest.raises(InputError, match="`index` is 1, but the map is of 1 images"):
        attention_overlay(found, photo, index=1)
    with pytest.raises(InputError, match="`strength` is 2"):
        attention_overlay(found, photo, strength=2)
