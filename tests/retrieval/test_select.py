"""Evidence inside a document."""

import math

import numpy as np
import pytest

from retrieval import InputError, Sentence, select_evidence, split_sentences
from retrieval.lexical import BM25_B, BM25_K1, bm25_scores, words
from retrieval.select import METHODS

DOCUMENT = (
    "The council met on Monday. The new bridge will cost 3.5 million euros. Nobody spoke for long. "
    "The bridge opens in 2024. Lunch was served at noon."
)
CLAIM = "The new bridge costs 3.5 million euros"


@pytest.fixture
def encoder(hashing_encoder):
    return hashing_encoder


@pytest.mark.parametrize("method", METHODS)
def test_the_sentence_that_bears_on_the_claim_is_first(encoder, method):
    sentences = split_sentences(DOCUMENT)
    (hits,) = select_evidence([CLAIM], [sentences], ["d1"], encoder, top_k=3, method=method)
    assert len(hits) == 3
    first = hits[0]
    assert (first.document_id, first.sentence, first.text) == ("d1", 1, sentences[1].text)
    assert DOCUMENT[first.start : first.end] == first.text
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


@pytest.mark.parametrize("method", METHODS)
def test_a_row_does_not_depend_on_its_neighbours(encoder, method):
    documents = [
        split_sentences(DOCUMENT),
        [],
        split_sentences("One. Two two. Three three three."),
        split_sentences(DOCUMENT),
    ]
    claims, ids = [CLAIM, "x", "two or three", "Lunch at noon"], ["a", "b", "c", "d"]
    together = select_evidence(claims, documents, ids, encoder, method=method)
    alone = [
        select_evidence([c], [d], [i], encoder, method=method)[0]
        for c, d, i in zip(claims, documents, ids, strict=True)
    ]
    assert together == alone
    assert together[1] == []
    assert len(together[2]) == 3


def test_sentences_without_text_are_passed_over(encoder):
    document = [Sentence("", 0, 3), Sentence("the bridge", 4, 14), Sentence(" \n", 15, 17)]
    assert [[h.sentence for h in hits] for hits in select_evidence(["bridge"], [document], ["d"], encoder)] == [[1]]
    assert select_evidence(["bridge"], [document[:1]], ["d"], encoder) == [[]]


def test_equal_sentences_keep_their_order(encoder):
    document = split_sentences("The bridge is new. The bridge is new. The bridge is new.")
    assert [h.sentence for h in select_evidence(["a new bridge"], [document], ["d"], encoder)[0]] == [0, 1, 2]


def test_claims_without_words(encoder):
    for claim in ("", "???", "的"):
        hits = select_evidence([claim], [split_sentences(DOCUMENT)], ["d"], encoder)[0]
        assert len(hits) == 5
        assert all(math.isfinite(h.score) for h in hits)


def test_bm25_needs_no_encoder():
    assert select_evidence([CLAIM], [split_sentences(DOCUMENT)], ["d"], None, method="bm25")[0][0].sentence == 1


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((["a"], [], ["x"]), {}, "got 1 claims, 0 documents, 1 ids"),
        ((["a"], [[]], ["x"]), {"method": "magic"}, "unknown retrieval method 'magic'"),
        ((["a"], [[]], ["x"]), {"top_k": 0}, "top_k is 0"),
    ],
)
def test_mistakes(encoder, arguments, options, message):
    with pytest.raises(InputError, match=message):
        select_evidence(*arguments, encoder, **options)
    with pytest.raises(InputError, match="needs an encoder"):
        select_evidence(["a"], [[]], ["x"], None)


def test_bm25_against_bm25s():
    import bm25s

    documents = [words(s.text) for s in split_sentences(DOCUMENT)]
    query = words(CLAIM)
    reference = bm25s.BM25(k1=BM25_K1, b=BM25_B, method="lucene")
    reference.index(documents, show_progress=False)
    known = [w for w in dict.fromkeys(query) if any(w in d for d in documents)]
    np.testing.assert_allclose(bm25_scores(query, documents), reference.get_scores(known), rtol=1e-5)


def test_words():
    assert words("The bridges COSTED 3.5 million") == ["bridg", "cost", "3.5", "million"]
    assert words("stopping stopped stops") == ["stop"] * 3
    assert words("cities city") == ["city"] * 2
    assert words("not a") == ["not"]
    assert words("北京很大") == ["北京", "京很", "很大"]
    assert words("") == []
