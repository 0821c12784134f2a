"""What a training that starts from another model says it took over."""

import pytest
import pytorch_lightning as pl
import torch

from factcheck.models.folder import load_model, resolve_model
from factcheck.models.verdict import VerdictConfig
from factcheck.models.weights import load_compatible_weights
from factcheck.training.verdict.module import VerdictModule


@pytest.mark.slow
@pytest.mark.parametrize("image_weights", ["bundled", None])
def test_kept_image_tensors_do_not_pass_for_random_ones(image_weights, caplog, tmp_path):
    module = VerdictModule(VerdictConfig(image_weights=image_weights, token_relations="words"), init_from="bundled")
    module.trainer = pl.Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    with caplog.at_level("INFO", "factcheck"):
        module.setup("fit")
    said = caplog.messages[-1]
    state = module.model.state_dict()
    photo = sum(name.startswith("image.") for name in state)
    kept = f", {photo} of the image encoder kept from image_weights 'bundled'" if image_weights else ""
    assert photo > 100
    anew = int(said.rsplit(", ", 1)[1].split()[0])
    loaded = len(state) - anew - (photo if image_weights else 0)
    assert said == f"init_from bundled: {loaded} tensors loaded{kept}, {anew} start anew"
    assert anew < 5


@pytest.mark.slow
def test_the_text_transformer_is_that_of_the_model_folder(tmp_path):
    module = VerdictModule(init_from="bundled")
    module.trainer = pl.Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    module.setup("fit")
    bundled, config = load_model(resolve_model("bundled"))
    state, expected = module.model.text.state_dict(), bundled.text.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)
    assert module.network.text_model == module.model.config.text_model == config["model"]["text_model"]
    assert module.languages == ["en"]


@pytest.mark.slow
def test_of_a_text_transformer_of_another_depth_nothing_is_taken():
    model = VerdictModule().model
    bundled = resolve_model("bundled")
    assert len(model.text.encoder.layer) != len(load_model(bundled)[0].text.encoder.layer)
    before = {name: tensor.clone() for name, tensor in model.text.state_dict().items()}
    loaded, _ = load_compatible_weights(model, bundled)
    assert loaded > 100
    assert all(torch.equal(before[name], tensor) for name, tensor in model.text.state_dict().items())
