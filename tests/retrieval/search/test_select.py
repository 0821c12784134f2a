"""Evidence inside a document."""

import math

import numpy as np
import pytest

from retrieval import InputError, Sentence, select_evidence, split_sentences
from retrieval.search.select import FEATURES, METHODS, WEIGHTS, best, long_features, window_cosines
from retrieval.text.words import BM25_B, BM25_K1, bm25_scores, with_letters, words

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


@pytest.mark.parametrize("method", METHODS)
def test_what_is_less_like_the_claim_by_far_is_left_out(encoder, method):
    sentences = split_sentences(DOCUMENT)

    def scores(document, share):
        (hits,) = select_evidence([CLAIM], [document], ["d"], encoder, top_k=4, method=method, min_share=share)
        return [hit.score for hit in hits]

    everything = scores(sentences, 0.0)
    assert len(everything) == 4
    for share in (0.3, 0.6, 1.0):
        kept = scores(sentences, share)
        assert kept == [score for score in everything if score >= share * everything[0]]
        assert 1 <= len(kept) < 4
    # A long document is allowed a fifth less; where nothing is like the claim there is no best to go by.
    long = [*sentences, *split_sentences(" ".join(f"The bridge is {i} metres long." for i in range(30)))]
    everything = scores(long, 0.0)
    assert scores(long, 0.9) == [score for score in everything if score >= 0.72 * everything[0]]
    if method == "bm25":
        assert len(select_evidence(["xyz"], [sentences], ["d"], None, method=method, min_share=0.9)[0]) == 5
    with pytest.raises(InputError, match=r"`min_share` is 1\.5"):
        scores(sentences, 1.5)


def test_sentences_without_text_are_passed_over(encoder):
    document = [Sentence("", 0, 3), Sentence("the bridge", 4, 14), Sentence(" \n", 15, 17)]
    assert [[h.sentence for h in hits] for hits in select_evidence(["bridge"], [document], ["d"], encoder)] == [[1]]
    assert select_evidence(["bridge"], [document[:1]], ["d"], encoder) == [[]]


def test_scores_that_differ_by_rounding_alone_keep_their_order():
    assert best(np.array([0.5, 0.5 + 2e-7, 0.7, 0.7 + 3e-7]), 3) == [2, 3, 0]


def test_equal_scores_keep_their_order():
    document = split_sentences("The bridge is new. The bridge is new! The bridge is new?")
    found = select_evidence(["a new bridge"], [document], ["d"], None, method="bm25")
    assert [h.sentence for h in found[0]] == [0, 1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_repeated_sentences_count_once(encoder, method):
    once = split_sentences(DOCUMENT)
    repeated = [once[0], *once, once[3], *once[1:]]
    expected, found = (
        select_evidence([CLAIM], [document], ["d"], encoder, top_k=3, method=method)[0] for document in (once, repeated)
    )
    assert [(h.text, h.score) for h in found] == [(h.text, h.score) for h in expected]
    assert [repeated[h.sentence].start for h in found] == [h.start for h in expected]


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_a_short_document_makes_no_difference(encoder, method):
    sentences = split_sentences(DOCUMENT)
    (forward,), (backward,) = (
        # Two sentences share a word with the claim; those that share none are equal to BM25, and the first of them wins.
        select_evidence([CLAIM], [document], ["d"], encoder, top_k=2, method=method)
        for document in (sentences, sentences[::-1])
    )
    assert [h.text for h in forward] == [h.text for h in backward]
    assert [h.score for h in forward] == pytest.approx([h.score for h in backward])


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
        ((["a"], [[]], ["x"]), {"method": "magic"}, "`method` is 'magic'"),
        ((["a"], [[]], ["x"]), {"top_k": 0}, "`top_k` is 0"),
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


def test_words_of_other_scripts():
    assert words("लड़की दौड़ती है") == ["लड़की", "दौड़ती", "है"]
    assert words("প্রধানমন্ত্রী") == ["প্রধানমন্ত্রী"]
    assert words("Bu\u0308rgermeister cafe\u0301") == words("Bürgermeister café") == ["bürgermeister", "café"]
    assert words("İstanbul") == ["istanbul"]
    assert words("日本語") == ["日本", "本語"]
    assert words("not a") == ["not"]
    assert words("北京很大") == ["北京", "京很", "很大"]
    assert words("") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("กรุงเทพ", "กรุ รุง งเ เท ทพ"),
        ("ที่นี่", "ที่นี่"),
        ("ປະເທດລາວ", "ປະ ະເ ເທ ທດ ດລ ລາ າວ"),
        ("ភ្នំពេញ", "ភ្នំ នំពេ ពេញ"),
        ("မြန်မာ", "မြန် န်မာ"),
        ("ไทย", "ไท ทย"),
        ("covidในไทย 2020", "covid ใน นไ ไท ทย 2020"),
        ("日本ไทย", "日本 ไท ทย"),
        ("ก", "ก"),
    ],
)
def test_scripts_without_spaces_are_cut_into_pairs_of_letters(text, expected):
    assert words(text) == expected.split()


