"""What a training that starts from another model says it took over."""

import pytest
import pytorch_lightning as pl

from factcheck.training.verdict.module import VerdictModule


@pytest.mark.slow
@pytest.mark.parametrize("image_weights", ["bundled", None])
def test_kept_photo_tensors_do_not_pass_for_random_ones(image_weights, capsys, tmp_path):
    module = VerdictModule(init_from="bundled", image_weights=image_weights, fusion_depth=2)
    module.trainer = pl.Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    capsys.readouterr()
    module.setup("fit")
    said = capsys.readouterr().out
    state = module.model.state_dict()
    photo = sum(name.startswith("image.") for name in state)
    kept = f", {photo} of the photo encoder kept from image_weights 'bundled'" if image_weights else ""
    assert photo > 100
    anew = int(said.rsplit(", ", 1)[1].split()[0])
    loaded = len(state) - anew - (photo if image_weights else 0)
    assert said == f"init_from bundled: {loaded} tensors loaded{kept}, {anew} start anew\n"
    assert anew < 5
