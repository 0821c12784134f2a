"""A verifier depends on nothing that the program around it sets, and changes nothing there."""

import threading
from copy import copy

import pyarrow as pa
import pytest
import torch

from factcheck import Claim, InputError, Verifier
from factcheck.evaluation.robustness import robustness
from factcheck.records import claims_schema
from retrieval import load_encoder


def claims(photo):
    rows = [
        {"id": "a", "claim": "The dog runs", "document": "The dog runs. It is red."},
        {"id": "b", "claim": "A cat", "document": "No cat.", "claim_image": photo(1), "document_image": photo(2)},
    ]
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_default_type_of_torch_changes_nothing(dtype, tiny_model, photo):
    wanted = Verifier.load(tiny_model).verify_batch(claims(photo))
    torch.set_default_dtype(dtype)
    try:
        assert Verifier.load(tiny_model).verify_batch(claims(photo)) == wanted
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)


def test_vectors_under_autocast_are_the_same():
    encoder = load_encoder("bundled")
    wanted = encoder.encode(["a dog runs"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = encoder.encode(["a dog runs"])
    assert (found == wanted).all()


def test_loading_draws_no_random_numbers(tiny_model):
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    Verifier.load(tiny_model)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.slow
def test_a_study_of_robustness_leaves_the_verifier_alone(tiny_model, tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text('{"id": "1", "claim": "The dog runs", "document": "The dog runs. It is red."}\n' * 3, "utf-8")
    verifier = Verifier.load(tiny_model)
    seen = []
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(verifier.options.attribution)

    thread = threading.Thread(target=watch)
    thread.start()
    robustness(copy(verifier), path, names=("lower case",))
    robustness(verifier, path, names=("lower case",))
    stop.set()
    thread.join()
    assert set(seen) == {True}


def test_evidence_is_an_opened_index(tiny_model):
    with pytest.raises(InputError, match=r"`evidence` must be an opened index, found str \('index/'\)"):
        Verifier.load(tiny_model, evidence="index/")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"document": "The dog runs.", "document_spans": [{"start": 4, "end": 300}]}, "span 4–300 lies outside"),
        ({"document": "The dog runs.", "document_spans": [{"start": None, "end": 3}]}, "span None–3 lies outside"),
        ({"date": "yesterday"}, "date: not a date such as 2024-05-31"),
    ],
)
def test_a_table_with_the_canonical_schema_is_checked(tiny_model, row, reason):
    good = {"id": "good", "claim": "The dog runs", "document": "The dog runs.", "status": "ok"}
    table = pa.Table.from_pylist([good, {"claim": "A cat", "status": "ok"} | row], schema=claims_schema())
    first, second = Verifier.load(tiny_model).verify_batch(table).to_pylist()
    assert (first["status"], second["status"], second["id"]) == ("ok", "error", "row 1")
    assert reason in second["reason"]


def test_both_reasons_are_told(tiny_model):
    row = {
        "claim": "A cat",
        "document": "https://example.org/a",
        "document_image": "gone.jpg",
        "claim_image": "gone.jpg",
    }
    verifier = Verifier.load(tiny_model)
    (verdict,) = verifier.verify_batch(pa.Table.from_pylist([row])).to_pylist()
    assert "document: no readable sentence" in verdict["reason"]
    assert "document_image: not loaded (factcheck.data.load_images reads files)" in verdict["reason"]


def test_missing_values_of_a_data_frame(tiny_model):
    pd = pytest.importorskip("pandas")
    verifier = Verifier.load(tiny_model)
    for missing in (None, float("nan"), pd.NA, pd.NaT):
        verdict = verifier.verify(Claim(claim="A cat", document=missing, date=missing, document_image=missing))
        assert (verdict.status, verdict.reason) == ("degraded", "document: missing")
