import json
import os
from pathlib import Path

import pytest
import torch

from factcheck.errors import InputError
from factcheck.models.folder import (
    bundled_image_encoder,
    create_image_encoder,
    load_image_encoder,
    save_image_encoder,
)
from factcheck.models.image import DescriptorHead, six_views


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return create_image_encoder(weights=None)


@pytest.fixture
def folder(encoder, tmp_path):
    return save_image_encoder(encoder, tmp_path / "photo", card="# A card\n")


def test_shapes_and_lengths(encoder):
    tokens, descriptors = encoder.forward_all(torch.randn(3, 3, encoder.input_size, encoder.input_size))
    assert tokens.shape[:2] == (3, encoder.num_features)
    assert descriptors.shape == (3, encoder.embed_dim)
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("size", [64, 96, 100])
def test_any_size_and_no_influence_between_photos(encoder, size):
    photos = torch.randn(4, 3, size, size)
    with torch.inference_mode():
        together = encoder.embed(photos)
        alone = torch.cat([encoder.embed(photo[None]) for photo in photos])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_tokens_and_descriptor_agree_with_the_joint_pass(encoder):
    x = torch.randn(2, 3, 64, 64)
    tokens, descriptors = encoder.forward_all(x)
    torch.testing.assert_close(encoder.forward_features(x), tokens)
    torch.testing.assert_close(encoder.embed(x), descriptors)
    torch.testing.assert_close(encoder(x), descriptors)


@pytest.mark.slow
@pytest.mark.parametrize("view_size", [64, None])
def test_one_exported_graph_for_every_size(view_size):
    encoder = load_image_encoder(bundled_image_encoder()).eval()
    assert encoder.view_size == 64
    encoder.view_size = view_size
    sides = {2: torch.export.Dim("height", min=32, max=2048), 3: torch.export.Dim("width", min=32, max=2048)}
    dims = ({0: torch.export.Dim("batch", max=64), **sides},)
    graph = torch.export.export(encoder, (torch.randn(2, 3, 80, 80),), dynamic_shapes=dims).module()
    with torch.inference_mode():
        for batch, height, width in [(1, 32, 32), (2, 64, 64), (3, 80, 80), (2, 101, 255), (2, 400, 33)]:
            x = torch.randn(batch, 3, height, width)
            torch.testing.assert_close(graph(x), encoder(x), atol=1e-5, rtol=1e-5)


def test_six_views_are_mirror_proof_and_come_back_from_a_folder(encoder, tmp_path):
    torch.manual_seed(2)
    many = load_image_encoder(save_image_encoder(encoder, tmp_path / "one"))
    many.input_size, many.view_size, many._fingerprint = 80, 64, None
    x = torch.randn(2, 3, 80, 80)
    with torch.inference_mode():
        tokens, descriptors = many.forward_all(x)
        torch.testing.assert_close(many.embed(x.flip(-1)), descriptors, atol=1e-5, rtol=0)
        torch.testing.assert_close(many.forward_features(x), tokens, atol=1e-4, rtol=1e-4)
        single = torch.stack([encoder.embed(view) for view in six_views(x, 64)]).mean(0)
        torch.testing.assert_close(torch.nn.functional.normalize(single, dim=1), descriptors, atol=5e-3, rtol=0)
        again = load_image_encoder(save_image_encoder(many, tmp_path / "six"))
        assert (again.view_size, again.fingerprint) == (64, many.fingerprint)
        torch.testing.assert_close(again.embed(x), descriptors, atol=5e-3, rtol=0)
    assert many.fingerprint != encoder.fingerprint


def test_pooling_is_the_generalised_mean():
    torch.manual_seed(1)
    head = DescriptorHead([8, 16], embed_dim=4, layout_dim=0)
    maps = [torch.randn(2, 8, 6, 6), torch.randn(2, 16, 3, 3)]
    seen = []
    head.norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    head(maps)
    expected = []
    for level, stage in enumerate(maps):
        tokens = head.norms[level](stage.flatten(2).transpose(1, 2))
        active = torch.nn.functional.softplus(head.projections[level](tokens)).double() + 1e-4
        expected.append(active.pow(3).mean(1).pow(1 / 3).log())
    torch.testing.assert_close(seen[0].double(), torch.cat(expected, 1), atol=1e-5, rtol=1e-5)


def test_saved_encoders_come_back_with_their_fingerprint(encoder, folder):
    again = load_image_encoder(folder)
    assert again.fingerprint == encoder.fingerprint == json.loads((folder / "config.json").read_text())["fingerprint"]
    assert create_image_encoder(weights=folder).fingerprint == encoder.fingerprint
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(again.embed(x), encoder.embed(x), atol=5e-3, rtol=0)
    assert (folder / "README.md").read_text() == "# A card\n"


def test_fingerprint_follows_the_weights(encoder, folder):
    other = load_image_encoder(folder)
    with torch.no_grad():
        next(other.parameters()).add_(0.5)
    assert other.fingerprint != encoder.fingerprint


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is not the folder of an image encoder.*Give a folder"):
        create_image_encoder(weights=tmp_path / "nothing")


