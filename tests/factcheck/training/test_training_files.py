"""What is wrong with training files is said before training starts, in the words of ``factcheck fit``."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from training_parts import data, module, trainer

from factcheck.errors import InputError
from factcheck.training.files import check_photos, training_messages
from factcheck.training.verdict.rows import read_training_rows


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path / "cache"))


def fit(tiny_bert, folder, tmp_path, callbacks=(), image_encoder="twins_svt_tiny", **options):
    run = trainer(tmp_path, max_steps=1, num_sanity_val_steps=0, val_check_interval=1, callbacks=list(callbacks))
    run.fit(module(tiny_bert, image_encoder=image_encoder), data(folder, tiny_bert, **options))
    return run


def best(folder):
    return ModelCheckpoint(dirpath=folder, monitor="val/weighted_f1", mode="max")


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def test_a_mistyped_folder_of_photos_is_refused(tiny_bert, factify_folder, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(
        InputError, match=r"train\.csv: none of its photos is in '.*none', the first is 'images/.*--data\.image_root"
    ):
        fit(tiny_bert, factify_folder, tmp_path, image_root=str(tmp_path / "none"))


def test_a_model_without_photos_asks_for_none(tiny_bert, factify_folder, tmp_path):
    run = fit(tiny_bert, factify_folder, tmp_path, image_encoder=None, image_root=str(tmp_path))
    assert run.global_step == 1


def test_missing_photos_are_counted(factify_folder, capsys):
    path = factify_folder / "train.csv"
    rows = read_training_rows(path)
    check_photos(path, rows, factify_folder)
    check_photos(path, [replace(rows[0], claim_image="images/gone.jpg"), *rows[1:]], factify_folder)  # 1 of 40
    assert capsys.readouterr().err == ""
    gone = [replace(row, claim_image="images/gone.jpg") for row in rows[:5]]
    check_photos(path, [*gone, *rows[5:]], factify_folder)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"warning: {path}: 5 of 40 photos looked for are not in {str(factify_folder)!r}" in said
    check_photos(path, [*gone, *rows[5:]] * 500, factify_folder)  # of 10,000 rows, every fifth
    assert "of 4000 photos" in capsys.readouterr().err


def test_photos_never_fetched_are_a_warning(factify_folder, capsys):
    path = factify_folder / "train.csv"
    url = {"claim_image": "https://a.org/1.jpg", "document_image": "//a.org/2.jpg"}
    rows = [replace(row, **url) for row in read_training_rows(path)]
    check_photos(path, rows, factify_folder)
    assert capsys.readouterr().err == (
        f"factcheck: warning: {path}: its photos are URLs, which must be fetched first; training goes on with the text alone\n"
    )
    with pytest.raises(InputError, match=r"none of its photos is in '.*', the first is 'gone\.jpg'"):
        check_photos(path, [replace(rows[0], claim_image="gone.jpg"), *rows[1:]], factify_folder)


def test_photos_outside_the_folder_are_not_there(factify_folder, tmp_path):
    """Training reads them no more than verification does, so that they must not count as found."""
    rows = read_training_rows(factify_folder / "train.csv")
    outside = [replace(row, claim_image=str(factify_folder / row.claim_image), document_image=None) for row in rows]
    (tmp_path / "none").mkdir()
    check_photos(factify_folder / "train.csv", outside, factify_folder)
    with pytest.raises(InputError, match="none of its photos is in"):
        check_photos(factify_folder / "train.csv", outside, tmp_path / "none")


def test_photos_in_the_table_are_there(factify_folder):
    row = replace(read_training_rows(factify_folder / "train.csv")[0], claim_image=b"x", document_image=None)
    check_photos(factify_folder / "train.parquet", [row], factify_folder)


def test_a_figure_that_is_never_measured_is_not_monitored(tiny_bert, factify_folder, tmp_path):
    write_rows(tmp_path / "val.jsonl", [{"claim": "a dog", "document": ["a dog runs"], "label": "support"}] * 4)
    watching = [best(tmp_path), EarlyStopping("val/weighted_f1", mode="max")]
    # Absolute names beat the root: training has photos, validation has none.
    with pytest.raises(InputError) as caught:
        fit(tiny_bert, factify_folder, tmp_path, watching, val=[str(tmp_path / "val.jsonl")])
    said = str(caught.value)
    assert "no validation row has a five-class label and both photos, so val/weighted_f1" in said
    assert "which EarlyStopping and ModelCheckpoint would monitor" in said
    assert "--trainer.callbacks.monitor val/stance_accuracy" in said
    with pytest.raises(InputError, match="the model reads no photos, so val/weighted_f1"):
        fit(tiny_bert, factify_folder, tmp_path, [best(tmp_path)], image_encoder=None)


def test_a_figure_that_is_measured_may_be_monitored(tiny_bert, factify_folder, tmp_path):
    fit(tiny_bert, factify_folder, tmp_path, [best(tmp_path / "run")])
    assert list((tmp_path / "run").glob("*.ckpt"))


def test_sentence_pairs_in_a_table_are_told_where_to_go(tiny_bert, tmp_path):
    (tmp_path / "pairs.csv").write_text("premise,hypothesis,label\na dog,a cat,refute\n", "utf-8")
    with pytest.raises(
        InputError, match=r"pairs\.csv: no column 'claim'; .*JSON Lines alone.*ends in \.jsonl"
    ) as caught:
        data(tmp_path, tiny_bert, train="pairs.csv").rows("pairs.csv")
    assert "--columns" not in str(caught.value)


def test_columns_and_bad_rows_are_told_in_the_words_of_fit(tiny_bert, tmp_path):
    for name, header, label in (("columns.csv", "text", "Refute"), ("label.csv", "claim", "Refte")):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as sink:
            csv.writer(sink).writerows([[header, "document", "label"], ["a dog", "a cat", label]])
    source = data(tmp_path, tiny_bert, train="columns.csv")
    with pytest.raises(InputError, match=r"\(--data\.columns '\{claim: text\}'; in Python columns="):
        source.rows("columns.csv")
    with pytest.raises(InputError, match=r"correct the row or leave it out: training takes no bad rows$"):
        source.rows("label.csv")


def test_either_wording_of_the_columns_hint_is_put_in_the_words_of_fit():
    with pytest.raises(InputError) as caught, training_messages():
        raise InputError("x (--columns claim=text; in Python open_claims or normalize_claims with columns=…)")
    assert str(caught.value) == "x (--data.columns '{claim: text}'; in Python columns={'claim': 'text'})"


def test_photos_of_the_sample_are_all_there(capsys):
    folder = Path(__file__).resolve().parents[3] / "data" / "sample"
    for name in ("train.csv", "val.csv"):
        check_photos(folder / name, read_training_rows(folder / name), folder)
    assert capsys.readouterr().err == ""
