"""What a cell of images may hold: one, a list, a word for none; and names of files in either Unicode form."""

import unicodedata

import pyarrow as pa
import pytest

from factcheck.data import load_images, normalize_claims, open_claims


def cell(value):
    """The canonical cell, status and reasons of a row whose claim has the image ``value``."""
    (row,) = normalize_claims(pa.table({"claim": ["A dog runs."], "claim_image": [value]})).to_pylist()
    return row["claim_image"], row["status"], row["reasons"]


@pytest.mark.parametrize("word", ["None", "nan", "N/A", " null ", "-", "", [], [None], ["None"], "[]"])
def test_words_and_empty_lists_stand_for_no_image(word):
    assert cell(word) == (None, "ok", [])


@pytest.mark.parametrize("value", [["a.jpg"], '["a.jpg"]', "['a.jpg']", [None, "a.jpg"], "['nan', 'a.jpg']"])
def test_a_list_of_one_image_is_that_image(value):
    assert cell(value) == ({"bytes": None, "path": "a.jpg"}, "ok", [])


def test_of_several_images_the_first_that_is_not_an_address_is_taken_and_the_row_says_so():
    image, status, reasons = cell(["https://host/a.jpg", "b.jpg", "c.jpg"])
    assert image == {"bytes": None, "path": "b.jpg"}
    assert (status, reasons) == ("degraded", ["claim_image: one of 3 images is used"])


def test_a_list_raises_nothing_where_bad_rows_raise():
    table = pa.table({"claim": ["A dog runs."], "claim_image": [["a.jpg", "b.jpg"]]})
    assert normalize_claims(table, on_error="fail").column("status").to_pylist() == ["degraded"]


def test_words_in_structs_stand_for_no_image():
    images = pa.array([{"path": "N/A"}, {"path": "a.jpg"}])
    table = normalize_claims(pa.table({"claim": ["A dog runs.", "A cat sits."], "claim_image": images}))
    assert table.column("claim_image").to_pylist() == [None, {"bytes": None, "path": "a.jpg"}]


def test_a_cell_of_another_kind_costs_the_image_and_not_the_verdict():
    image, status, reasons = cell(7)
    assert (image, status) == (None, "degraded")
    assert "expected a path, bytes" in reasons[0]


def test_csv_and_jsonl_alike(tmp_path):
    (tmp_path / "c.csv").write_text("claim,claim_image\nA dog runs.,None\nA cat sits.,\"['x.jpg', 'y.jpg']\"\n")
    (tmp_path / "c.jsonl").write_text(
        '{"claim":"A dog runs.","claim_image":"None"}\n{"claim":"A cat sits.","claim_image":["x.jpg","y.jpg"]}\n'
    )
    tables = [next(open_claims(tmp_path / name, on_error="mark").batches(10)) for name in ("c.csv", "c.jsonl")]
    assert tables[0].equals(tables[1])
    assert tables[0].column("claim_image").to_pylist() == [None, {"bytes": None, "path": "x.jpg"}]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_is_found_whichever_way_its_name_is_composed(form, tmp_path, photo):
    stored = unicodedata.normalize(form, "café été.jpg")
    (tmp_path / stored).write_bytes(photo(1))
    named = unicodedata.normalize("NFD" if form == "NFC" else "NFC", stored)
    (row,) = load_images(pa.table({"claim": ["Coffee."], "claim_image": [named]}), tmp_path).to_pylist()
    assert (row["status"], row["claim_image"]["bytes"]) == ("ok", photo(1))