def test_a_zero_width_space_inside_a_run_makes_no_difference():
    assert words("ភ្នំ\u200bពេញ") == words("ភ្នំពេញ")
    assert words("two\u200bwords") == ["two", "word"]


@pytest.mark.parametrize("method", ["bm25", "hybrid"])
@pytest.mark.parametrize(
    ("claim", "others"),
    [
        ("猫", ["天気がいい。", "我的猫很大。"]),
        ("แมว", ["วันนี้ฝนตกหนัก", "ฉันเห็นแมวตัวหนึ่ง"]),
        ("我猫", ["天気。", "狗和我猫玩。"]),
    ],
)
def test_claims_in_scripts_without_spaces(encoder, method, claim, others):
    sentences = [Sentence(text, 0, len(text)) for text in [*others, "No cat."]]
    (hits,) = select_evidence([claim], [sentences], ["d"], encoder, method=method)
    assert hits[0].sentence == 1
    if method == "bm25":
        assert [hit.score > 0 for hit in hits] == [True, False, False]


def test_a_lone_letter_counts_as_often_as_it_occurs():
    documents = [words("我的猫很大。猫。猫好。"), words("没有。"), words("猫"), words("the cat")]
    assert [d.count("猫") for d in with_letters(words("猫 cat"), documents)] == [3, 0, 1, 0]
    assert with_letters(words("猫咪 cat"), documents) == documents
    marked = [words("ฉันกินข้าว"), words("ฉันกลับบ้าน")]
    assert [d.count("ก") for d in with_letters(["ก"], marked)] == [0, 1]


def test_in_a_long_document_the_surroundings_of_a_sentence_count(encoder):
    filler = [f"Nothing of note happened on day {i}." for i in range(40)]
    twice = [
        *filler[:10],
        "The bridge was closed.",
        *filler[10:30],
        *[s.text for s in split_sentences(DOCUMENT)[:2]],
        "The bridge was closed again.",
    ]
    document, position = [], 0
    for text in [*twice, *filler[30:]]:
        document.append(Sentence(text, position, position + len(text)))
        position += len(text) + 1
    hits = select_evidence([CLAIM], [document], ["d"], encoder, top_k=len(document))[0]
    order = [hit.text for hit in hits]
    assert order[0] == "The new bridge will cost 3.5 million euros."
    assert order.index("The bridge was closed again.") < order.index("The bridge was closed.")


def test_long_features():
    claim, sentences = (
        words("7 bridges in Rome"),
        [words(t) for t in ("The bridges", "Rome has 7 bridges", "Nothing", "")],
    )
    found = long_features(claim, sentences, np.arange(4.0), np.zeros(4))
    assert found.shape == (4, len(FEATURES)) == (4, len(WEIGHTS))
    named = dict(zip(FEATURES, found.T, strict=True))
    np.testing.assert_allclose(named["words"][[1, 2, 3]], [1, 0, 0])
    assert 0 < named["words"][0] < 0.5
    np.testing.assert_allclose(named["numbers"], [0, 1, 0, 0])
    np.testing.assert_allclose(named["around"][1], named["words"][0] / 4)
    np.testing.assert_allclose(named["position"], [0, 1 / 3, 2 / 3, 1])
    empty = long_features([], sentences, np.zeros(4), np.zeros(4))
    assert np.isfinite(empty).all()


def test_window_cosines():
    vectors = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(window_cosines(vectors, vectors[0]), [0.5**0.5, 3**-0.5, 0], atol=1e-6)
