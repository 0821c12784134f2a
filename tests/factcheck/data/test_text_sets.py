import json
import os
from pathlib import Path

import pytest

from factcheck.data import open_claims, read_claims_text, read_entailment
from factcheck.errors import InputError

DATA = Path(os.environ.get("FACTCHECK_DATA") or Path(__file__).parents[4] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "claims-text").is_dir(), reason="the development data is not here; set FACTCHECK_DATA to its folder"
)

PAIR = {"source": "s", "premise": "It rains.", "hypothesis": "It is wet.", "label": "support"}
CLAIM = {"id": 3, "source": "s", "claim": "c", "document": ["x", "y"], "evidence": [1], "label": "refute"}


def written(tmp_path, *rows):
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_entailment(tmp_path):
    rows = list(read_entailment(written(tmp_path, PAIR, PAIR | {"label": "not_support", "source": None})))
    assert rows == [
        {"claim": "It is wet.", "document": ["It rains."], "label": "support", "source": "s"},
        {"claim": "It is wet.", "document": ["It rains."], "label": "not_support", "source": "set"},
    ]


def test_claims_text(tmp_path):
    first, second = read_claims_text(written(tmp_path, CLAIM, {k: CLAIM[k] for k in ("claim", "document", "label")}))
    assert first == CLAIM | {"id": "3", "language": None, "p": None}
    assert (second["id"], second["evidence"], second["source"]) == ("2", None, "set")


def test_claims_with_half_a_label_or_with_anothers_probabilities(tmp_path):
    taught = {k: CLAIM[k] for k in ("claim", "document")} | {"p": [0.2, 0.5, 0.3], "language": "en"}
    half, soft = read_claims_text(written(tmp_path, CLAIM | {"label": "not_support"}, taught))
    assert half["label"] == "not_support"
    assert (soft["label"], soft["p"], soft["language"]) == (None, (0.2, 0.5, 0.3), "en")


@pytest.mark.parametrize(
    ("read", "row", "message"),
    [
        (read_entailment, PAIR | {"premise": ""}, "line 1, 'premise': expected text, found ''"),
        (read_entailment, {"premise": "x"}, "line 1, 'hypothesis': expected text, found nothing"),
        (
            read_entailment,
            PAIR | {"label": "maybe"},
            "line 1, 'label': expected one of support, insufficient, refute, not_support",
        ),
        (
            read_claims_text,
            CLAIM | {"label": "maybe"},
            "line 1, 'label': expected one of support, insufficient, refute, not_support, found",
        ),
        (read_claims_text, CLAIM | {"p": [0.5, 0.5]}, "line 1, 'p': expected 3 probabilities that add up to 1"),
        (read_claims_text, CLAIM | {"p": [0.5, 0.4, 0.4]}, "line 1, 'p': expected 3 probabilities that add up to 1"),
        (read_claims_text, CLAIM | {"evidence": [2]}, "line 1, 'evidence': expected null or indexes below 2"),
        (read_claims_text, CLAIM | {"evidence": "1"}, "line 1, 'evidence': expected null or indexes"),
        (read_claims_text, CLAIM | {"document": "x"}, "line 1, 'document': expected a list of sentences"),
        (read_claims_text, "x", "line 1: expected a JSON object, found str"),
    ],
)
def test_bad_rows(tmp_path, read, row, message):
    with pytest.raises(InputError, match=message):
        list(read(written(tmp_path, row)))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        next(read_entailment(tmp_path / "none.jsonl"))


@needs_data
@pytest.mark.parametrize(
    ("name", "read", "count"), [("claims-text", read_claims_text, 2078), ("entailment", read_entailment, 1782)]
)
def test_development_sets(name, read, count):
    rows = list(read(DATA / name / "val.jsonl"))
    assert len(rows) == count
    assert {"support", "insufficient", "refute"} <= {row["label"] for row in rows}
    assert len({row["source"] for row in rows}) > 4


@needs_data
def test_both_readers_agree_on_claims_text():
    path = DATA / "claims-text" / "val.jsonl"
    rows = [row for table in open_claims(path).batches() for row in table.to_pylist()]
    for row, expected in zip(rows, read_claims_text(path), strict=True):
        assert (row["id"], row["claim"], row["label"].lower()) == (expected["id"], expected["claim"], expected["label"])
        spans = row["document_spans"]
        assert [row["document"][s["start"] : s["end"]] for s in spans] == expected["document"]


@needs_data
def test_factify_layout_of_the_development_set():
    source = open_claims(DATA / "flickr-factify" / "val.csv")
    rows = [row for table in source.batches() for row in table.to_pylist()]
    assert len(rows) == source.count() == 500
    assert {row["label"] for row in rows} == {
        "Support_Multimodal",
        "Support_Text",
        "Insufficient_Multimodal",
        "Insufficient_Text",
        "Refute",
    }
    assert all((source.path.parent / row["claim_image"]["path"]).is_file() for row in rows)
