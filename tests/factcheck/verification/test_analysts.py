"""What an analyst holds goes in, and comes back as tables, dictionaries and cards."""

import json
import shutil

import pandas as pd
import pyarrow as pa
import pytest

from factcheck import Claim, FactifyLabel, InputError, Stance, Verifier, image_similarity
from factcheck.card import verdict_card
from factcheck.data.memory import as_table
from factcheck.evaluation.scoring import score
from factcheck.labels import ImageRelation
from factcheck.models.folder import bundled_image_encoder
from factcheck.records import Evidence, Verdict
from factcheck.sample import sample_folder
from factcheck.verification.single import any_claims

ROWS = [
    {"id": "a", "claim": "The tram is green.", "document": "The tram is red. It is new.", "label": "Refute"},
    {"id": "b", "claim": "It is new.", "document": "The tram is red. It is new.", "label": "Support"},
]


def frames():
    import datasets
    import polars

    arrow = pa.Table.from_pylist(ROWS)
    return {
        "dicts": ROWS,
        "claims": [
            Claim(**{**row, "label": FactifyLabel.REFUTE if row["id"] == "a" else Stance.SUPPORT}) for row in ROWS
        ],
        "pyarrow": arrow,
        "reader": arrow.to_reader(),
        "pandas": pd.DataFrame(ROWS),
        "polars": polars.DataFrame(ROWS),
        "lazy polars": polars.LazyFrame(ROWS),
        "datasets": datasets.Dataset.from_list(ROWS),
    }


@pytest.fixture(scope="module")
def verifier():
    return Verifier.load("bundled", attribution=False)


@pytest.mark.parametrize(
    "kind", ["dicts", "claims", "pyarrow", "reader", "pandas", "polars", "lazy polars", "datasets"]
)
def test_every_kind_of_table_is_the_same_claims(kind):
    pytest.importorskip("polars", reason="polars is not installed")
    found = any_claims(frames()[kind], "table", labels=True)
    expected = any_claims(pa.Table.from_pylist(ROWS), "table")
    assert (
        found.select(["id", "claim", "document"]).to_pylist()
        == expected.select(["id", "claim", "document"]).to_pylist()
    )


def test_verdicts_of_frames_and_claims_are_scored_in_memory(verifier):
    frame = pd.DataFrame(ROWS)
    table = verifier.verify_batch(frame)
    assert table.to_pandas()["id"].tolist() == ["a", "b"]
    expected = score(table, frame).to_dict()
    claims = frames()["claims"]
    assert score(verifier.verify_batch(claims), claims).to_dict() == expected
    assert score(table.to_pandas(), frame).to_dict() == expected, "verdicts that went through pandas"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (Claim(claim="x"), "`table` is one Claim, expected several; give a list of them"),
        ("claims.csv", "`table` is str, expected a table of claims; give a pyarrow table"),
        ({"claim": ["x"]}, "`table` is dict, expected a table of claims"),
        ([1, 2], "`table` is a list of int, expected"),
        ([{"claim": "x"}, {"claim": 3}], "`table`: a column cannot be read"),
        (pd.DataFrame({"wrong": ["x"]}), "no column 'claim'; found columns 'wrong'"),
    ],
)
def test_what_is_no_table_of_claims_is_named(rows, message):
    with pytest.raises(InputError, match=message):
        any_claims(rows, "table")


def test_no_rows_are_no_mistake():
    assert any_claims([], "table").num_rows == 0
    assert as_table(pd.DataFrame({"claim": []})).num_rows == 0


def test_images_of_a_data_set_stay_files():
    import datasets

    photo = next((sample_folder() / "images").glob("*.jpg"))
    rows = datasets.Dataset.from_dict({"claim": ["x"], "image": [str(photo)]}).cast_column("image", datasets.Image())
    cell = as_table(rows)["image"].to_pylist()[0]
    assert (cell["bytes"] or photo.read_bytes()) == photo.read_bytes()


def verdict(**changes):
    evidence = Evidence(
        document_id="d", sentence=0, start=0, end=9, text="<b>bold</b> & red", score=0.5, attribution=0.25
    )
    fields = {
        **{"id": "a", "label": "Refute", "stance": Stance.REFUTE, "image_relation": None, "confidence": 0.75},
        **{"abstained": True, "probabilities": None, "image_similarity": None, "evidence": (evidence,), "status": "ok"},
        **{
            "stance_probabilities": {"support": 0.05, "insufficient": 0.2, "refute": 0.75},
            "reason": None,
            "model": "m",
        },
    }
    return Verdict(**fields | changes)


def test_a_verdict_is_a_plain_dictionary():
    found = verdict(confidence=float("nan")).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["stance"], found["confidence"], found["evidence"][0]["text"]) == ("refute", None, "<b>bold</b> & red")
    assert type(found["stance"]) is str


def test_the_card_names_the_photos_only_where_the_label_does():
    photos = {"image_relation": ImageRelation.AGREE, "image_similarity": 0.35}
    refuted = verdict_card(verdict(**photos))
    assert "same photo" not in refuted
    assert "photo similarity 0.35" in refuted
    supported = verdict(label="Support_Multimodal", stance=Stance.SUPPORT, **photos)
    assert "Supported, same photo" in verdict_card(supported)


def test_the_card_shows_the_verdict_and_escapes_the_rest():
    card = verdict()._repr_html_()
    assert "Refuted" in card
    assert "confidence 0.75 · withheld" in card
    assert "75.0%" in card
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; red" in card
    assert "<b>" not in card
    assert "Could not be verified" in verdict_card(
        verdict(
            status="error",
            stance=None,
            label=None,
            confidence=None,
            stance_probabilities=None,
            evidence=(),
            reason="claim: empty",
        )
    )


def test_a_verifier_says_what_it_is(verifier):
    said = repr(verifier)
    assert said.startswith(f"Verifier(model {verifier.fingerprint}: ")
    assert f"top {verifier.options.top_k} sentences by {verifier.options.retrieval_method}" in said


def test_an_image_encoder_whose_files_changed_is_loaded_again(tmp_path):
    first, second = sorted((sample_folder() / "images").glob("*.jpg"))[:2]
    folder = shutil.copytree(bundled_image_encoder(), tmp_path / "encoder")
    before = image_similarity(first, second, model=folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "mean": [0.1, 0.9, 0.1], "fingerprint": None}))
    assert abs(image_similarity(first, second, model=folder) - before) > 1e-3


def test_similarity_of_two_images(tmp_path):
    from PIL import Image

    photos = sorted((sample_folder() / "images").glob("*.jpg"))
    first, other = photos[0], photos[1]
    with Image.open(first) as image:
        cropped = image.crop((8, 8, image.width - 4, image.height - 4))
    assert image_similarity(first, first.read_bytes()) == pytest.approx(1, abs=1e-5)
    assert image_similarity(first, cropped) > 0.6
    assert image_similarity(first, cropped) > image_similarity(first, other)
    with pytest.raises(InputError, match=r"`second` 'gone.jpg': no such file"):
        image_similarity(first, "gone.jpg")
    with pytest.raises(InputError, match="`first` is int, expected an image"):
        image_similarity(3, first)
