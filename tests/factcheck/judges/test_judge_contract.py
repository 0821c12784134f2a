"""What every stance judge keeps to, and how the verifier works with one that is not the fusion model.

A new judge adds a context manager to ``JUDGES`` that yields it.
"""

import contextlib
import dataclasses
import json

import pyarrow as pa
import pytest
from judge_models import ChatServer, completion, question

from factcheck import InputError, Verifier
from factcheck.data import normalize_claims
from factcheck.judges import Judge, Judgement, load_judge
from factcheck.judges.cached import CachedJudge
from factcheck.labels import FACTIFY_LABELS
from factcheck.models.inputs import TextRow
from retrieval.content_cache import ContentCache


class WordJudge(Judge):
    """Support where the evidence holds every word of the claim, else insufficient; fails on claims that say so."""

    asked = 0

    @property
    def fingerprint(self):
        return "words-1"

    def judge(self, rows):
        self.asked += len(rows)
        return [self._one(row) for row in rows]

    def _one(self, row):
        if "unreadable" in row.claim:
            return Judgement(stance=None, problem="judge: cannot read the claim")
        words = set(row.claim.lower().split())
        share = len(words & set(" ".join(row.evidence).lower().replace(".", "").split())) / max(1, len(words))
        cited = tuple(i for i, text in enumerate(row.evidence) if words & set(text.lower().replace(".", "").split()))
        return Judgement(stance=(share, 1 - share, 0.0), explanation=f"{share:.2f} of the words", cited=cited[-1:])


@contextlib.contextmanager
def fusion(request):
    yield Verifier.load(request.getfixturevalue("tiny_model")).fusion


@contextlib.contextmanager
def words(request):
    yield WordJudge()


@contextlib.contextmanager
def classifier(request):
    yield load_judge(f"hf:{request.getfixturevalue('cross_encoder_folder')}")


@contextlib.contextmanager
def server(request):
    def reply(body, number):
        refute = min(0.9, len(question(body)["claim"]) / 1000)
        stances = {"support": (1 - refute) / 3, "insufficient": (1 - refute) / 3, "refute": (1 + 2 * refute) / 3}
        return (
            200,
            {},
            completion(json.dumps({"label": "refute", "probabilities": stances, "evidence": [], "reason": "So."})),
        )

    chat = ChatServer(reply)
    yield load_judge(f"openai:{chat.url}#tiny", concurrency=3)
    chat.close()


@contextlib.contextmanager
def cached(request):
    with ContentCache(request.getfixturevalue("tmp_path_factory").mktemp("cache") / "answers.sqlite") as cache:
        yield CachedJudge(WordJudge(), cache)


JUDGES = (fusion, words, classifier, server, cached)
ROWS = [
    TextRow("A dog runs", ["A dog runs in the park.", "The water is blue."]),
    TextRow("The water is blue", ["The court says no."], "photo", "news"),
    TextRow("Two cats", []),
    TextRow("The park " * 100, ["A boy sells bread. " * 40] * 5),
]


@pytest.fixture(scope="module", params=JUDGES, ids=lambda make: make.__name__)
def judge(request):
    with request.param(request) as made:
        yield made


def test_three_probabilities_a_row_in_order(judge):
    found = judge.judge(ROWS)
    assert len(found) == len(ROWS)
    for judgement in found:
        assert len(judgement.stance) == 3
        assert all(0 <= p <= 1 for p in judgement.stance)
        assert sum(judgement.stance) == pytest.approx(1, abs=1e-5)
        assert judgement.problem is None


def test_a_judgement_does_not_depend_on_its_neighbours(judge):
    whole = judge.judge(ROWS)
    for i in (3, 0, 2, 1):
        (alone,) = judge.judge([ROWS[i]])
        assert alone.stance == pytest.approx(whole[i].stance, abs=1e-5)
        assert (alone.explanation, alone.cited) == (whole[i].explanation, whole[i].cited)
    assert judge.judge([]) == []


