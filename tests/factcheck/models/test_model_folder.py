import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from factcheck.errors import InputError
from factcheck.models.folder import (
    fingerprint,
    load_model,
    load_tokenizer_of,
    not_finite,
    resolve_model,
    save_model,
    weights_fingerprint,
)
from factcheck.models.text import load_text_model
from factcheck.models.verdict import VerdictConfig, VerdictModel
from factcheck.models.weights import load_compatible_weights

SELECTION = {"top_k": 3, "retrieval_encoder": "bundled", "retrieval_method": "hybrid"}


@pytest.fixture
def copy(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_round_trip(tiny_model, tmp_path):
    model, config = load_model(tiny_model)
    assert not model.training
    again, _ = load_model(save_model(model, tmp_path / "again", preprocessing=config["preprocessing"]))
    for (name, a), (_, b) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(a, b), name


def test_a_save_that_fails_leaves_the_model_as_it_was_and_one_that_does_not_leaves_other_files(copy, tmp_path):
    class FullDisk:
        def save_pretrained(self, folder):
            raise OSError(28, "No space left on device")

    (copy / "notes").mkdir()
    (copy / "notes" / "mine.txt").write_text("mine")
    (copy / "tokenizer" / "stale.txt").write_text("of the old one")
    model, config = load_model(copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="No space left"):
        save_model(model, copy, preprocessing=config["preprocessing"], tokenizer=FullDisk())
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == [copy.name]
    save_model(model, copy, preprocessing=SELECTION, tokenizer=load_tokenizer_of(copy, config))
    assert (copy / "notes" / "mine.txt").read_text() == "mine"
    assert not (copy / "tokenizer" / "stale.txt").exists()
    assert load_model(copy)[1]["preprocessing"] == SELECTION


def test_half_precision_is_close(tiny_model, tmp_path):
    model, _ = load_model(tiny_model)
    again, _ = load_model(save_model(model, tmp_path / "half", preprocessing=SELECTION, dtype=torch.float16))
    for (name, a), (_, b) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert b.dtype == a.dtype
        torch.testing.assert_close(a, b, atol=2e-3, rtol=2e-3, msg=name)


def test_weights_of_the_bundled_text_model_are_not_stored_twice(tmp_path):
    config = VerdictConfig(image_encoder=None, image_weights=None, fusion_dim=32, fusion_heads=2)
    model = VerdictModel(config, load_text_model("bundled"))
    with torch.no_grad():
        model.text.encoder.layer[5].output.dense.bias.add_(1)
    folder = save_model(model, tmp_path / "m", preprocessing=SELECTION)
    stored = load_file(folder / "model.safetensors")
    assert "text.encoder.layer.5.output.dense.bias" in stored
    assert "text.embeddings.word_embeddings.weight" not in stored
    again, _ = load_model(folder)
    for (name, a), (_, b) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    content = json.loads((folder / "config.json").read_text())
    content["inherited"]["sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="base weights that differ"):
        load_model(folder)


def test_weights_that_an_average_has_rounded_are_inherited_all_the_same(tmp_path):
    model, config = load_model(resolve_model("bundled"))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    name = "image.backbone.blocks.0.0.mlp.fc1.weight"
    table = model.get_parameter(name)
    with torch.no_grad():
        table.mul_(1 + 1e-6)
    folder = save_model(model, tmp_path / "m", preprocessing=config["preprocessing"])
    assert name in json.loads((folder / "config.json").read_text())["inherited"]["tensors"]
    assert torch.equal(load_model(folder)[0].state_dict()[name], before[name])
    with torch.no_grad():
        table.mul_(1.01)  # trained
    folder = save_model(model, tmp_path / "n", preprocessing=config["preprocessing"])
    assert name not in json.loads((folder / "config.json").read_text())["inherited"]["tensors"]


def test_the_fingerprint_follows_what_changes_verdicts(copy):
    before = fingerprint(copy)
    (copy / "README.md").write_text("another card")
    assert fingerprint(copy) == before
    (copy / "calibration.json").write_text('{"label": 1.5}')
    assert fingerprint(copy) != before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_large_numbers_are_numbers(dtype):
    most = torch.full((100,), torch.finfo(dtype).max, dtype=dtype)
    assert not_finite({"a": most, "none": torch.zeros(0), "one": torch.tensor(1.0), "counts": torch.arange(3)}) is None
    assert not_finite({"a": most, "b": most * torch.tensor(-torch.inf, dtype=dtype)}) == "b"


def test_the_fingerprint_follows_the_tokenizer(copy):
    before = fingerprint(copy)
    path = copy / "tokenizer" / "tokenizer.json"
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    assert fingerprint(copy) != before


def test_the_fingerprint_of_weights_follows_every_tensor():
    layer = torch.nn.Linear(2, 2)
    before = weights_fingerprint(layer)
    assert weights_fingerprint(layer) == before
    with torch.no_grad():
        layer.bias[1] += 1
    assert weights_fingerprint(layer) != before
    assert len(weights_fingerprint(layer.bfloat16())) == 12


class TestRefusals:
    def test_no_folder(self, tmp_path):
        with pytest.raises(InputError, match=r"no config\.json"):
            load_model(tmp_path)

    def test_another_version(self, copy):
        edit(copy, format_version=7)
        with pytest.raises(InputError, match="format version 7"):
            load_model(copy)

    def test_another_kind(self, copy):
        edit(copy, kind="factcheck-photo-encoder")
        with pytest.raises(InputError, match="does not describe a verdict model"):
            load_model(copy)

    def test_damaged_configuration(self, copy):
        (copy / "config.json").write_text("{")
        with pytest.raises(InputError, match="not JSON"):
            load_model(copy)

    def test_missing_weights(self, copy):
        (copy / "model.safetensors").unlink()
        with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
            load_model(copy)

    def test_truncated_weights(self, copy):
        data = (copy / "model.safetensors").read_bytes()
        (copy / "model.safetensors").write_bytes(data[: len(data) // 2])
        with pytest.raises(InputError, match="damaged"):
            load_model(copy)

    def test_weights_of_another_architecture(self, copy):
        tensors = load_file(copy / "model.safetensors")
        tensors.pop("stance_head.weight")
        save_file(tensors, copy / "model.safetensors")
        with pytest.raises(InputError, match=r"missing tensors \['stance_head\.weight'\]"):
            load_model(copy)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
    def test_weights_that_are_no_numbers(self, copy, value, dtype):
        tensors = load_file(copy / "model.safetensors")
        tensors["stance_head.bias"] = torch.tensor([0.0, value, 0.0], dtype=dtype)
        save_file(tensors, copy / "model.safetensors")
        with pytest.raises(
            InputError, match=r"model\.safetensors: the tensor 'stance_head\.bias' holds NaN or infinity"
        ):
            load_model(copy)

    def test_saving_weights_that_are_no_numbers(self, tiny_model, tmp_path):
        model, _ = load_model(tiny_model)
        with torch.no_grad():
            model.stance_head.bias[1] = 70_000.0
        with pytest.raises(
            InputError, match=r"'stance_head\.bias' has values beyond the range of float16; export it as float32"
        ):
            save_model(model, tmp_path / "m", preprocessing=SELECTION, dtype=torch.float16)
        assert not (tmp_path / "m").exists()
        with torch.no_grad():
            model.stance_head.bias[1] = float("nan")
        with pytest.raises(InputError, match=r"'stance_head\.bias' holds NaN or infinity"):
            save_model(model, tmp_path / "m", preprocessing=SELECTION)
        assert not (tmp_path / "m").exists()

    def test_unknown_names(self, tmp_path):
        with pytest.raises(InputError, match="no such folder"):
            resolve_model(tmp_path / "gone")
        with pytest.raises(InputError, match="Hugging Face hub"):
            resolve_model("nobody/nothing")


def test_a_hub_repository_is_found_in_the_local_cache(tiny_model, tmp_path, monkeypatch):
    """The layout of huggingface_hub's cache, as a download leaves it."""
    from huggingface_hub import constants

    snapshot = tmp_path / "models--owner--name" / "snapshots" / ("a" * 40)
    shutil.copytree(tiny_model, snapshot)
    (tmp_path / "models--owner--name" / "refs").mkdir()
    (tmp_path / "models--owner--name" / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    import huggingface_hub

    original = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **kwargs: original(name, cache_dir=tmp_path, **kwargs)
    )
    assert fingerprint(resolve_model("owner/name")) == fingerprint(tiny_model)


def test_compatible_weights(tiny_model, tiny_bert, tmp_path):
    source, _ = load_model(tiny_model)
    config = VerdictConfig(
        text_model=str(tiny_bert), image_encoder=None, image_weights=None, fusion_dim=32, fusion_heads=2
    )
    model = VerdictModel(config, load_text_model(str(tiny_bert)))
    loaded, left = load_compatible_weights(model, tiny_model)
    assert loaded == len(model.state_dict())
    assert left == 0
    assert torch.equal(model.stance_head.weight, source.stance_head.weight)
    with pytest.raises(InputError, match="is neither a model folder nor a checkpoint"):
        load_compatible_weights(model, tmp_path / "gone")


def _set(config, path, value):
    *inner, last = path.split(".")
    for name in inner:
        config = config[name]
    config[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model", None, "model is None, expected an object"),
        ("model.fusion_dim", 10**7, "fusion_dim is a whole number from 1 to 8192"),
        ("model.fusion_depth", 10**7, "fusion_depth is a whole number from 1 to 128"),
        ("model.dropout", "0.1", r"dropout is a number in \[0, 1\)"),
        ("model.surprise", 1, "an object without 'surprise'"),
        ("text_config", [], "a transformer's configuration with its model_type"),
        ("text_config.num_hidden_layers", 10**7, "num_hidden_layers is at most 1024"),
        ("text_config.vocab_size", 10**9, "vocab_size is at most"),
        ("text_config.vocab_size", float("inf"), "vocab_size is at most"),
        ("text_config.model_type", "no-such-family", "describes no model that can be built"),
        ("text_config.hidden_size", "wide", "describes no model that can be built"),
        ("text_config.num_attention_heads", 0, "describes no model that can be built"),
        ("text_config.intermediate_size", 2**20, "does not fit config.json"),
        ("image_config.name", "resnet", "image_config is .* expected an object in which name is one of"),
        ("image_config.head.embed_dim", -1, "image_config is"),
        ("tokenizer", "../elsewhere", "tokenizer is '../elsewhere', expected one of bundled, tokenizer"),
        ("preprocessing.top_k", 2.5, "top_k is a whole number"),
        ("languages", "en", "languages is 'en', expected a list"),
        ("inherited", {"tensors": ["x"], "sha256": ""}, "does not fit config.json"),
    ],
)
def test_a_configuration_out_of_bounds_is_refused_in_one_line(tiny_model, tmp_path, path, value, message):
    config = json.loads((tiny_model / "config.json").read_text())
    _set(config, path, value)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(tiny_model / "model.safetensors")
    with pytest.raises(InputError, match=message) as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)
