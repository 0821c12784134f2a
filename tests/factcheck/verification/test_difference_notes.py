"""The columns ``differences`` and ``explanation``, and what a run says of them."""

import json

import pyarrow as pa
import pytest

from factcheck import Claim, Verifier
from factcheck.cli import main

DOCUMENT = "It rained in Turin. The dam is 40 m high & cost 3 million euros. Rovers beat United."


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


def test_a_verdict_says_what_differs_and_where(verifier):
    verdict = verifier.verify(Claim(claim="The dam is 30 m high.", document=DOCUMENT))
    (found,) = verdict.differences
    sentence = next(item for item in verdict.evidence if item.sentence == found["sentence"])
    assert sentence.text[found["start"] : found["end"]] == found["value"] == "40 m"
    assert (found["kind"], found["relation"], found["claim_value"]) == ("quantity", "conflicting", "30 m")
    assert verdict.explanation == "The claim says 30 m, the document 40 m."


def test_rows_without_values_or_evidence_have_none(verifier):
    rows = [{"id": "1", "claim": "it rained", "document": DOCUMENT}, {"id": "2", "claim": "The dam is 30 m high."}]
    for row in verifier.verify_batch(pa.Table.from_pylist(rows)).to_pylist():
        assert row["differences"] is None
        assert row["explanation"] is None


def test_differences_do_not_depend_on_neighbours(verifier):
    rows = [{"id": str(i), "claim": f"The dam is {i} m high.", "document": DOCUMENT} for i in (30, 40, 50)]
    together = verifier.verify_batch(pa.Table.from_pylist(rows)).to_pylist()
    alone = [verifier.verify_batch(pa.Table.from_pylist([row])).to_pylist()[0] for row in rows]
    assert [row["differences"] for row in together] == [row["differences"] for row in alone]


def test_verify_counts_the_rows_that_differ(tiny_model, tmp_path, capsys):
    claims, out = tmp_path / "claims.jsonl", tmp_path / "v.jsonl"
    rows = [{"id": str(i), "claim": f"The dam is {i} m high.", "document": DOCUMENT} for i in (30, 40, 50)]
    claims.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["verify", str(claims), "--out", str(out), "--model", str(tiny_model)]) == 0
    assert "differences: in 2 rows the evidence says otherwise than the claim" in capsys.readouterr().out
    relations = [json.loads(line)["differences"][0]["relation"] for line in out.read_text().splitlines()]
    assert relations == ["conflicting", "equal", "conflicting"]