def test_a_judge_has_a_fingerprint_that_stays(judge):
    assert judge.fingerprint
    assert judge.fingerprint == judge.fingerprint
    assert isinstance(judge.leave_one_out, bool)


@pytest.fixture(scope="module")
def table(photo):
    rows = [
        {"id": "text", "claim": "A dog runs", "document": ["The water is blue.", "A dog runs."]},
        {"id": "bad", "claim": "An unreadable claim", "document": "A dog."},
        {"id": "none", "claim": "A dog"},
        {"id": "pair", "claim": "blue water", "document": "No water.", "claim_image": photo(1), "document_image": photo(2)},
        {"id": "one", "claim": "red dog", "document": "A dog.", "claim_image": photo(1)},
    ]  # fmt: skip
    return pa.concat_tables(normalize_claims(pa.Table.from_pylist([row])) for row in rows)


def test_the_verifier_takes_the_stance_from_the_judge_and_the_relation_from_the_photos(tiny_model, table):
    verifier = Verifier.load(tiny_model, judge=WordJudge())
    own = Verifier.load(tiny_model)
    rows = {row["id"]: row for row in verifier.verify_batch(table).to_pylist()}
    photos = {row["id"]: row for row in own.verify_batch(table).to_pylist()}
    assert rows["text"]["stance_probabilities"] == {"support": 1.0, "insufficient": 0.0, "refute": 0.0}
    assert rows["text"]["explanation"] == "1.00 of the words"
    assert rows["text"]["evidence"][0]["text"] == "A dog runs.", "what the judge cites goes first"
    assert rows["text"]["evidence"][0]["attribution"] == pytest.approx(1.0)
    assert rows["text"]["evidence"][1]["attribution"] == pytest.approx(0.0)
    assert (rows["bad"]["status"], rows["bad"]["label"]) == ("error", None)
    assert rows["bad"]["reason"] == "judge: cannot read the claim"
    assert (rows["none"]["status"], rows["none"]["label"], rows["none"]["abstained"]) == (
        "degraded",
        "Insufficient",
        True,
    )
    assert rows["one"]["probabilities"] is None
    pair = rows["pair"]
    assert pair["image_similarity"] == photos["pair"]["image_similarity"]
    agree = photos_relation(own, table)
    expected = dict(
        zip(FACTIFY_LABELS, (0.5 * agree, 0.5 * (1 - agree), 0.5 * agree, 0.5 * (1 - agree), 0.0), strict=True)
    )
    assert pair["probabilities"] == pytest.approx({name.value: p for name, p in expected.items()}, abs=1e-5)
    assert {row["model"] for row in rows.values()} == {f"words-1 + {own.fingerprint}"}


def photos_relation(verifier, table):
    """The probability that the photos of the row ``pair`` agree, as the model's own image head says it."""
    for decided in verifier.decided_rows(table):
        for row, decision in zip(decided.rows, decided.decisions, strict=True):
            if row.item["id"] == "pair":
                return decision.image[0]
    raise AssertionError("no such row")


def test_attribution_leaves_out_nothing_where_asking_again_costs(tiny_model, table):
    class Dear(WordJudge):
        leave_one_out = False

    judge = Dear()
    rows = Verifier.load(tiny_model, judge=judge, photo_attribution=True).verify_batch(table).to_pylist()
    assert judge.asked == table.num_rows - 1  # nothing is asked about a row without evidence
    assert all(item["attribution"] is None for row in rows for item in row["evidence"])
    assert all(row["photo_attribution"] is None for row in rows)


def test_a_name_that_is_no_judge():
    with pytest.raises(InputError, match=r"`judge` is 'oracle:delphi', which names no judge") as caught:
        load_judge("oracle:delphi")
    assert caught.value.field == "judge"


def test_judgements_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Judgement(stance=None).stance = (1.0, 0.0, 0.0)
