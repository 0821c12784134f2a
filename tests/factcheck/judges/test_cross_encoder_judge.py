"""Sequence classifiers as judges: label names and order, premise and hypothesis, windows, mistakes."""

import json
import shutil

import numpy as np
import pytest
from judge_models import MARKERS, NAMES, save_with_order, tokenizer

from factcheck import Claim, Verifier
from factcheck.errors import InputError
from factcheck.judges.huggingface import CrossEncoderJudge
from factcheck.judges.label_names import stance_map
from factcheck.models.inputs import TextRow

DENIED, CONFIRMED, MENTIONED = (TextRow("w1 confirmed w2", (f"w3 {marker} w4",)) for marker in MARKERS)


@pytest.fixture(scope="module")
def trained(cross_encoder):
    return cross_encoder


@pytest.fixture(scope="module")
def nli(cross_encoder_folder):
    return cross_encoder_folder


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_the_order_of_labels_is_the_models_own(trained, tmp_path, order):
    judge = CrossEncoderJudge(
        save_with_order(trained, order, {i: NAMES[o].upper() for i, o in enumerate(order)}, tmp_path)
    )
    stances = np.array([judgement.stance for judgement in judge.judge([CONFIRMED, MENTIONED, DENIED])])
    assert stances.argmax(1).tolist() == [0, 1, 2]  # support, insufficient, refute
    assert np.allclose(stances.sum(1), 1)
    assert (stances.max(1) > 0.8).all()


def test_names_that_say_nothing_are_mapped_or_refused(trained, tmp_path):
    folder = save_with_order(trained, (0, 1, 2), {i: f"LABEL_{i}" for i in range(3)}, tmp_path)
    with pytest.raises(InputError, match=r"LABEL_0, LABEL_1, LABEL_2 do not say what they mean.*`judge_labels`"):
        CrossEncoderJudge(folder)
    labels = {"label_0": "refute", "label_1": "support", "label_2": "insufficient"}
    assert CrossEncoderJudge(folder, labels=labels).judge([DENIED])[0].stance[2] > 0.8
    with pytest.raises(InputError, match=r"names 'label_9', but the model's labels are LABEL_0"):
        CrossEncoderJudge(folder, labels=labels | {"LABEL_9": "support"})


def test_a_two_way_head_leaves_open_what_it_does_not_support(trained, tmp_path):
    folder = save_with_order(trained, (0, 1, 2), {0: "not_entailment", 1: "entailment", 2: "unsupported"}, tmp_path)
    judge = CrossEncoderJudge(folder)
    assert "not_support" in judge.stance_map.roles
    support, insufficient, refute = judge.judge([DENIED])[0].stance
    assert (support < 0.2, insufficient > 0.8, refute == 0) == (True, True, True)


def test_premise_and_hypothesis(nli):
    swapped = CrossEncoderJudge(nli, claim_first=True).judge([DENIED])[0].stance
    assert swapped[0] > 0.8  # it reads the claim's own marker as if it were evidence
    assert CrossEncoderJudge(nli).fingerprint != CrossEncoderJudge(nli, claim_first=True).fingerprint


def test_evidence_that_does_not_fit_is_read_in_windows(nli):
    long = tuple(" ".join(["w5"] * 42 + ["mentioned"]) for _ in range(4))
    judge = CrossEncoderJudge(nli)
    row = TextRow("w1", (*long, "w2 denied"))
    assert len(judge._windows(row)) == 5
    assert judge.judge([row])[0].stance[2] > 0.8
    beyond = TextRow("w1", (" ".join(["w5"] * 200 + ["denied"]),))  # longer than any window: cut
    assert judge.judge([beyond])[0].stance[2] < 0.8
    claim = TextRow(" ".join(["w1"] * 500), ("denied w2",))
    assert judge.judge([claim])[0].stance[2] > 0.8


def test_text_in_the_documents_photo_is_evidence(nli):
    assert (
        CrossEncoderJudge(nli)
        .judge([TextRow("w1", ("w2 mentioned",), document_ocr=" ".join(["denied"] * 30))])[0]
        .stance[2]
        > 0.5
    )


