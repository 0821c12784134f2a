"""What is wrong with training files is said before training starts, and names what there is to do."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from training_parts import data, module, trainer

from factcheck.errors import InputError
from factcheck.training.verdict.checks import check_images
from factcheck.training.verdict.rows import read_training_rows


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
        InputError, match=r"train\.csv: none of its photos is in '.*none', the first is 'images/.*`image_root`"
    ):
        fit(tiny_bert, factify_folder, tmp_path, image_root=str(tmp_path / "none"))


def test_a_model_without_photos_asks_for_none(tiny_bert, factify_folder, tmp_path):
    run = fit(tiny_bert, factify_folder, tmp_path, image_encoder=None, image_root=str(tmp_path))
    assert run.global_step == 1


def test_missing_photos_are_counted(factify_folder, caplog):
    path = factify_folder / "train.csv"
    rows = read_training_rows(path)
    check_images(path, rows, factify_folder)
    check_images(path, [replace(rows[0], claim_image="images/gone.jpg"), *rows[1:]], factify_folder)  # 1 of 40
    assert caplog.messages == []
    gone = [replace(row, claim_image="images/gone.jpg") for row in rows[:5]]
    check_images(path, [*gone, *rows[5:]], factify_folder)
    assert len(caplog.messages) == 1
    assert f"{path}: 5 of 40 photos looked for are not in {str(factify_folder)!r}" in caplog.messages[0]
    check_images(path, [*gone, *rows[5:]] * 500, factify_folder)  # of 10,000 rows, every fifth
    assert "of 4000 photos" in caplog.messages[1]


def test_photos_never_fetched_are_a_warning(factify_folder, caplog):
    path = factify_folder / "train.csv"
    url = {"claim_image": "https://a.org/1.jpg", "document_image": "//a.org/2.jpg"}
    rows = [replace(row, **url) for row in read_training_rows(path)]
    check_images(path, rows, factify_folder)
    assert caplog.messages == [
        f"{path}: its photos are URLs, which must be fetched first; training goes on with the text alone"
    ]
    with pytest.raises(InputError, match=r"none of its photos is in '.*', the first is 'gone\.jpg'"):
        check_images(path, [replace(rows[0], claim_image="gone.jpg"), *rows[1:]], factify_folder)


def test_photos_outside_the_folder_are_not_there(factify_folder, tmp_path):
    """Training reads them no more than verification does, so that they must not count as found."""
    rows = read_training_rows(factify_folder / "train.csv")
    outside = [replace(row, claim_image=str(factify_folder / row.claim_image), document_image=None) for row in rows]
    (tmp_path / "none").mkdir()
    check_images(factify_folder / "train.csv", outside, factify_folder)
    with pytest.raises(InputError, match="none of its photos is in"):
        check_images(factify_folder / "train.csv", outside, tmp_path / "none")


def test_photos_in_the_table_are_there(factify_folder):
    row = replace(read_training_rows(factify_folder / "train.csv")[0], claim_image=b"x", document_image=None)
    check_images(factify_folder / "train.parquet", [row], factify_folder)


def test_a_figure_that_is_never_measured_is_not_monitored(tiny_bert, factify_folder, tmp_path):
    write_rows(tmp_path / "val.jsonl", [{"claim": "a dog", "document": ["a dog runs"], "label": "support"}] * 4)
    watching = [best(tmp_path), EarlyStopping("val/weighted_f1", mode="max")]
    # Absolute names beat the root: training has photos, validation has none.
    with pytest.raises(InputError) as caught:
        fit(tiny_bert, factify_folder, tmp_path, watching, val=[str(tmp_path / "val.jsonl")])
    said = str(caught.value)
    assert "EarlyStopping and ModelCheckpoint would monitor val/weighted_f1, which is never measured" in said
    assert "no validation row has such a label and both photos; monitor one of val/stance_accuracy, val/loss (" in said
    with pytest.raises(InputError, match="never measured: the model reads no photos"):
        fit(tiny_bert, factify_folder, tmp_path, [best(tmp_path)], image_encoder=None)


def test_a_mistyped_figure_is_told_before_training(tiny_bert, factify_folder, tmp_path):
    mistyped = ModelCheckpoint(dirpath=tmp_path, monitor="val/wheighted_f1")
    figures = "val/weighted_f1, val/stance_accuracy, val/loss, val/image_accuracy"
    with pytest.raises(InputError, match=f"it is none of those measured; monitor one of {figures} \\("):
        fit(tiny_bert, factify_folder, tmp_path, [mistyped])
    run = trainer(tmp_path, max_steps=1, limit_val_batches=0, callbacks=[best(tmp_path)])
    with pytest.raises(InputError, match="never measured: there is no validation"):
        run.fit(module(tiny_bert), data(factify_folder, tiny_bert))


def test_a_figure_that_is_measured_may_be_monitored(tiny_bert, factify_folder, tmp_path):
    fit(tiny_bert, factify_folder, tmp_path, [best(tmp_path / "run")])
    assert list((tmp_path / "run").glob("*.ckpt"))


def test_sentence_pairs_in_a_table_are_told_where_to_go(tiny_bert, tmp_path):
    (tmp_path / "pairs.csv").write_text("premise,hypothesis,label\na dog,a cat,refute\n", "utf-8")
    with pytest.raises(
        InputError, match=r"pairs\.csv: no column 'claim'; .*JSON Lines alone.*ends in \.jsonl"
    ) as caught:
        data(tmp_path, tiny_bert, train="pairs.csv").rows("pairs.csv")
    assert "claim=" not in str(caught.value)


def test_columns_and_bad_rows_are_told_in_the_words_of_training(tiny_bert, tmp_path):
    for name, header, label in (("columns.csv", "text", "Refute"), ("label.csv", "claim", "Refte")):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as sink:
            csv.writer(sink).writerows([[header, "document", "label"], ["a dog", "a cat", label]])
    source = data(tmp_path, tiny_bert, train="columns.csv")
    with pytest.raises(InputError, match=r"name the column with `columns`, as in \{claim: text\}$"):
        source.rows("columns.csv")
    with pytest.raises(InputError, match=r"correct the row or leave it out: training takes no bad rows$"):
        source.rows("label.csv")


def test_photos_of_the_sample_are_all_there(caplog):
    folder = Path(__file__).resolve().parents[4] / "data" / "sample"
    for name in ("train.csv", "val.csv"):
        check_images(folder / name, read_training_rows(folder / name), folder)
    assert caplog.messages == []
