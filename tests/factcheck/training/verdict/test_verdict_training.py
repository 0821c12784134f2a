"""Training end to end with tiny models: exact resume, which weights move, figures of every head."""

import json

import pytest
import pytorch_lightning as pl
import torch
from training_parts import data, module, trainer

from factcheck.errors import InputError
from factcheck.training.verdict.optim import parameter_groups


@pytest.mark.slow
@pytest.mark.parametrize("steps", [3, 7])  # in the middle of the first epoch, and of the second (5 steps each)
def test_a_resumed_run_equals_an_uninterrupted_one(steps, tiny_bert, factify_folder, tmp_path):
    whole = module(tiny_bert)
    trainer(tmp_path, max_steps=9, enable_checkpointing=False).fit(whole, data(factify_folder, tiny_bert))

    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == steps:
                trainer.save_checkpoint(tmp_path / "part.ckpt")
                trainer.should_stop = True

    first = module(tiny_bert)
    part = trainer(tmp_path, max_steps=9, callbacks=[Stop()], enable_checkpointing=False)
    part.fit(first, data(factify_folder, tiny_bert))
    torch.manual_seed(99)
    second = module(tiny_bert)
    rest = trainer(tmp_path, max_steps=9, enable_checkpointing=False)
    rest.fit(second, data(factify_folder, tiny_bert), ckpt_path=tmp_path / "part.ckpt", weights_only=True)
    assert rest.global_step == 9
    for (name, a), (_, b) in zip(whole.state_dict().items(), second.state_dict().items(), strict=True):
        assert torch.equal(a, b), name


def test_vectors_embeddings_and_position_encodings_are_not_decayed(tiny_bert):
    model = module(tiny_bert, image_learning_rate=1e-4, freeze_embeddings=False, token_relations="typed")
    names = {id(parameter): name for name, parameter in model.model.named_parameters()}
    decays = {
        names[id(p)]: group["weight_decay"]
        for group in parameter_groups(model.model, model.optim)
        for p in group["params"]
    }
    assert decays.keys() == set(names.values())

    def embeds(name):
        return name in ("fusion.types.weight", "match_embed.weight") or name.startswith("text.embeddings.")

    for name, parameter in model.model.named_parameters():
        none = parameter.ndim == 1 or embeds(name) or name.startswith("image.backbone.pos_block.")
        assert decays[name] == (0.0 if none else 0.01), name
    assert any(decay for name, decay in decays.items() if "patch_embeds" in name)


@pytest.mark.slow
def test_training_lowers_the_loss_and_reports_every_head(tiny_bert, factify_folder, tmp_path):
    torch.manual_seed(0)  # with some beginnings four epochs of so little data are not enough
    model = module(tiny_bert, learning_rate=1e-3, text_learning_rate=1e-3, token_relations="words")
    run = trainer(tmp_path, max_epochs=4, enable_checkpointing=False)
    before = run.validate(model, data(factify_folder, tiny_bert, val=["train.csv"]), verbose=False)[0]
    run.fit(model, data(factify_folder, tiny_bert, val=["train.csv"]))
    after = run.validate(model, data(factify_folder, tiny_bert, val=["train.csv"]), verbose=False)[0]
    assert after["val/loss"] < before["val/loss"]
    assert {"val/weighted_f1", "val/stance_accuracy", "val/image_accuracy"} <= after.keys()


@pytest.mark.slow
def test_text_sets_and_photo_sets_mix(tiny_bert, factify_folder, tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"premise": "A dog runs.", "hypothesis": "A dog sleeps.", "label": x} for x in ("refute", "not_support")]
    pairs.write_text("".join(json.dumps({**row, "source": "made"}) + "\n" for row in rows * 3), "utf-8")
    (tmp_path / "f").symlink_to(factify_folder)
    files = {"f/train.csv": 1.0, "pairs.jsonl": 2.0}
    source = data(tmp_path, tiny_bert, train=files, val=["f/val.csv", "pairs.jsonl"], source_weights={"made": 0.5})
    model = module(tiny_bert)
    run = trainer(tmp_path, max_epochs=1, enable_checkpointing=False)
    run.fit(model, source)
    assert run.global_step == 7  # 20 rows and 6 x 2.0 x 0.5, in batches of 4
    assert "val/stance_accuracy/made" in run.callback_metrics


@pytest.mark.slow
def test_frozen_text_layers_stay_as_they_are(tiny_bert, factify_folder, tmp_path):
    model = module(tiny_bert, text_learning_rate=1e-2, frozen_layers=1)
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    trainer(tmp_path, max_steps=2, enable_checkpointing=False).fit(model, data(factify_folder, tiny_bert))
    changed = {name for name, value in model.model.state_dict().items() if not torch.equal(value, before[name])}
    assert not {name for name in changed if "text.embeddings" in name or ".layer.0." in name or "match" in name}
    assert {name for name in changed if ".layer.1." in name}
    depth = model.model.text.config.num_hidden_layers
    with pytest.raises(InputError, match=f"`text.frozen_layers` is {depth + 1}; it must lie in 0 … {depth}"):
        module(tiny_bert, frozen_layers=depth + 1)
