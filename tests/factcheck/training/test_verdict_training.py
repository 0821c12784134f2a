"""Training end to end with tiny models: fit, exact resume, export, predict, and the configurations that ship."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
import torch

from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.labels import FACTIFY_LABELS, STANCES
from factcheck.training.verdict.data import VerdictDataModule
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.module import VerdictModule

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / "configs"


def module(tiny_bert, **options):
    torch.manual_seed(0)
    settings = {"max_length": 64, "max_claim_tokens": 24, "fusion_dim": 32, "fusion_heads": 2, "learning_rate": 1e-3}
    return VerdictModule(text_model=str(tiny_bert), image_weights=None, **settings, **options)


def data(folder, tiny_bert, **options):
    return VerdictDataModule(str(folder), retrieval_encoder=str(tiny_bert), batch_size=4, **options)


def trainer(folder, **options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu"}
    return pl.Trainer(default_root_dir=folder, **quiet, **options)


def loader_of(tiny_bert, source, folder):
    run = trainer(folder, max_epochs=1)
    run.strategy.connect(module(tiny_bert))
    run._data_connector.attach_data(run.lightning_module, datamodule=source)
    source.trainer = run
    return source.train_dataloader()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path / "cache"))


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
    decays = {names[id(p)]: group["weight_decay"] for group in model._parameter_groups() for p in group["params"]}
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
    model = module(tiny_bert, text_learning_rate=1e-3)
    run = trainer(tmp_path, max_epochs=4, enable_checkpointing=False)
    before = run.validate(model, data(factify_folder, tiny_bert, val=["train.csv"]), verbose=False)[0]
    run.fit(model, data(factify_folder, tiny_bert, val=["train.csv"]))
    after = run.validate(model, data(factify_folder, tiny_bert, val=["train.csv"]), verbose=False)[0]
    assert after["val/loss"] < before["val/loss"]
    assert {"val/weighted_f1", "val/stance_accuracy", "val/image_accuracy"} <= after.keys()


def test_modality_dropout_takes_both_photos_and_their_labels(tiny_bert, factify_folder, tmp_path):
    model = module(tiny_bert)
    source = data(factify_folder, tiny_bert, modality_dropout=0.5)
    run = trainer(tmp_path, max_steps=1)
    run.strategy.connect(model)
    source.trainer = run
    run._data_connector.attach_data(model, datamodule=source)
    torch.manual_seed(0)
    dropped = kept = 0
    for batch in source.train_dataloader():
        assert torch.equal(batch["claim_image_mask"], batch["document_image_mask"])
        gone = ~batch["claim_image_mask"]
        assert (batch["label"][gone] == -100).all()
        assert (batch["label"][~gone] >= 0).all()
        assert (batch["stance"] >= 0).all()
        dropped, kept = dropped + int(gone.sum()), kept + int((~gone).sum())
    assert dropped > 2
    assert kept > 2


def test_distractors_come_from_rows_of_the_same_source_after_the_best_sentence(tiny_bert, tmp_path):
    rows = [
        {"premise": f"{s} dog {i}.", "hypothesis": "A dog.", "label": "refute", "source": s}
        for s in "ab"
        for i in range(8)
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    source = data(tmp_path, tiny_bert, train="pairs.jsonl", val="pairs.jsonl", distractors=0.7, top_k=3)
    loader = loader_of(tiny_bert, source, tmp_path)
    once, again = ([[loader.dataset[item][1] for item in batch] for batch in loader.batch_sampler] for _ in range(2))
    assert once == again  # a resumed run sees what the interrupted one would have seen
    own = {row.id: row.text.evidence for row in source.rows("pairs.jsonl")}
    lengths = []
    for row in (row for batch in once for row in batch):
        assert row.text.evidence[:1] == own[row.id]
        assert {sentence[0] for sentence in row.text.evidence} == {row.source}
        assert len(set(row.text.evidence)) == len(row.text.evidence) <= 3
        lengths.append(len(row.text.evidence))
    assert set(lengths) == {1, 2, 3}


@pytest.mark.slow
def test_a_claim_given_as_its_own_evidence_is_supported(tiny_bert, factify_folder, tmp_path):
    source = data(factify_folder, tiny_bert, own_evidence=0.5, top_k=2)
    loader = loader_of(tiny_bert, source, tmp_path)
    before = {row.id: row for row in source.rows("train.csv")}
    own = 0
    for row in (loader.dataset[item][1] for batch in loader.batch_sampler for item in batch):
        if row == before[row.id]:
            continue
        own += 1
        assert row.text.evidence == (row.text.claim, *before[row.id].text.evidence[:1])
        assert STANCES[row.stance] == "support"
        relation = before[row.id].relation
        expected = {0: "Support_Multimodal", 1: "Support_Text"}.get(relation)
        assert row.label == (FACTIFY_LABELS.index(expected) if expected else UNLABELLED)
    assert 3 < own < 17


def test_evidence_that_has_nothing_to_do_with_a_claim_decides_nothing(tiny_bert, factify_folder, tmp_path):
    pairs = [
        {"premise": f"The mayor of {i} spoke.", "hypothesis": "A mayor spoke.", "label": "support"} for i in range(9)
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps({**p, "source": "made"}) + "\n" for p in pairs), "utf-8")
    (tmp_path / "f").symlink_to(factify_folder)
    files = ["f/train.csv", "pairs.jsonl"]
    source = data(tmp_path, tiny_bert, train=files, val="f/val.csv", unrelated_evidence=0.5)
    loader = loader_of(tiny_bert, source, tmp_path)
    before = {(row.source, row.id): row for name in files for row in source.rows(name)}
    changed = 0
    for row in (loader.dataset[item][1] for batch in loader.batch_sampler for item in batch):
        old = before[row.source, row.id]
        if row == old:
            continue
        changed += 1
        assert row.text.claim == old.text.claim
        assert row.text.evidence in {other.text.evidence for other in before.values()} - {old.text.evidence}
        assert "mayor" not in " ".join(row.text.evidence) or "mayor" not in row.text.claim
        assert STANCES[row.stance] == "insufficient"
        expected = {0: "Insufficient_Multimodal", 1: "Insufficient_Text"}.get(old.relation)
        assert row.label == (FACTIFY_LABELS.index(expected) if expected else UNLABELLED)
    assert 3 < changed < 26


def test_contrasts_are_made_of_the_sources_named_and_carry_their_labels(tiny_bert, factify_folder, tmp_path):
    pairs = [
        {
            "premise": f"The bridge in town {i} is 240 metres long and is open.",
            "hypothesis": "The bridge is 240 metres long.",
            "label": label,
            "source": source,
        }
        for i, label in enumerate(["support", "refute", "not_support"] * 6)
        for source in ("made", "left")
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs), "utf-8")
    (tmp_path / "f").symlink_to(factify_folder)
    files = {"f/train.csv": 1.0, "pairs.jsonl": 1.0}
    with pytest.raises(InputError, match="contrasts names"):
        loader_of(
            tiny_bert, data(tmp_path, tiny_bert, train=files, val="f/val.csv", contrasts={"nowhere": 0.5}), tmp_path
        )
    with pytest.raises(InputError, match=r"contrasts of 'made' must lie in \[0, 1\), found 1"):
        data(tmp_path, tiny_bert, train=files, contrasts={"made": 1})
    source = data(tmp_path, tiny_bert, train=files, val="f/val.csv", contrasts={"made": 0.6, "f": 0.6})
    loader = loader_of(tiny_bert, source, tmp_path)
    once, again = ([[loader.dataset[item][1] for item in batch] for batch in loader.batch_sampler] for _ in range(2))
    assert once == again
    before = {(name, row.id, row.source): row for name in files for row in source.rows(name)}
    changed = {"made": [], "left": [], "f": []}
    for row in (row for batch in once for row in batch):
        old = next(r for (_, number, origin), r in before.items() if (number, origin) == (row.id, row.source))
        if row.text != old.text:
            changed[row.source].append((row, old))
    assert not changed["left"]
    assert {STANCES[row.stance] for row, _ in changed["made"]} == {"support", "refute"}
    assert changed["f"]
    for row, old in changed["f"]:
        assert (row.claim_image, row.document_image, row.relation) == (
            old.claim_image,
            old.document_image,
            old.relation,
        )
        if STANCES[row.stance] == "refute":
            assert FACTIFY_LABELS[row.label] == "Refute"
        elif old.relation == UNLABELLED:
            assert row.label == UNLABELLED
        else:
            assert FACTIFY_LABELS[row.label].startswith(
                {"support": "Support", "insufficient": "Insuff"}[STANCES[row.stance]]
            )


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
def test_a_models_verdicts_teach_another_one(tiny_bert, factify_folder, tmp_path):
    torch.manual_seed(0)
    teacher, claims = tmp_path / "teacher.ckpt", factify_folder / "train.csv"
    run = trainer(tmp_path, max_steps=1, enable_checkpointing=False)
    run.fit(module(tiny_bert), data(factify_folder, tiny_bert))
    run.save_checkpoint(teacher)
    assert main(["export", str(teacher), "--out", str(tmp_path / "teacher")]) == 0
    verdicts = tmp_path / "v.parquet"
    assert main(["verify", str(claims), "--model", str(tmp_path / "teacher"), "--out", str(verdicts)]) == 0
    given = pq.read_table(verdicts).to_pylist()

    source = data(factify_folder, tiny_bert, soft_labels={"train.csv": str(verdicts)}, own_evidence=0.3)
    loader = loader_of(tiny_bert, source, tmp_path)
    taught = 0
    for items in loader.batch_sampler:
        rows = [loader.dataset[item][1] for item in items]
        batch = loader.collate_fn([loader.dataset[item] for item in items])
        assert torch.equal(batch["soft"].isnan().any(1), torch.tensor([row.soft is None for row in rows]))
        for row, soft in zip(rows, batch["soft"], strict=True):
            if row.soft is None:  # its text is another one than was verified
                assert row.text.evidence[0] == row.text.claim
                continue
            wanted = next(v for v in given if v["id"] == row.id)["stance_probabilities"]
            assert soft.tolist() == pytest.approx([wanted[stance] for stance in STANCES])
            taught += 1
    assert taught > 5

    student = module(tiny_bert, soft_label_weight=1.0, text_learning_rate=1e-3)
    run = trainer(tmp_path, max_epochs=4, enable_checkpointing=False)
    run.fit(student, data(factify_folder, tiny_bert, soft_labels={"train.csv": str(verdicts)}))
    batch = next(iter(loader))
    with torch.inference_mode():
        start = module(tiny_bert).eval()
        distance = [
            (m.eval()(batch).stance_logits.softmax(1) - batch["soft"]).abs().nanmean() for m in (start, student)
        ]
    assert distance[1] < distance[0]


@pytest.mark.slow
def test_rows_with_soft_labels_need_no_other(tiny_bert, factify_folder, tmp_path):
    claims = tmp_path / "claims.jsonl"
    rows = [
        {"claim": f"A dog {verb}.", "document": "A dog runs. A cat sleeps."} for verb in ("runs", "sleeps", "barks")
    ]
    claims.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(InputError, match="no label"):
        data(tmp_path, tiny_bert, train="claims.jsonl").rows("claims.jsonl")
    assert main(["verify", str(claims), "--out", str(tmp_path / "v.parquet")]) == 0
    source = data(tmp_path, tiny_bert, train="claims.jsonl", soft_labels={"claims.jsonl": "v.parquet"}, distractors=0.9)
    batch = next(iter(loader_of(tiny_bert, source, tmp_path)))
    assert (batch["stance"] == UNLABELLED).all()
    assert batch["soft"].sum(1).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    assert module(tiny_bert).training_step(batch, 0) > 0
    whole = data(factify_folder, tiny_bert, soft_labels={"train.csv": str(tmp_path / "v.parquet")})
    with pytest.raises(InputError, match="3 verdicts for"):
        whole.rows("train.csv")
    rows[1]["id"], rows[0]["id"], rows[2]["id"] = "a", "b", "c"
    claims.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    other = data(tmp_path, tiny_bert, train="claims.jsonl", soft_labels={"claims.jsonl": "v.parquet"})
    with pytest.raises(InputError, match="row 0: id '0' where the training file has 'b'"):
        other.rows("claims.jsonl")
    with pytest.raises(InputError, match="soft_labels names"):
        data(tmp_path, tiny_bert, train="claims.jsonl", soft_labels={"claim.jsonl": "v.parquet"})


@pytest.mark.slow
def test_frozen_text_layers_stay_as_they_are(tiny_bert, factify_folder, tmp_path):
    model = module(tiny_bert, text_learning_rate=1e-2, frozen_text_layers=1)
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    trainer(tmp_path, max_steps=2, enable_checkpointing=False).fit(model, data(factify_folder, tiny_bert))
    changed = {name for name, value in model.model.state_dict().items() if not torch.equal(value, before[name])}
    assert not {name for name in changed if "text.embeddings" in name or ".layer.0." in name or "match" in name}
    assert {name for name in changed if ".layer.1." in name}
    depth = model.model.text.config.num_hidden_layers
    with pytest.raises(InputError, match=f"frozen_text_layers is {depth + 1}; it must lie in 0 … {depth}"):
        module(tiny_bert, frozen_text_layers=depth + 1)


def test_unknown_sources_and_folders_are_named(tiny_bert, factify_folder, tmp_path):
    source = data(factify_folder, tiny_bert, source_weights={"nowhere": 0.5})
    with pytest.raises(InputError, match="nowhere"):
        trainer(tmp_path, max_steps=1, enable_checkpointing=False).fit(module(tiny_bert), source)
    with pytest.raises(InputError, match="no folder"):
        VerdictDataModule(str(tmp_path / "gone"))


def overrides(text_model, folder, out):
    return [
        *(
            "--model.text_model",
            str(text_model),
            "--model.image_encoder",
            "twins_svt_tiny",
            "--model.image_weights",
            "null",
        ),
        *(
            "--model.fusion_dim",
            "32",
            "--model.fusion_heads",
            "2",
            "--model.max_length",
            "64",
            "--model.max_claim_tokens",
            "24",
        ),
        *(
            "--data.root",
            str(folder),
            "--data.retrieval_encoder",
            str(text_model),
            "--trainer.default_root_dir",
            str(out),
        ),
        *("--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.strategy", "auto"),
        *("--trainer.logger", "false", "--trainer.callbacks", "null", "--trainer.enable_progress_bar", "false"),
    ]


@pytest.mark.slow
def test_the_factify2_configuration_with_tiny_models_of_the_same_classes(tiny_deberta, factify_folder, tmp_path):
    arguments = ["fit", "--config", str(CONFIGS / "factify2.yaml"), *overrides(tiny_deberta, factify_folder, tmp_path)]
    arguments += ["--model.freeze_embeddings", "false", "--data.num_workers", "0", "--trainer.max_steps", "2"]
    assert main([*arguments, "--trainer.limit_val_batches", "1"]) == 0
    checkpoint = next(tmp_path.rglob("*.ckpt"))
    stored = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    assert stored["gradient_checkpointing"] is True
    assert stored["text_model"] == str(tiny_deberta)
    out = tmp_path / "model"
    assert main(["export", str(checkpoint), "--out", str(out), "--dtype", "float16"]) == 0
    verdicts = tmp_path / "v.parquet"
    assert main(["verify", str(factify_folder / "val.csv"), "--model", str(out), "--out", str(verdicts)]) == 0
    assert pq.read_table(verdicts)["status"].to_pylist() == ["ok"] * 10


@pytest.mark.slow
def test_fit_export_verify_evaluate_predict(tiny_bert, factify_folder, tmp_path):
    config = ["--config", str(CONFIGS / "flickr_factify.yaml"), *overrides(tiny_bert, factify_folder, tmp_path)]
    assert main(["fit", *config, "--model.init_from", "null", "--trainer.max_epochs", "1"]) == 0
    checkpoint = str(next(tmp_path.rglob("*.ckpt")))
    out = tmp_path / "model"
    claims = factify_folder / "val.csv"
    assert main(["export", checkpoint, "--out", str(out), "--calibrate-on", str(claims)]) == 0
    assert json.loads((out / "calibration.json").read_text())["label"] > 0
    verdicts = tmp_path / "v.parquet"
    arguments = ["verify", str(claims), "--model", str(out), "--out", str(verdicts)]
    assert main(arguments) == 0
    assert main(["evaluate", str(verdicts), "--truth", str(claims)]) == 0

    # A flag beats what the checkpoint holds; what no flag names comes from the checkpoint.
    predicted = tmp_path / "p.parquet"
    run = [
        "predict",
        "--ckpt_path",
        checkpoint,
        *config,
        "--data.predict",
        str(claims),
        "--data.predict_out",
        str(predicted),
    ]
    assert main(run) == 0
    a, b = pq.read_table(verdicts).to_pylist(), pq.read_table(predicted).to_pylist()
    assert [row["id"] for row in a] == [row["id"] for row in b]
    for x, y in zip(a, b, strict=True):
        assert x["image_similarity"] == pytest.approx(y["image_similarity"], abs=1e-5)
        assert [e["text"] for e in x["evidence"]] == [e["text"] for e in y["evidence"]]
    assert main([*run, "--data.top_k", "1"]) == 0, "a second run in the same folder must not fail"
    assert {len(row["evidence"]) for row in pq.read_table(predicted).to_pylist()} == {1}


@pytest.mark.slow
def test_two_processes_predict_every_row_once_and_in_order(tiny_bert, tiny_model, factify_folder, tmp_path):
    claims = tmp_path / "many.csv"
    lines = (factify_folder / "val.csv").read_text("utf-8").splitlines()
    rows = [line.split("\t", 1)[1] for line in lines[1:]] * 60
    claims.write_text("\n".join([lines[0], *(f"{i}\t{row}" for i, row in enumerate(rows))]) + "\n", "utf-8")
    out = tmp_path / "p.parquet"
    config = overrides(tiny_bert, factify_folder, tmp_path)
    arguments = ["--config", str(CONFIGS / "flickr_factify.yaml"), *config, "--model.token_relations", "null"]
    arguments += [
        "--model.init_from",
        str(tiny_model),
        "--trainer.devices",
        "2",
        "--trainer.strategy",
        "ddp",
        "--data.image_root",
        str(factify_folder),
    ]
    arguments += ["--data.predict", str(claims), "--data.predict_out", str(out)]
    subprocess.run([sys.executable, "-m", "factcheck", "predict", *arguments], check=True, timeout=280, cwd=tmp_path)
    assert pq.read_table(out)["id"].to_pylist() == [str(i) for i in range(len(rows))]


@pytest.mark.slow
def test_a_flag_beats_the_checkpoint(tiny_bert, factify_folder, tmp_path):
    from factcheck.commands.lightning import FactcheckCLI

    config = ["--config", str(CONFIGS / "flickr_factify.yaml"), *overrides(tiny_bert, factify_folder, tmp_path)]
    fit = ["fit", *config, "--model.init_from", "null", "--trainer.max_steps", "1", "--model.dropout", "0.25"]
    assert main([*fit, "--trainer.limit_val_batches", "0"]) == 0
    checkpoint = str(next(tmp_path.rglob("*.ckpt")))
    seen = {}

    class Spy(FactcheckCLI):
        def _run_subcommand(self, subcommand):
            seen.update(self.model.hparams)

    for flag, expected in (([], 0.25), (["--model.dropout", "0.5"], 0.5)):
        arguments = ["validate", *config, "--ckpt_path", checkpoint, *flag]
        FactcheckCLI._arguments = arguments
        options = {"subclass_mode_model": True, "subclass_mode_data": True, "save_config_kwargs": {"overwrite": True}}
        Spy(pl.LightningModule, pl.LightningDataModule, args=arguments, **options)
        assert seen["dropout"] == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.yaml")))
def test_every_configuration_parses(name, tmp_path, monkeypatch, capsys):
    """Unknown keys fail, so a configuration that parses names only what exists."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:  # as the parser ends what prints and does no more
        main(["fit", "--config", str(CONFIGS / name), "--print_config"])
    printed, said = capsys.readouterr()
    assert ended.value.code in (None, 0), said[-2000:]
    assert "class_path" in printed


@pytest.mark.slow
def test_an_unknown_key_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (CONFIGS / "quickstart.yaml").read_text("utf-8").replace("learning_rate: 1.0e-4", "learning_rat: 1.0e-4")
    Path("bad.yaml").write_text(text, "utf-8")
    assert main(["fit", "--config", "bad.yaml"]) == 2
    assert "learning_rat" in capsys.readouterr().err