def test_other_versions_and_damage_are_refused(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "version": 99}))
    with pytest.raises(InputError, match=r"version 99.*Update the package"):
        create_image_encoder(weights=folder)
    for key in ("name", "head", "input_size"):
        path.write_text(json.dumps({k: v for k, v in config.items() if k != key}))
        with pytest.raises(InputError, match="is damaged"):
            create_image_encoder(weights=folder)
    path.write_text(json.dumps({**config, "mean": [0.5]}))
    with pytest.raises(InputError, match=r"mean is \[0.5\], expected a list of 3"):
        create_image_encoder(weights=folder)
    path.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        create_image_encoder(weights=folder)
    path.write_text(json.dumps({**config, "head": {"embed_dim": 7, "layout_dim": 0}}))
    with pytest.raises(InputError, match=r"does not fit config\.json"):
        create_image_encoder(weights=folder)


@pytest.mark.parametrize(
    "damage",
    [
        {"format": "x" * 10**5},
        {"name": "x" * 10**5},
        {"head": {"embed_dim": 7, "layout_dim": 3}},
        {"head": {"embed_dim": 256, "layout_dim": 0}},
    ],
)
def test_damage_is_told_in_one_line(folder, damage):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **damage}))
    with pytest.raises(InputError) as told:
        load_image_encoder(folder)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 600


def test_weights_of_another_encoder_are_refused(encoder, folder, tmp_path):
    other = load_image_encoder(folder)
    with torch.no_grad():
        next(other.parameters()).add_(0.5)
    save_image_encoder(other, tmp_path / "other")
    (folder / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match=f"of encoder {encoder.fingerprint}, but .* makes {other.fingerprint}"):
        load_image_encoder(folder)


def test_names_and_weights_that_do_not_exist(folder):
    with pytest.raises(InputError, match="no image encoder named 'twins_svt_huge'"):
        create_image_encoder("twins_svt_huge", None)
    with pytest.raises(InputError, match="timm has no weights for 'twins_svt_tiny'"):
        create_image_encoder(weights="timm")
    with pytest.raises(InputError, match="are of 'twins_svt_tiny', not of"):
        create_image_encoder("twins_svt_small", folder)


@pytest.mark.slow
def test_weights_from_timm(monkeypatch):
    import timm

    reference = timm.create_model("twins_svt_small", num_classes=1000)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", lambda *_, **__: reference.state_dict())
    encoder = create_image_encoder("twins_svt_small", weights="timm")
    state = encoder.backbone.state_dict()
    assert state
    assert all(torch.equal(state[name], reference.state_dict()[name]) for name in state)

    def offline(*_, **__):
        raise FileNotFoundError("no connection")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    with pytest.raises(InputError, match="weights of twins_svt_small could not be fetched: no connection"):
        create_image_encoder("twins_svt_small", weights="timm")


def test_bundled_encoder_is_whole_and_small():
    folder = bundled_image_encoder()
    encoder = create_image_encoder()
    assert encoder.fingerprint == json.loads((folder / "config.json").read_text())["fingerprint"]
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 16 * 2**20
    assert not encoder.training


@pytest.mark.slow
def test_bundled_encoder_finds_copies_of_photos_it_never_saw():
    data = Path(os.environ.get("FACTCHECK_DATA") or Path(__file__).parents[4] / "shared" / "data") / "flickr-factify"
    if not (data / "val.csv").is_file():
        pytest.skip("needs the flickr-factify data (set FACTCHECK_DATA)")
    from factcheck.evaluation.image_benchmark import descriptor, evaluate_descriptor, read_copy_set

    photos = read_copy_set([data / "images/val/document"], data / "val.csv", gold=data / "val.gold.jsonl")
    ours, histogram = (evaluate_descriptor(descriptor(name), photos) for name in ("bundled", "colour-histogram"))
    assert ours["auc"] >= 0.99
    assert ours["recall@1"] >= histogram["recall@1"] + 0.1


def test_a_saved_encoder_can_be_read_by_others_and_is_what_it_is_now(tmp_path):
    encoder = create_image_encoder(weights=None)
    before = encoder.fingerprint
    with torch.no_grad():
        encoder.head.out.bias.add_(1.0)
    folder = save_image_encoder(encoder, tmp_path / "photo")
    assert load_image_encoder(folder).fingerprint == encoder.fingerprint != before
    modes = {name: (folder / name).stat().st_mode for name in ("config.json", "model.safetensors")}
    assert modes["model.safetensors"] == modes["config.json"]


@pytest.mark.parametrize(("value", "message"), [(1e6, "beyond the range of float16"), (float("nan"), "holds NaN")])
def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path, value, message):
    encoder = create_image_encoder(weights=None)
    with torch.no_grad():
        encoder.head.out.bias[0] = value
    with pytest.raises(InputError, match=f"'head.out.bias' of the image encoder .*{message}"):
        save_image_encoder(encoder, tmp_path / "photo")
    assert not (tmp_path / "photo").exists()
