"""Weights from timm's loader and from checkpoints as the reference implementation writes them."""

import argparse

import pytest
import timm
import torch
from safetensors.torch import save_file

from factcheck.errors import InputError
from factcheck.twins.variants import create_twins
from factcheck.twins.weights import load_twins_weights

LIGHT = {"embed_dims": (8, 8, 16, 16), "num_heads": (1, 1, 2, 2), "num_classes": 6}


def light(name="twins_svt_small", **settings):
    return create_twins(name, **{**LIGHT, **settings})


def reference_names(depths, sub_sampled, classes=True):
    """Names of the reference implementation's parameters, spelt out from its classes."""
    names = []
    for stage, depth in enumerate(depths):
        names += [f"patch_embeds.{stage}.{p}" for p in ("proj.weight", "proj.bias", "norm.weight", "norm.bias")]
        names += [f"pos_block.{stage}.proj.0.weight", f"pos_block.{stage}.proj.0.bias"]
        for block in range(depth):
            layers = ["norm1", "norm2", "attn.proj", "mlp.fc1", "mlp.fc2"]
            if sub_sampled(block):
                layers += ["attn.q", "attn.kv"] + (["attn.sr", "attn.norm"] if stage < 3 else [])
            else:
                layers += ["attn.qkv"]
            names += [f"blocks.{stage}.{block}.{layer}.{p}" for layer in layers for p in ("weight", "bias")]
    names += ["norm.weight", "norm.bias"]
    return names + (["head.weight", "head.bias"] if classes else [])


def filled(names, model):
    """Constructed tensors under the reference's names, with the shapes that the model gives those names."""
    shapes = {n: t.shape for n, t in model.state_dict().items()}
    generator = torch.Generator().manual_seed(3)
    return {n: torch.randn(shapes[n], generator=generator) for n in names}


ARCHITECTURES = [
    ("alt_gvt_small", (2, 2, 10, 4), lambda block: block % 2 == 1),
    ("alt_gvt_base", (2, 2, 18, 2), lambda block: block % 2 == 1),
    ("pcpvt_small_v0", (3, 4, 6, 3), lambda block: True),
    ("pcpvt_large_v0", (3, 8, 27, 3), lambda block: True),
]


@pytest.mark.parametrize(("name", "depths", "sub_sampled"), ARCHITECTURES)
def test_reference_checkpoints_load(name, depths, sub_sampled):
    model = light(name)
    state = filled(reference_names(depths, sub_sampled), model)
    load_twins_weights(model, state)
    assert {n: t.sum().item() for n, t in model.state_dict().items()} == {n: t.sum().item() for n, t in state.items()}


def test_reference_training_checkpoint_from_a_file(tmp_path):
    model = light()
    state = filled(reference_names((2, 2, 10, 4), lambda block: block % 2 == 1), model)
    path = tmp_path / "checkpoint.pth"
    content = {
        "model": {f"module.{n}": t for n, t in state.items()},
        "epoch": 299,
        "args": argparse.Namespace(lr=0.001),
    }
    torch.save(content, path)
    assert load_twins_weights(model, path).head.weight.equal(state["head.weight"])


def test_detector_backbone_without_classifier():
    model = light()
    head = model.head.weight.clone()
    state = filled(reference_names((2, 2, 10, 4), lambda block: block % 2 == 1, classes=False), model)
    content = {f"backbone.{n}": t for n, t in state.items()}
    content["backbone.norm_list.0.weight"] = torch.ones(8)
    content["neck.lateral_convs.0.conv.weight"] = torch.ones(1)
    with pytest.raises(InputError, match=r"missing \['head.bias', 'head.weight'\]"):
        load_twins_weights(model, {"state_dict": content})
    load_twins_weights(model, {"state_dict": content}, classifier=False)
    assert model.head.weight.equal(head)
    assert model.blocks[2][9].attn.kv.weight.equal(state["blocks.2.9.attn.kv.weight"])


def test_safetensors_round_trip(tmp_path):
    source = light()
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    target = light(weights=tmp_path / "weights.safetensors")
    assert all(t.equal(source.state_dict()[n]) for n, t in target.state_dict().items())


def test_through_timms_own_loader(tmp_path):
    reference = timm.create_model("twins_svt_small", **LIGHT)
    save_file(reference.state_dict(), tmp_path / "weights.safetensors")
    model = timm.create_model(
        "factcheck_twins_svt_small.in1k",
        pretrained=True,
        pretrained_cfg_overlay={"file": str(tmp_path / "weights.safetensors"), "num_classes": 6},
        **{**LIGHT, "num_classes": 2, "in_chans": 1},
    )
    assert model.blocks[0][0].attn.qkv.weight.equal(reference.blocks[0][0].attn.qkv.weight)
    torch.testing.assert_close(
        model.patch_embeds[0].proj.weight, reference.patch_embeds[0].proj.weight.sum(1, keepdim=True)
    )
    assert model.head.out_features == 2


def test_mistakes_are_named(tmp_path):
    model = light()
    with pytest.raises(InputError, match="no such file"):
        load_twins_weights(model, tmp_path / "nothing.pth")
    (tmp_path / "broken.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="safetensors is damaged"):
        load_twins_weights(model, tmp_path / "broken.safetensors")
    (tmp_path / "broken.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="is not a checkpoint"):
        load_twins_weights(model, tmp_path / "broken.pth")
    with pytest.raises(InputError, match="holds no tensors"):
        load_twins_weights(model, {"epoch": 3})
    with pytest.raises(InputError, match=r"head.weight is \(9, 16\), the model has \(6, 16\)"):
        load_twins_weights(model, light(num_classes=9).state_dict())
    with pytest.raises(InputError, match="has no published timm weights"):
        create_twins("twins_svt_tiny", weights="timm")
    with pytest.raises(InputError, match="are not weights of twins_svt_base"):
        create_twins("twins_svt_base", weights="timm/twins_svt_small.in1k")
