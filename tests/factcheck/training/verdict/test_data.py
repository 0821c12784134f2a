"""Training data: which rows come into a batch, and what happens to them on the way."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from training_parts import data, module, trainer

from factcheck.cli import main
from factcheck.data import ClaimsFormat
from factcheck.errors import InputError
from factcheck.labels import FACTIFY_LABELS, STANCES
from factcheck.training.verdict.data import VerdictDataModule
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.rows import Reading, read_training_rows


def loader_of(tiny_bert, source, folder):
    run = trainer(folder, max_epochs=1)
    run.strategy.connect(module(tiny_bert))
    run._data_connector.attach_data(run.lightning_module, datamodule=source)
    source.trainer = run
    return source.train_dataloader().loader


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
    with pytest.raises(InputError, match="`contrasts` names"):
        loader_of(
            tiny_bert, data(tmp_path, tiny_bert, train=files, val="f/val.csv", contrasts={"nowhere": 0.5}), tmp_path
        )
    with pytest.raises(InputError, match=r"`contrasts.made` is 1, expected a number in \[0, 1\)"):
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

    student = module(tiny_bert, soft_label_weight=1.0, learning_rate=1e-3, text_learning_rate=1e-3)
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
    with pytest.raises(InputError, match="`soft_labels` names"):
        data(tmp_path, tiny_bert, train="claims.jsonl", soft_labels={"claim.jsonl": "v.parquet"})


def test_unknown_sources_and_folders_are_named(tiny_bert, factify_folder, tmp_path):
    source = data(factify_folder, tiny_bert, source_weights={"nowhere": 0.5})
    with pytest.raises(InputError, match="nowhere"):
        trainer(tmp_path, max_steps=1, enable_checkpointing=False).fit(module(tiny_bert), source)
    with pytest.raises(InputError, match="not a folder"):
        VerdictDataModule(str(tmp_path / "gone"))


ODD = '11\ta mixture\tA dog "runs\tA dog runs.\n12\tfalse\tA "cat" eats\tNo cat eats.\n13\ttrue\tA boy" sits\tA boy sits.\n'


def test_files_are_read_as_their_options_say(tiny_bert, tmp_path):
    """No header, letters for quotation marks, a label of its own, another ending: as ``verify`` reads them with the same options."""
    (tmp_path / "odd.dat").write_text(ODD, "utf-8")
    columns = {"id": "1", "label": "2", "claim": "3", "document": "4"}
    reading = Reading(
        format="tsv", quoting="none", header="none", delimiter="tab", labels={"a mixture": "insufficient"}
    )
    source = data(tmp_path, tiny_bert, train="odd.dat", val="odd.dat", columns=columns, reading=reading)
    rows = source.rows("odd.dat")
    assert [(row.id, STANCES[row.stance].value, row.text.claim) for row in rows] == [
        ("11", "insufficient", 'A dog "runs'),
        ("12", "refute", 'A "cat" eats'),
        ("13", "support", 'A boy" sits'),
    ]
    with pytest.raises(InputError, match="'a mixture'"):
        data(tmp_path, tiny_bert, train="odd.dat", columns=columns, reading=replace(reading, labels={})).rows("odd.dat")


def test_pairs_with_labels_as_their_makers_call_them(tmp_path):
    named = {"entailment": "support", "neutral": "insufficient", "CONTRADICTION": "refute", "unsure": "insufficient"}
    rows = [{"premise": "It rains.", "hypothesis": "It is wet.", "label": label} for label in named]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = read_training_rows(tmp_path / "p.jsonl", columns=ClaimsFormat(labels={"unsure": "insufficient"}))
    assert [STANCES[row.stance].value for row in found] == list(named.values())
    with pytest.raises(InputError, match=r"line 4, .label.: expected one of support, .* found .unsure."):
        read_training_rows(tmp_path / "p.jsonl")


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.ndjson", "PAIRS.JSONL", "pairs.json"])
def test_pairs_with_a_byte_order_mark_and_a_blank_line_under_any_name(tmp_path, name):
    pair = json.dumps({"premise": "It rains.", "hypothesis": "It is wet.", "label": "support"})
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf\n" + pair.encode() + b"\r\n\n" + pair.encode())
    assert [row.text.claim for row in read_training_rows(tmp_path / name)] == ["It is wet."] * 2
