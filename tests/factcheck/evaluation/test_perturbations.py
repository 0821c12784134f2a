"""What each perturbation does to a table, without a model."""

import pyarrow as pa
import pytest

from factcheck.data import document_sentences, normalize_claims
from factcheck.evaluation.robustness import LONG_DOCUMENT, PERTURBATIONS, perturb


@pytest.fixture(scope="module")
def table():
    rows = [
        {
            "claim": 'She said "no" twice.',
            "document": "It's cold. Dogs run. Cats sleep.",
            "claim_image": b"a",
            "document_image": b"b",
        },
        {"claim": "Boys eat.", "document": "Boys eat bread. Girls play.", "claim_image": None, "document_image": b"c"},
        {"claim": "Nothing.", "document": None, "claim_image": None, "document_image": None},
        {"claim": "", "document": "Left alone.", "claim_image": None, "document_image": None},
    ]
    return normalize_claims(pa.Table.from_pylist(rows))


def sentences(row):
    text = row["document"]
    return [] if text is None else [text[s.start : s.end] for s in document_sentences(text, row["document_spans"])]


def changed(table, name, seed=0):
    return perturb(table, PERTURBATIONS[name], seed=seed).to_pylist()


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_same_schema_and_rows_and_a_seed_fixes_everything(table, name):
    result = perturb(table, PERTURBATIONS[name], seed=3)
    assert result.schema.equals(table.schema)
    assert result["id"].equals(table["id"])
    assert result["label"].equals(table["label"])
    assert result.equals(perturb(table, PERTURBATIONS[name], seed=3))
    assert result.to_pylist()[3] == table.to_pylist()[3], "a row with an error is left as it is"


def test_sentences(table):
    before = [sentences(row) for row in table.to_pylist()]
    for row, old in zip(changed(table, "sentences reordered", seed=1), before, strict=True):
        assert sorted(sentences(row)) == sorted(old)
    assert [sentences(row) for row in changed(table, "sentences reordered", seed=1)] != before
    assert sentences(changed(table, "sentences repeated")[0]) == before[0] * 2
    mixed = sentences(changed(table, "irrelevant sentences added")[0])
    assert [text for text in mixed if text in before[0]] == before[0]
    assert {text for text in mixed if text not in before[0]} == {"Boys eat bread.", "Girls play.", "Left alone."}


def test_a_long_document(table):
    first, second, third, _ = changed(table, "long document")
    for row, old in ((first, table.to_pylist()[0]), (second, table.to_pylist()[1])):
        assert LONG_DOCUMENT <= len(row["document"]) < LONG_DOCUMENT + 100
        texts = sentences(row)
        assert len(set(texts)) == len(texts)
        assert [text for text in texts if text in sentences(old)] == sentences(old)
    assert third["document"] is None


def test_texts(table):
    upper = changed(table, "upper case")[0]
    assert (upper["claim"], upper["document"]) == ('SHE SAID "NO" TWICE.', "IT'S COLD. DOGS RUN. CATS SLEEP.")
    noisy = changed(table, "white space and punctuation")[0]
    assert noisy["claim"] != table["claim"][0].as_py()
    letters = [[c for c in text if c.isalpha()] for text in (noisy["claim"], table["claim"][0].as_py())]
    assert letters[0] == letters[1]
    assert len(sentences(noisy)) == 3
    assert changed(table, "empty document")[0]["document"] == ""
    assert changed(table, "claim as document")[1]["document"] == "Boys eat."


def test_photos(table):
    swapped, one, *_ = changed(table, "photos swapped")
    assert (swapped["claim_image"]["bytes"], swapped["document_image"]["bytes"]) == (b"b", b"a")
    assert (one["claim_image"]["bytes"], one["document_image"]) == (b"c", None)
    assert all(row["claim_image"] is row["document_image"] is None for row in changed(table, "photos dropped"))
