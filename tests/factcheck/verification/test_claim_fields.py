"""Natural mistakes in the fields of one claim and in the options of a verifier: what is said about them."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from factcheck import Claim, InputError, Verifier
from factcheck.verification.single import any_claims, claim_table


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


WRONG = [
    ({"claim": 5}, r"Claim, claim: expected text, found a number \(5\)"),
    ({"document": 5}, r"Claim, document: expected text or a list of sentences, found a number \(5\)"),
    ({"document": ["a", 3]}, r"Claim, document, sentence 1: expected text, found a number \(3\)"),
    ({"document": {"a": 1}}, r"Claim, document: expected text or a list of sentences, found an object"),
    ({"document": {"a"}}, r"Claim, document: expected text or a list of sentences, found set"),
    ({"document": b"a"}, r"Claim, document: expected text or a list of sentences, found bytes"),
    ({"document": (s for s in "ab")}, r"Claim, document: expected text or a list of sentences, found generator"),
    ({"claim_image": Path("a.jpg")}, r"Claim, claim_image: expected the bytes of a photo, found a path \('a\.jpg'\)"),
    ({"document_image": "a.jpg"}, r"document_image: .* read the file first: document_image=Path\(…\)\.read_bytes\(\)"),
    ({"claim_image": 5}, r"Claim, claim_image: expected the bytes of a photo .*, found a number"),
    ({"claim_ocr": ["a"]}, r"Claim, claim_ocr: expected text, found a list"),
    ({"id": 1.5}, r"Claim, id: expected text or a whole number, found a number \(1\.5\)"),
    ({"id": True}, r"Claim, id: expected text or a whole number, found true or false"),
    ({"date": 20240531}, r"Claim, date: expected a date such as '2024-05-31' or datetime\.date\(2024, 5, 31\), found"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_a_field_of_another_kind_is_named(verifier, fields, message):
    with pytest.raises(InputError, match=message):
        verifier.verify(Claim(**{"claim": "A dog runs", "document": "A dog runs."} | fields))


@pytest.mark.parametrize("number", [5, np.int64(5)])
def test_numbers_and_dates_are_taken(verifier, number):
    claim = Claim(claim="A dog runs", document="A dog runs.", id=number, date=datetime.date(2024, 5, 31))
    assert claim_table(claim)["date"].to_pylist() == ["2024-05-31"]
    verdict = verifier.verify(claim)
    assert (verdict.id, verdict.status) == ("5", "ok")


def test_sentences_may_come_in_any_ordered_container(photo):
    for document in (["a", "b c"], ("a", "b c"), np.array(["a", "b c"])):
        (row,) = claim_table(Claim(claim="x", document=document, claim_image=bytearray(photo(1)))).to_pylist()
        assert row["document"] == "a b c"
        assert row["document_spans"] == [{"start": 0, "end": 1}, {"start": 2, "end": 5}]
        assert row["claim_image"] == {"bytes": photo(1), "path": None}


def test_half_of_a_surrogate_pair_is_an_error_row_as_in_a_file(verifier):
    verdict = verifier.verify(Claim(claim="half \ud83d pair", document="A dog."))
    assert verdict.status == "error"
    assert verdict.reason == "claim: half of a surrogate pair at character 5 is not valid Unicode"


@pytest.mark.parametrize(
    "form", [list, iter, lambda rows: pd.DataFrame(rows, dtype=object)], ids=["dicts", "iterator", "data frame"]
)
def test_half_of_a_surrogate_pair_costs_its_row_alone_whatever_holds_it(verifier, form):
    rows = [
        {"id": "a", "text": "Two dogs.", "document": "A dog."},
        {"id": "b\ud800", "text": "half \ud83d pair", "document": None},
    ]
    good, bad = any_claims(form(rows), "table", columns={"claim": "text"}).to_pylist()
    assert (good["claim"], good["status"]) == ("Two dogs.", "ok")
    assert (bad["id"], bad["claim"], bad["document"], bad["status"]) == ("b\ufffd", "half \ufffd pair", None, "error")
    assert bad["reasons"] == [
        f"{name}: half of a surrogate pair at character {place} is not valid Unicode"
        for name, place in (("id", 1), ("claim", 5))
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retrieval_method": "x"}, "`retrieval_method` is 'x', expected one of hybrid, dense, bm25"),
        ({"top_k": 2.5}, r"`top_k` is 2\.5, expected a whole number of at least 1"),
        ({"top_k": True}, "`top_k` is True, expected a whole number"),
        ({"min_share": 2}, "`min_share` is 2, expected a number in"),
        ({"batch_size": "a"}, "`batch_size` is 'a', expected a whole number of at least 1"),
        ({"abstain_below": "a"}, r"`abstain_below` is 'a', expected a number in \[0, 1\]"),
        ({"abstain_below": float("nan")}, "`abstain_below` is nan, expected a number"),
    ],
)
def test_options_of_the_wrong_kind_show_before_the_model_is_looked_for(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        Verifier.load(tmp_path / "nothing", **options)
