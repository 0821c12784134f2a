"""What a training that starts from another model says it took over."""

import pytest
import pytorch_lightning as pl

from factcheck.models.verdict import VerdictConfig
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