def test_neighbours_and_batches_change_nothing(nli):
    rng = np.random.default_rng(1)
    rows = [
        TextRow("w1 w2", tuple(" ".join(rng.choice([*MARKERS, "w7"], rng.integers(1, 9))) for _ in range(3)))
        for _ in range(20)
    ]
    alone = np.array([CrossEncoderJudge(nli).judge([row])[0].stance for row in rows])
    together = np.array([j.stance for j in CrossEncoderJudge(nli, tokens_at_once=100).judge(rows[::-1])][::-1])
    assert np.abs(alone - together).max() < 1e-5
    assert CrossEncoderJudge(nli).judge([]) == []


def test_odd_texts(nli):
    judge = CrossEncoderJudge(nli)
    for row in (TextRow("", ("",)), TextRow("\ud800", ("\ud800 denied",)), TextRow("w1", ())):
        assert sum(judge.judge([row])[0].stance) == pytest.approx(1)


class TestMistakes:
    def test_no_classification_head(self, tmp_path):
        (tmp_path / "config.json").write_text(json.dumps({"architectures": ["BertModel"], "model_type": "bert"}))
        with pytest.raises(InputError, match="is BertModel, which has no classification head"):
            CrossEncoderJudge(tmp_path)

    def test_nothing_there(self):
        with pytest.raises(InputError, match=r"judge './nowhere': no such folder"):
            CrossEncoderJudge("./nowhere")

    def test_options(self, nli):
        with pytest.raises(InputError, match="`max_length` is 500, but the judge reads 48 tokens at most"):
            CrossEncoderJudge(nli, max_length=500)
        with pytest.raises(InputError, match="`dtype` is 'int8', expected one of float32, bfloat16, float16"):
            CrossEncoderJudge(nli, dtype="int8")

    def test_code_in_the_folder_is_not_run(self, nli, tmp_path):
        import shutil

        folder = tmp_path / "hostile"
        shutil.copytree(nli, folder)
        config = json.loads((folder / "config.json").read_text())
        config["auto_map"] = {"AutoModelForSequenceClassification": "evil.Model", "AutoConfig": "evil.Config"}
        config["model_type"] = "evil"
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "evil.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Model: pass\nclass Config: pass\n"
        )
        with pytest.raises(InputError, match="could not be loaded"):
            CrossEncoderJudge(folder)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("names", [{0: "entailment", 1: "neutral"}, {0: "refuted", 1: "neutral"}])
    def test_labels_that_leave_the_question_open(self, names):
        with pytest.raises(InputError, match="cannot tell a supported claim from one that is not"):
            stance_map(names)


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["ENTAILMENT", "Neutral", "contradiction"], "support insufficient refute"),
        (["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"], "support refute insufficient"),
        (["not entailment", "entailment"], "not_support support"),
        (["hallucinated", "consistent"], "not_support support"),
    ],
)
def test_known_names(names, roles):
    assert stance_map(dict(enumerate(names))).roles == tuple(roles.split())


def test_the_tokenizer_of_these_tests_marks_segments():
    assert tokenizer()("w1", "w2")["token_type_ids"] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("card", "config", "expected"),
    [
        (None, {}, ()),
        ("---\nlanguage:\n- de\n- fr\n---\n", {}, ("de", "fr")),
        ("---\nlanguage: en\n---\n", {}, ("en",)),
        ("---\nlanguage: multilingual\n---\n", {}, ()),
        ("---\nlanguage: [\n---\n", {}, ()),
        ("no card", {}, ()),
        ("---\nlanguage: en\n---\n", {"languages": ["de"]}, ("de",)),
    ],
)
def test_the_languages_that_a_judge_reads_are_on_its_card(nli, tmp_path, card, config, expected):
    folder = shutil.copytree(nli, tmp_path / "judge")
    if card is not None:
        (folder / "README.md").write_text(card, "utf-8")
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(settings | config), "utf-8")
    assert CrossEncoderJudge(folder).languages == expected


def test_a_judges_languages_hold_back_the_rows_that_it_does_not_read(nli, tiny_model, tmp_path):
    folder = shutil.copytree(nli, tmp_path / "judge")
    (folder / "README.md").write_text("---\nlanguage:\n- de\n---\n", "utf-8")
    english = Claim(
        claim="The government decided on a new law on Tuesday.", document="The law was decided by the government."
    )
    german = Claim(
        claim="Die Regierung hat am Dienstag ein neues Gesetz beschlossen.", document="Das Gesetz ist beschlossen."
    )
    verifier = Verifier.load(tiny_model, judge=f"hf:{folder}", attribution=False)
    assert verifier.verify(english).reason == "language: en, the model reads de"
    assert verifier.verify(english).abstained
    assert verifier.verify(german).reason is None
