import itertools
import json

import numpy as np
import pytest

from factcheck import Claim, InputError, Verifier
from factcheck.cli import main
from factcheck.evaluation.faithfulness import attribution_quality

SENTENCES = ["Two dogs run in the park.", "A boy eats bread.", "The water is blue.", "No car is red.", "A cat sleeps."]
CLAIMS = ["Two dogs run", "The car is red", "A boy sleeps", "A cat eats"]


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, top_k=4, batch_size=8)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "claims.jsonl"
    rows = [
        {"id": str(i), "claim": c, "document": SENTENCES[: 5 - i % 2], "evidence": [i]} for i, c in enumerate(CLAIMS)
    ]
    rows += [{"id": "short", "claim": "A dog", "document": ["A dog."], "evidence": [0]}, {"id": "bad", "claim": ""}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.slow
def test_against_verdicts_on_documents_cut_by_hand(verifier, table):
    quality = attribution_quality(verifier, table, sizes=(1, 2), draws=10)
    drops = {1: [], 2: []}
    for i, claim in enumerate(CLAIMS):
        whole = verifier.verify(Claim(claim=claim, document=SENTENCES[: 5 - i % 2]))
        n = len(whole.evidence)

        def drop(kept, whole=whole, claim=claim):
            # Best first: one document a sentence order would be ambiguous, so the same order is what the model reads.
            texts = [whole.evidence[j].text for j in kept]
            again = verifier.verify(Claim(claim=claim, document=texts))
            assert sorted(e.text for e in again.evidence) == sorted(texts)
            return whole.confidence - again.stance_probabilities[whole.stance.value]

        for size in drops:
            ranked = sorted(range(n), key=lambda j: -whole.evidence[j].attribution)
            orders = [
                [tuple(sorted(ranked[:size]))],
                [tuple(range(size))],
                list(itertools.combinations(range(n), size)),
            ]
            out = [np.mean([drop([j for j in range(n) if j not in s]) for s in subsets]) for subsets in orders]
            left = [np.mean([drop(s) for s in subsets]) for subsets in orders]
            drops[size].append((out, left))
    assert [f.size for f in quality.faithfulness] == [1, 2]
    for found in quality.faithfulness:
        expected = np.array(drops[found.size]).mean(0)
        assert found.rows == len(CLAIMS)
        # A short document ranks by other word statistics, so the order of two sentences may differ: hence the tolerance.
        assert list(found.comprehensiveness.values()) == pytest.approx(expected[0], abs=0.05)
        assert list(found.sufficiency.values()) == pytest.approx(expected[1], abs=0.05)


def test_leave_one_out_finds_the_sentence_that_matters_most(verifier, table):
    first = attribution_quality(verifier, table, sizes=(1,)).faithfulness[0]
    assert first.comprehensiveness["attribution"] >= max(first.comprehensiveness.values())
    gain, half = first.comprehensiveness_gain
    assert gain == pytest.approx(first.comprehensiveness["attribution"] - first.comprehensiveness["random"])
    assert half > 0


def test_agreement_with_gold_evidence(verifier, table):
    gold = attribution_quality(verifier, table, sizes=(1,)).gold
    assert gold.rows == 5  # the short row has gold evidence, but no choice
    assert gold.choices <= 4
    assert 0 < gold.found <= 1
    assert gold.precision_at_1["random"] == pytest.approx(0.25)
    assert gold.average_precision["random"] == pytest.approx(np.mean([1, 1 / 2, 1 / 3, 1 / 4]))


def test_gold_evidence_in_a_file_of_its_own(verifier, table, tmp_path):
    other = tmp_path / "gold.jsonl"
    other.write_text('{"evidence_sentence": 0}\n' * 6, "utf-8")
    assert attribution_quality(verifier, table, sizes=(1,), gold=other).gold.rows == 5
    other.write_text('{"evidence": "the first"}\n' * 6, "utf-8")
    with pytest.raises(InputError, match="row 0, 'evidence': expected indexes"):
        attribution_quality(verifier, table, gold=other)


def test_nothing_to_choose_from(verifier, tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text('{"claim": "a dog", "document": ["A dog."]}\n', "utf-8")
    with pytest.raises(InputError, match="no row has more than 1 evidence sentences"):
        attribution_quality(verifier, path)
    with pytest.raises(InputError, match="at least 1"):
        attribution_quality(verifier, path, sizes=(0,))


def test_the_command(table, tiny_model, tmp_path, capsys):
    out = tmp_path / "a.json"
    assert main(["attribution", str(table), "--model", str(tiny_model), "--limit", "3", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "comprehensiveness" in printed
    assert "gold" in printed
    written = json.loads(out.read_text())
    assert [f["size"] for f in written["faithfulness"]] == [1, 2]
    assert written["faithfulness"][0]["rows"] == 3
    assert main(["attribution", str(table), "--out", str(tmp_path / "no" / "a.json")]) == 2
    assert "make it first" in capsys.readouterr().err
