"""Twins: timm's contract, any input size, and the paths that inference takes."""

import subprocess
import sys

import pytest
import timm
import torch
import torch.nn.utils.prune
from timm.optim import param_groups_layer_decay

from factcheck.errors import InputError
from factcheck.twins import blocks, twins
from factcheck.twins.twins import Twins
from factcheck.twins.variants import VARIANTS, create_twins

SMALL = {
    "embed_dims": (8, 16, 24, 32),
    "num_heads": (1, 2, 3, 4),
    "depths": (2, 1, 3, 2),
    "num_classes": 10,
}


def network(**settings) -> Twins:
    torch.manual_seed(0)
    model = Twins(**{**SMALL, **settings})
    with torch.no_grad():  # no zero biases
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.05)
    return model.eval()


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("windows", [(7, 7, 7, 7), ((4, 7), 3, 2, None), None])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 96), (101, 67)])
def test_any_size_and_every_pixel_counts(windows, size):
    model = network(windows=windows)
    x = images(2, 3, *size).requires_grad_()
    features = model.forward_features(x)
    h, w = (-(-s // 32) for s in size)
    assert features.shape == (2, h * w, 32)
    model(x).square().sum().backward()
    assert (x.grad.abs().amax(1) > 0).all()


def test_parameters_are_made_where_and_as_asked_for():
    assert {p.device.type for p in network(device="cpu").parameters()} == {"cpu"}
    empty = Twins(**SMALL, device="meta")
    assert {t.device.type for t in [*empty.parameters(), *empty.buffers()]} == {"meta"}
    full = network()
    empty.load_state_dict(full.state_dict(), assign=True)
    x = images(1, 3, 64, 64)
    assert torch.equal(empty.eval()(x), full(x))
    half = timm.create_model("factcheck_twins_svt_tiny", dtype=torch.bfloat16, device="cpu")
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("order", ["timm, factcheck.twins", "factcheck.twins, timm", "factcheck.models.image, timm"])
@pytest.mark.slow
def test_timm_knows_our_names_once_twins_is_imported(order):
    code = f"""
import {order}
assert timm.is_model("factcheck_twins_pcpvt_large")
print(timm.create_model("factcheck_twins_svt_tiny", num_classes=0).num_features)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "256\n"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("first", ["twins.blocks", "twins.twins", "twins.variants", "models.image", "twins.lsa"])
def test_each_module_can_be_imported_first(first):
    code = f"import factcheck.{first}, factcheck.twins, timm; print(timm.is_model('factcheck_twins_svt_tiny'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_head_pooling_and_classifier():
    model, x = network(), images(2, 3, 64, 64)
    features = model.forward_features(x)
    torch.testing.assert_close(model.forward_head(features, pre_logits=True), features.mean(1))
    torch.testing.assert_close(model(x), model.get_classifier()(features.mean(1)))
    model.reset_classifier(4)
    assert model(x).shape == (2, 4)
    assert model.get_classifier().out_features == model.num_classes == 4
    model.reset_classifier(0, "")
    torch.testing.assert_close(model(x), features)
    with pytest.raises(InputError, match="global_pool must be"):
        model.reset_classifier(3, "max")


def test_intermediates():
    model, x = network(), images(2, 3, 96, 64)
    final, maps = model.forward_intermediates(x)
    torch.testing.assert_close(final, model.forward_features(x))
    assert [m.shape[1:] for m in maps] == [(8, 24, 16), (16, 12, 8), (24, 6, 4), (32, 3, 2)]
    normed = model.forward_intermediates(x, indices=1, norm=True, intermediates_only=True)[0]
    torch.testing.assert_close(normed.flatten(2).transpose(1, 2), final)
    some = model.forward_intermediates(x, [0, -2], stop_early=True, intermediates_only=True, output_fmt="NHWC")
    for got, expected in zip(some, (maps[0], maps[2]), strict=True):
        torch.testing.assert_close(got.permute(0, 3, 1, 2), expected)
    with pytest.raises(InputError, match="indices must name some of the 4 stages"):
        model.forward_intermediates(x, [4])
    with pytest.raises(InputError, match="output_fmt"):
        model.forward_intermediates(x, output_fmt="NLC")


def test_feature_info_names_modules_that_give_those_maps():
    model, x = network(), images(1, 3, 64, 64)
    maps = model.forward_intermediates(x, intermediates_only=True)
    for info, feature in zip(model.feature_info, maps, strict=True):
        assert info["module"] in dict(model.named_modules())
        assert feature.shape[1] == info["num_chs"]
        assert feature.shape[2] == 64 // info["reduction"]


def test_pruning_keeps_the_first_stages():
    model, x = network(), images(1, 3, 64, 64)
    expected = model.forward_intermediates(x, [1], intermediates_only=True)[0]
    assert model.prune_intermediate_layers([1]) == [1]
    assert len(model.blocks) == 2
    torch.testing.assert_close(model(x).transpose(1, 2).reshape(1, 16, 8, 8), expected)


def test_gradient_checkpointing_recomputes_and_gives_the_same_gradients():
    model, x = network().train(), images(2, 3, 64, 64)
    calls = []
    model.blocks[2][1].register_forward_pre_hook(lambda *_: calls.append(1))
    gradients = []
    for enable in (False, True):
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        model(x).square().mean().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert len(calls) == 1 + 2
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed)


@pytest.mark.parametrize("size", [(64, 64), (75, 90)])
def test_inference_writes_in_place_and_changes_nothing(size, monkeypatch):
    monkeypatch.setattr(blocks, "MLP_MIN_ROWS", 20)
    monkeypatch.setattr(blocks, "MLP_HIDDEN", 0)
    model, x = network(), images(2, 3, *size)
    kept, weights = x.clone(), {n: p.clone() for n, p in model.named_parameters()}
    recorded = model.forward_intermediates(x, intermediates_only=True)
    with torch.no_grad():
        direct = model.forward_intermediates(x, intermediates_only=True)
        tokens = torch.randn(2, 16 * 16, 8)
        before = tokens.clone()
        model.blocks[0][0](tokens, (16, 16))
        model.blocks[0][1](tokens, (16, 16))
        model.pos_block[0](tokens, (16, 16))
    assert tokens.equal(before)
    for a, b in zip(recorded, direct, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    assert x.equal(kept)
    assert all(p.equal(weights[n]) for n, p in model.named_parameters())


@pytest.mark.parametrize("size", [(64, 64), (50, 81)])
def test_inference_takes_groups_of_images(size, monkeypatch):
    model, x = network(), images(5, 3, *size)
    recorded = model.forward_intermediates(x, intermediates_only=True)
    monkeypatch.setattr(twins, "STAGE_FLOATS", 2 * 16 * 16 * 8)
    calls = []
    run = Twins._stage_images
    monkeypatch.setattr(Twins, "_stage_images", lambda *args: calls.append(1) or run(*args))
    with torch.no_grad():
        direct = model.forward_intermediates(x, intermediates_only=True)
    assert len(calls) > len(model.blocks)
    for a, b in zip(recorded, direct, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_inference_respects_hooks_and_replaced_layers():
    model, x = network(), images(2, 3, 64, 64)
    plain = model(x)
    block = model.blocks[0][0]
    block.attn.proj.register_forward_hook(lambda _, __, out: 2 * out)
    model.blocks[1][0].attn.register_forward_hook(lambda _, __, out: out + 1)
    model.blocks[2][0].mlp.fc2 = torch.nn.Sequential(model.blocks[2][0].mlp.fc2, torch.nn.Tanh())
    model.blocks[2][1].attn.proj = torch.nn.Linear(24, 24, bias=False)
    recorded = model(x)
    assert not torch.allclose(recorded, plain)
    with torch.no_grad():
        torch.testing.assert_close(model(x), recorded, rtol=1e-5, atol=1e-5)


MODULES = [name for name, _ in network().named_modules() if name]


@pytest.mark.parametrize("name", MODULES)
def test_a_hook_sees_the_same_without_gradients(name, monkeypatch):
    monkeypatch.setattr(twins, "STAGE_FLOATS", 1)
    monkeypatch.setattr(blocks, "MLP_MIN_ROWS", 4)
    monkeypatch.setattr(blocks, "MLP_HIDDEN", 4)
    model, x = network(), images(3, 3, 50, 66)
    seen = []
    model.get_submodule(name).register_forward_hook(lambda _, __, out: seen.append(out))
    model(x)
    recorded, count = list(seen), len(seen)
    seen.clear()
    with torch.no_grad():
        model(x)
    assert len(seen) == count
    # The kernel drops attention weights; the MLP drops twice; a list is never called.
    unusual = {"attn_drop": 0, "mlp.drop": 2} | dict.fromkeys(
        n for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList)
    )
    assert count == next((calls or 0 for end, calls in unusual.items() if name.endswith(end)), 1)
    for a, b in zip(recorded, seen, strict=True):
        for part, other in zip(*((t if isinstance(t, tuple) else (t,)) for t in (a, b)), strict=True):
            torch.testing.assert_close(part, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["patch_embeds.0.proj", "patch_embeds.2.proj", "blocks.0.1.attn.sr", "blocks.2.1.attn.kv"]
)
@pytest.mark.parametrize("change", ["pruned", "wrapped", "patched"])
def test_changed_layers_are_called(name, change):
    model, x = network(), images(2, 3, 64, 64)
    plain = model(x)
    parent, _, child = name.rpartition(".")
    layer = model.get_submodule(name)
    if change == "pruned":
        torch.nn.utils.prune.random_unstructured(layer, "weight", 0.9)
    elif change == "wrapped":
        setattr(model.get_submodule(parent), child, torch.nn.Sequential(layer, torch.nn.LeakyReLU(-1.0)))
    else:
        layer.forward = lambda x, forward=layer.forward: forward(x).abs()
    recorded = model(x)
    assert not torch.allclose(recorded, plain, atol=1e-3)
    with torch.no_grad():
        torch.testing.assert_close(model(x), recorded, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["attn.proj_drop", "drop_path1", "mlp.drop", "drop_path2"])
def test_a_module_in_place_of_a_dropout_is_called_at_inference(name):
    class Half(torch.nn.Module):
        def forward(self, x):
            return x / 2

    model, x = network(), images(2, 3, 64, 64)
    parent, _, child = f"blocks.1.0.{name}".rpartition(".")
    setattr(model.get_submodule(parent), child, Half())
    model.eval()
    recorded = model(x)
    assert not torch.allclose(recorded, network()(x), atol=1e-3)
    with torch.no_grad():
        torch.testing.assert_close(model(x), recorded, rtol=1e-5, atol=1e-5)


def test_a_block_takes_tokens_of_any_strides():
    block = network().blocks[0][0]
    x = images(2, 8, 64).transpose(1, 2)
    recorded = block(x, (8, 8))
    with torch.no_grad():
        torch.testing.assert_close(block(x, (8, 8)), recorded, rtol=1e-5, atol=1e-5)


def test_no_images():
    for context in (torch.no_grad, torch.enable_grad):
        with context():
            assert network()(torch.zeros(0, 3, 64, 64)).shape == (0, 10)


def test_stochastic_depth_drops_whole_samples_without_gradients_too(monkeypatch):
    monkeypatch.setattr(blocks, "MLP_MIN_ROWS", 4)
    block = network(drop_path_rate=0.5).train().blocks[3][1]
    x = torch.randn(64, 9, 32)
    with torch.no_grad():
        changed = (block(x, (3, 3)) != x).flatten(1)
    assert (changed.all(1) | ~changed.any(1)).all()
    assert changed.any()
    assert not changed.all()


@pytest.mark.parametrize("size", [(64, 64), (50, 81)])
def test_an_image_does_not_depend_on_its_batch(size):
    model, x = network(), images(5, 3, *size)
    with torch.no_grad():
        together = model(x)
        for i in range(5):
            torch.testing.assert_close(model(x[i : i + 1])[0], together[i], rtol=1e-5, atol=1e-5)


def test_other_channels_and_memory_formats():
    model, x = network(in_chans=5), images(2, 5, 40, 40)
    torch.testing.assert_close(model(x), model(x.contiguous(memory_format=torch.channels_last)))


def test_bf16_autocast():
    model, x = network(), images(2, 3, 75, 64)
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            exact = model(x)
            with torch.autocast("cpu", torch.bfloat16):
                rough = model(x)
            assert rough.dtype == torch.bfloat16
            assert (rough.float() - exact).abs().max() < 0.05 * exact.abs().max()


@pytest.mark.parametrize("name", list(VARIANTS))
def test_registered_with_timm(name):
    assert timm.is_model(f"factcheck_{name}")
    tiny = {"embed_dims": (8, 8, 8, 8), "num_heads": (1, 1, 1, 1), "depths": (1, 1, 1, 1)}
    model = timm.create_model(f"factcheck_{name}", num_classes=3, in_chans=1, **tiny)
    assert isinstance(model, Twins)
    assert model(images(1, 1, 32, 32)).shape == (1, 3)
    cfg = model.pretrained_cfg
    if name == "twins_svt_tiny":
        assert cfg["input_size"] == (3, 64, 64)
    else:
        assert cfg["hf_hub_id"] == f"timm/{name}.in1k"


def test_features_only_and_layer_decay_of_timm():
    dims = VARIANTS["twins_svt_tiny"]["embed_dims"]
    model = timm.create_model("factcheck_twins_svt_tiny", features_only=True, out_indices=(1, 3))
    maps = model(images(1, 3, 64, 64))
    assert [m.shape[1] for m in maps] == model.feature_info.channels() == [dims[1], dims[3]]
    assert [64 // m.shape[2] for m in maps] == model.feature_info.reduction() == [8, 32]
    groups = param_groups_layer_decay(network(), weight_decay=0.1, layer_decay=0.5)
    assert len({g["lr_scale"] for g in groups}) > 4


def test_tiny_needs_no_partial_window_at_its_native_size():
    model = create_twins("twins_svt_tiny")
    grids = [16, 8, 4, 2]
    for stage, grid in zip(model.blocks, grids, strict=True):
        k1, k2 = stage[0].attn.window
        assert grid % min(k1, grid) == 0
        assert grid % min(k2, grid) == 0


@pytest.mark.parametrize("indices", [0, 5, -1])
def test_more_stages_than_there_are(indices):
    with pytest.raises(InputError, match="1 to 4 of the last stages"):
        network().forward_intermediates(images(1, 3, 64, 64), indices)


def test_stages_cannot_be_hooked_as_timm_does():
    with pytest.raises(InputError, match="leave feature_cls out"):
        timm.create_model("factcheck_twins_svt_tiny", features_only=True, feature_cls="hook")


@pytest.mark.parametrize(
    "setting",
    [{"sr_ratios": (0, 1, 1, 1)}, {"in_chans": 0}, {"num_classes": -1}, {"patch_size": 0}, {"drop_path_rate": 2.0}],
)
def test_settings_out_of_range(setting):
    with pytest.raises(InputError, match="must"):
        network(**setting)


def test_mistakes_are_named():
    with pytest.raises(InputError, match=r"at least 32 pixels, found \(1, 3, 31, 64\)"):
        network()(images(1, 3, 31, 64))
    with pytest.raises(InputError, match=r"images must be \(B, 3, H, W\)"):
        network()(images(1, 4, 64, 64))
    with pytest.raises(InputError, match="one figure a stage"):
        network(depths=(1, 1))
    with pytest.raises(InputError, match="`name` is 'twins_huge', expected one of "):
        create_twins("twins_huge")
    with pytest.raises(InputError, match=r"unknown settings \['dephts'\]"):
        create_twins("twins_svt_tiny", dephts=(1, 1, 1, 1))
