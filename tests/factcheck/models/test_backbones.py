"""Image encoders on networks of timm: maps, weights, folders, and a verdict model that trains on one."""

import pytest
import timm
import torch

from factcheck.errors import InputError
from factcheck.models.backbones import TimmBackbone
from factcheck.models.folder import create_image_encoder, load_image_encoder, save_image_encoder


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "test_convnext"])
def test_the_maps_are_those_that_timm_computes(name):
    torch.manual_seed(0)
    backbone = TimmBackbone(name, 96).eval()
    x = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        maps = backbone.stage_maps(x)
        features = backbone.net.forward_features(x)
    assert [m.shape[1] for m in maps] == backbone.channels
    assert maps[-1].shape[0] == 2
    if features.ndim == 4:
        torch.testing.assert_close(maps[-1], features)
    else:  # tokens, the class token first
        torch.testing.assert_close(maps[-1].flatten(2).transpose(1, 2), features[:, -maps[-1][0, 0].numel() :])


def test_a_local_state_dict_gives_timms_own_features(tmp_path):
    torch.manual_seed(0)
    reference = timm.create_model("test_convnext", num_classes=10).eval()
    torch.save({"state_dict": reference.state_dict()}, tmp_path / "w.pth")
    encoder = create_image_encoder("timm:test_convnext", tmp_path / "w.pth", input_size=64)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(reference.forward_features(x).mean((2, 3)), dim=1)
        torch.testing.assert_close(encoder.embed(x), expected)
    assert encoder.mean == tuple(reference.pretrained_cfg["mean"])
    with pytest.raises(InputError, match=r"holds no weights of this network: \d+ tensors are missing"):
        create_image_encoder("timm:resnet10t", tmp_path / "w.pth")


def test_an_encoder_on_timm_is_saved_and_loaded(tmp_path):
    torch.manual_seed(0)
    encoder = create_image_encoder("timm:test_convnext", None, input_size=64, embed_dim=16, layout_dim=0)
    save_image_encoder(encoder, tmp_path / "e")
    found = load_image_encoder(tmp_path / "e")
    assert (found.name, found.input_size, found.mean) == ("timm:test_convnext", 64, encoder.mean)
    x = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(found.embed(x), encoder.embed(x), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("name", "weights", "size", "said"),
    [
        ("timm:no_such_net", None, None, "timm has no network 'no_such_net'"),
        ("resnet10t", None, None, "any network of timm as timm:NAME"),
        ("timm:vit_tiny_patch16_224", None, 8, "does not read images of 8 pixels a side"),
        ("timm:test_convnext", "bundled", None, "the weights 'bundled' are of 'twins_svt_tiny'"),
    ],
)
def test_mistakes_are_told(name, weights, size, said):
    with pytest.raises(InputError, match=said):
        create_image_encoder(name, weights, input_size=size)
