"""A model whose output is NaN or infinite gives error rows, never a label, and no table holds a bare NaN."""

import json

import pyarrow as pa
import pytest
import torch

from factcheck import Claim, Verifier
from factcheck.records import verdict_schema
from factcheck.verification import verify_file
from factcheck.verification.decide import Decision
from factcheck.verification.notes import Notes
from factcheck.verification.rows import ClaimRow, Row
from factcheck.verification.verdict_rows import verdict_row
from factcheck.verification.verdict_table import merge_parts, reason_kinds, write_part
from retrieval import Hit

DOCUMENT = "A dog runs in the park. The water is blue."


@pytest.fixture
def verifier(tiny_model):
    return Verifier.load(tiny_model, photo_attribution=True)


@pytest.fixture(scope="module")
def table(photo):
    rows = [
        {
            "id": "pair",
            "claim": "A dog runs",
            "document": DOCUMENT,
            "claim_image": photo(1),
            "document_image": photo(2),
        },
        {"id": "text", "claim": "A dog runs", "document": DOCUMENT},
        {"id": "nothing", "claim": "A dog runs"},
    ]
    names = ("id", "claim", "document")
    images = [(name, pa.binary()) for name in ("claim_image", "document_image")]
    return pa.Table.from_pylist(rows, schema=pa.schema([*((name, pa.string()) for name in names), *images]))


def assert_no_label(row):
    assert (row["status"], row["label"], row["stance"], row["confidence"]) == ("error", None, None, None)
    assert row["abstained"] is False, "there is no verdict to withhold"
    assert "model: its output is not a number" in row["reason"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_damaged_stance_head(verifier, table, value):
    with torch.no_grad():
        verifier.model.stance_head.weight.fill_(value)
        verifier.model.label_head.weight.fill_(value)
    pair, text, nothing = verifier.verify_batch(table).to_pylist()
    assert_no_label(pair)
    assert_no_label(text)
    # Without evidence the answer is so by definition and takes nothing from the model.
    assert (nothing["status"], nothing["label"], nothing["confidence"]) == ("degraded", "Insufficient", 1.0)
    verdict = verifier.verify(Claim(claim="A dog runs", document=DOCUMENT))
    assert (verdict.label, verdict.stance, verdict.abstained, verdict.status) == (None, None, False, "error")


def test_only_the_rows_that_are_damaged(verifier, table):
    before = {row["id"]: row for row in verifier.verify_batch(table).to_pylist()}
    with torch.no_grad():
        verifier.model.label_head.weight.fill_(float("nan"))
    pair, text, _ = verifier.verify_batch(table).to_pylist()
    assert_no_label(pair)
    assert text == before["text"], "rows without a pair of photos do not use that head"


def test_the_reason_can_be_counted_beside_others():
    row = Row(ClaimRow(0, {"id": "a"}, "claim"))
    decision = Decision((float("nan"),) * 3)
    made = verdict_row(
        row, decision, reasons=["claim_image: missing file"], notes=Notes(), abstain_below=0.5, model="model"
    )
    assert reason_kinds(made.to_dict()["reason"]) == [
        "claim_image: missing file",
        "model: its output is not a number",
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_no_table_holds_nan(verifier, tmp_path, suffix):
    claims, out = tmp_path / "c.jsonl", tmp_path / f"o{suffix}"
    claims.write_text(json.dumps({"claim": "A dog runs", "document": DOCUMENT}))
    with torch.no_grad():
        verifier.model.stance_head.weight.fill_(float("nan"))
    assert verify_file(verifier, claims, out).statuses == {"error": 1}
    assert "nan" not in out.read_text().replace("(NaN or infinite)", "").lower()


def test_figures_that_are_no_numbers_become_null(tmp_path):
    row = Row(ClaimRow(0, {"id": "a"}, "claim"), (Hit("d", 0, 0, 1, "x", float("nan"), None),))
    decision = Decision((0.2, 0.3, 0.5))
    made = verdict_row(
        row, decision, reasons=(), notes=Notes(), abstain_below=0.0, model="m", attributions=[float("nan")]
    )
    (tmp_path / "parts").mkdir()
    write_part(tmp_path / "parts" / "0.parquet", pa.Table.from_pylist([made.to_dict()], schema=verdict_schema()))
    assert len(list(merge_parts(tmp_path / "parts", tmp_path / "o.jsonl"))) == 1

    def refuse(name):
        raise AssertionError(f"bare {name}")

    (evidence,) = json.loads((tmp_path / "o.jsonl").read_text(), parse_constant=refuse)["evidence"]
    assert evidence["score"] is evidence["attribution"] is None
