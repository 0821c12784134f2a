"""The verdict model as a re-ranker."""

import numpy as np
import pytest

from factcheck import Claim, InputError, Verifier
from factcheck.verification.rerank import StanceReranker, load_reranker
from retrieval.search.rerank import CrossEncoderReranker

PASSAGES = ["A dog runs.", "The water is blue and the street is red.", "no", "two men eat bread " * 40]


def test_scores_are_what_the_verdict_leaves_to_the_other_stances(tiny_model):
    reranker = load_reranker(tiny_model)
    assert isinstance(reranker, StanceReranker)
    scores = reranker.score(["Two dogs run"] * len(PASSAGES), PASSAGES)
    verifier = Verifier.load(tiny_model, attribution=False)
    for score, passage in zip(scores, PASSAGES, strict=True):
        # A document of one sentence is one passage.
        verdict = verifier.verify(Claim(claim="Two dogs run", document=[passage]))
        assert score == pytest.approx(1 - verdict.stance_probabilities["insufficient"], abs=1e-5)
    reranker.batch_size = 1
    np.testing.assert_allclose(reranker.score(["Two dogs run"] * len(PASSAGES), PASSAGES), scores, atol=1e-6)
    assert reranker.score([], []).shape == (0,)


def test_a_name_finds_its_kind_of_reranker(tiny_bert, tmp_path):
    import shutil

    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path / "classifier"
    shutil.copytree(tiny_bert, folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    assert isinstance(load_reranker(folder), CrossEncoderReranker)
    with pytest.raises(InputError, match="expected a sequence classifier"):
        load_reranker(tiny_bert)
    with pytest.raises(InputError, match="no such folder"):
        load_reranker("./nowhere")


def test_mistakes(tiny_model):
    reranker = StanceReranker.load(tiny_model)
    with pytest.raises(InputError, match="got 1 queries for 2 passages"):
        reranker.score(["a"], ["b", "c"])
    with pytest.raises(InputError, match="`batch_size` is 0, expected a whole number of at least 1"):
        StanceReranker(reranker._model, reranker._builder, batch_size=0)


def test_the_bundled_model_gets_every_input_it_reads():
    scores = StanceReranker.load("bundled").score(["Two dogs run."] * 2, ["Two dogs are running.", "The sea is calm."])
    assert scores.shape == (2,)
    assert scores[0] > scores[1]
