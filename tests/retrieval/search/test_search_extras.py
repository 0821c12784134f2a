"""Re-ranking, photos, evaluation, ranking helpers and the index command."""

import base64
import datetime
import json

import numpy as np
import pytest
from corpora import ROWS, write_jsonl

from factcheck.cli import main
from retrieval import InputError, build_index, open_index
from retrieval.build.corpus import read_corpus
from retrieval.search.evaluation import evaluate_run, read_qrels
from retrieval.search.hits import distinct_texts, maximal_marginal_relevance
from retrieval.search.rerank import CrossEncoderReranker, Reranker, rerank_scores
from retrieval.text.dates import date_range


class Colours:
    """Embeds a 'photo' of raw bytes by its histogram; refuses what begins with an exclamation mark."""

    fingerprint = "colours-1"

    def embed_images(self, images):
        if any(data.startswith(b"!") for data in images):
            raise InputError("broken photo")
        counts = np.array([np.bincount(np.frombuffer(d, np.uint8), minlength=256) for d in images], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def photo_index(tmp_path, hashing_encoder):
    (tmp_path / "flood.jpg").write_bytes(b"aaaabbbb")
    (tmp_path / "parade.jpg").write_bytes(b"ccccdddd")
    (tmp_path / "broken.jpg").write_bytes(b"!")
    rows = [
        {
            "id": "n1",
            "text": "It rained.",
            "date": "2015-01-01",
            "images": [{"path": "flood.jpg", "caption": "Street under water"}, "gone.jpg"],
        },
        {
            "id": "n2",
            "text": "They marched.",
            "images": [{"path": "parade.jpg", "alt": "People at a parade"}, "broken.jpg"],
        },
        {"id": "n3", "text": "No photo."},
    ]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder, image_encoder=Colours())
    counts = {"documents": 3, "dated": 1, "unreadable_dates": 0, "garbled": 0, "sentences": 3, "photos": 2}
    assert manifest["counts"] == counts | {"unreadable": 2}
    return tmp_path / "index"


def test_a_photo_is_found_again_under_its_other_caption(photo_index, hashing_encoder):
    index = open_index(photo_index, encoder=hashing_encoder, image_encoder=Colours())
    (hits,) = index.images.search([b"aaabbbbb"], top_k=2)
    assert [(h.document_id, h.sentence, h.text) for h in hits] == [
        ("n1", -1, "Street under water"),
        ("n2", -1, "People at a parade"),
    ]
    assert hits[0].metadata == {"date": "2015-01-01", "photo": "flood.jpg"}
    assert hits[0].score > 0.9
    assert hits[1].score < 0.1
    (hits,) = index.images.search([b"aaabbbbb"], top_k=2, filters={"date_before": "2010-01-01"})
    assert [h.document_id for h in hits] == ["n2"]
    assert len(index.images.search([b"aaabbbbb"], top_k=10**9)[0]) == 2


def test_photos_inside_json_are_base64(tmp_path):
    encoded = base64.b64encode(b"aaaabbbb").decode()
    (tmp_path / "a.jpg").write_bytes(b"file")
    images = [
        {"bytes": encoded},
        {"bytes": f"data:image/png;base64,{encoded[:4]}\n{encoded[4:]}"},
        {"bytes": "not base64!", "path": "a.jpg"},
        {"bytes": "not base64!"},
        {"bytes": ""},
    ]
    (tmp_path / "c.jsonl").write_text(json.dumps({"text": "x", "images": images}))
    (document,) = read_corpus(tmp_path / "c.jsonl")
    assert [photo.read() for photo in document.photos] == [b"aaaabbbb", b"aaaabbbb", b"file", None, None]


def test_lone_surrogates_are_printed(tmp_path, hashing_encoder, capsys):
    (tmp_path / "c.jsonl").write_text(r'{"text": "Moon.", "note": "a\ud800b", "more": ["\udfff"]}')
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder)
    # As the shell passes on a byte that is not UTF-8.
    search = ["index", "search", str(tmp_path / "index"), "moon \udce9", "--method", "bm25", "--json"]
    assert main(search) == 0
    hit = json.loads(capsys.readouterr().out)
    assert (hit["query"], hit["metadata"]) == ("moon \udce9", {"note": "a?b", "more": ["?"]})


def test_a_photo_is_found_by_words(photo_index, hashing_encoder):
    (hits,) = open_index(photo_index, encoder=hashing_encoder).images.search_captions(["a parade of people"], top_k=1)
    assert [h.metadata["photo"] for h in hits] == ["parade.jpg"]


def test_a_photo_without_a_caption_is_found_by_what_stands_around_it(tmp_path, hashing_encoder):
    for name in "abcd":
        (tmp_path / f"{name}.jpg").write_bytes(name.encode() * 8)
    rows = [
        {"id": "context", "text": "It rained.", "images": [{"path": "a.jpg", "context": "A bridge under water"}]},
        {"id": "title", "text": "They marched.", "title": "Parade of the guilds", "images": "b.jpg"},
        {"id": "text", "text": "A cat slept on the sofa. It snored.", "images": ["c.jpg"]},
        {"id": "none", "text": "", "images": ["d.jpg"]},
    ]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder, image_encoder=Colours())
    index = open_index(tmp_path / "index", encoder=hashing_encoder)
    queries = ["bridge water", "guilds parade", "cat sofa"]
    found = [(hits[0].document_id, hits[0].text) for hits in index.images.search_captions(queries, top_k=1)]
    assert found == [
        ("context", "A bridge under water"),
        ("title", "Parade of the guilds"),
        ("text", "A cat slept on the sofa."),
    ]
    assert not index.images.ready
    with_photos = open_index(tmp_path / "index", encoder=hashing_encoder, image_encoder=Colours())
    assert with_photos.images.ready
    assert with_photos.fingerprint != index.fingerprint


def test_photo_mistakes(photo_index, hashing_encoder, tmp_path):
    with pytest.raises(InputError, match="needs the image encoder"):
        open_index(photo_index, encoder=hashing_encoder).images.search([b"a"])
    other = Colours()
    other.fingerprint = "colours-2"
    with pytest.raises(InputError, match="embedded by image encoder colours-1, found colours-2"):
        open_index(photo_index, encoder=hashing_encoder, image_encoder=other)
    build_index(tmp_path / "c.jsonl", tmp_path / "plain", encoder=hashing_encoder)
    with pytest.raises(InputError, match="holds no photos"):
        open_index(tmp_path / "plain", encoder=hashing_encoder).images.search([b"a"])


def test_photos_without_captions_take_no_place_among_captions(tmp_path, hashing_encoder):
    for i in range(30):
        (tmp_path / f"{i}.jpg").write_bytes(bytes([i]) * 8)
    rows = [{"id": f"bare{i}", "text": "", "images": [f"{i}.jpg"]} for i in range(29)]
    rows.append({"id": "told", "text": "", "images": [{"path": "29.jpg", "caption": "Street under water"}]})
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder, image_encoder=Colours())
    photos = open_index(tmp_path / "index", encoder=hashing_encoder).images
    for query in ("street", "quarterly revenue"):
        assert [hit.document_id for hit in photos.search_captions([query], top_k=3)[0]] == ["told"]


class Longest(Reranker):
    """Prefers long passages: not sensible, but its order is known."""

    def score(self, queries, passages):
        return np.array([len(p) for p in passages], np.float32)


def test_reranking_decides_the_order(tmp_path, hashing_encoder):
    rows = [{"id": str(n), "text": "rain " + "drop " * n} for n in range(1, 6)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder)
    index = open_index(tmp_path / "index", encoder=hashing_encoder, reranker=Longest())
    assert [[h.document_id for h in hits] for hits in index.search(["rain", "drop"], top_k=3)] == [["5", "4", "3"]] * 2


def test_a_reranker_of_less_weight_is_a_second_opinion(tmp_path, hashing_encoder):
    np.testing.assert_array_equal(rerank_scores(np.array([3.0, 1.0]), 1.0), [3.0, 1.0])
    # Ranks 0, 1, 2 of the first search; 2, 0, 1 of the re-ranker.
    expected = [0.8 / 61 + 0.2 / 63, 0.8 / 62 + 0.2 / 61, 0.8 / 63 + 0.2 / 62]
    np.testing.assert_allclose(rerank_scores(np.array([0.1, 0.9, 0.5]), 0.2), expected)
    rows = [{"id": str(n), "text": "rain " + "drop " * n} for n in range(1, 6)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder)
    light = Longest()
    light.weight = 1e-6
    found = [
        [h.document_id for h in open_index(tmp_path / "index", encoder=hashing_encoder, reranker=r).search(["rain"])[0]]
        for r in (None, light, Longest())
    ]
    assert found[0] == found[1] != found[2]


def test_no_more_than_the_candidates_are_read_again(tmp_path, hashing_encoder):
    class Counting(Longest):
        read = 0

        def score(self, queries, passages):
            self.read += len(passages)
            return super().score(queries, passages)

    rows = [{"id": str(n), "text": "rain " + "drop " * n} for n in range(1, 60)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder)
    reranker = Counting()
    index = open_index(tmp_path / "index", encoder=hashing_encoder, reranker=reranker, candidates=20)
    assert len(index.search(["rain"], top_k=15)[0]) == 15
    assert reranker.read == 20


def test_what_a_search_finds_is_told_apart_by_the_reranker(tmp_path, hashing_encoder, classifier):
    build_index(write_jsonl(tmp_path / "c.jsonl", ROWS), tmp_path / "index", encoder=hashing_encoder)

    def fingerprint(reranker):
        return open_index(tmp_path / "index", encoder=hashing_encoder, reranker=reranker).fingerprint

    short = CrossEncoderReranker(classifier, max_length=64)
    known = [fingerprint(r) for r in (None, Longest(), CrossEncoderReranker(classifier), short)]
    assert len(set(known)) == 4
    assert known[2] == fingerprint(CrossEncoderReranker(classifier))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    from retrieval.encoders.pretrained import resolve_pretrained

    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(0)
    labels = {0: "entailment", 1: "neutral", 2: "contradiction"}
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=30522, id2label=labels, label2id={v: k for k, v in labels.items()}, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(resolve_pretrained("bundled"))).save_pretrained(folder)
    return folder


def test_cross_encoder_scores_are_those_of_the_model(classifier):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    queries, passages = ["a b", "c"] * 3, ["one", "two words", "three", "four " * 300, "five", "six six"]
    found = CrossEncoderReranker(classifier, batch_size=2, max_length=64).score(queries, passages)
    model = AutoModelForSequenceClassification.from_pretrained(classifier).eval()
    tokenizer = AutoTokenizer.from_pretrained(classifier)
    with torch.inference_mode():
        for score, query, passage in zip(found, queries, passages, strict=True):
            inputs = tokenizer(query, passage, return_tensors="pt", truncation="only_second", max_length=64)
            assert score == pytest.approx(1 - model(**inputs).logits.softmax(-1)[0, 1].item(), abs=1e-5)
    assert CrossEncoderReranker(classifier).score([], []).shape == (0,)


def test_cross_encoder_mistakes(classifier, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        CrossEncoderReranker("./nowhere")
    with pytest.raises(InputError, match="expected a sequence classifier"):
        CrossEncoderReranker("bundled")


def test_texts_of_equal_words_count_once():
    assert distinct_texts(["A comet!", "a  COMET", "A comets", "…", "?", "…"]) == [0, 2, 3, 4]
    assert distinct_texts(["▪ well-known, 2010–2015", "“Well known” 2010-2015."]) == [0]
    for pair in (
        ("50%", "50 %"),
        ("R&D", "R & D"),
        ("a=b", "a = b"),
        ("€5", "€ 5"),
        ("★ Hi®", "hi"),
        ("<b>Hi</b>", "b hi b"),
    ):
        assert distinct_texts(pair) == [0], pair


@pytest.mark.parametrize(
    "pair",
    [
        ("लड़का दौड़ता है।", "लड़की दौड़ती है।"),
        ("The low was -5 C.", "The low was 5 C."),
        ("The low was −5 C.", "The low was 5 C."),
        ("It cost $5 million.", "It cost €5 million."),
        ("It grew by 5%.", "It grew by 5."),
        ("He writes C#.", "He writes C."),
        ("So a < b.", "So a > b."),
        ("p<0.05", "p>0.05"),
        ("It was 5 °C.", "It was 5 C."),
        ("1.5 litres", "15 litres"),
    ],
)
def test_texts_that_differ_in_a_sign_or_a_vowel_sign_both_count(pair):
    assert distinct_texts(pair) == [0, 1]


def test_mmr_against_a_loop():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((12, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = rng.random(12)
    relevance = (scores - scores.min()) / (scores.max() - scores.min())
    picked = [int(scores.argmax())]
    while len(picked) < 6:
        gains = {
            i: 0.6 * relevance[i] - 0.4 * max(0.0, *(float(vectors[i] @ vectors[j]) for j in picked), 0.0)
            for i in range(12)
            if i not in picked
        }
        picked.append(max(gains, key=gains.get))
    assert maximal_marginal_relevance(scores, vectors, 6, 0.4) == picked
    assert maximal_marginal_relevance(scores, vectors, 3, 0.0) == np.argsort(-scores)[:3].tolist()
    assert maximal_marginal_relevance(scores[:0], vectors[:0], 3, 0.5) == []


def test_measures_against_values_worked_out_by_hand(tmp_path):
    pytest.importorskip("ir_measures", reason="needs the extra 'eval'")
    path = tmp_path / "test.tsv"
    path.write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\tb\t1\nq2\tc\t1\nq3\td\t1\n")
    qrels = read_qrels(path)
    run = {"q1": {"x": 3.0, "a": 2.0, "y": 1.0}, "q2": {"c": 1.0}}
    found = evaluate_run(qrels, run, ("R@10", "nDCG@10", "RR"))
    ideal = 1 + 1 / np.log2(3)
    assert found["R@10"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["RR"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["nDCG@10"] == pytest.approx((1 / np.log2(3) / ideal + 1 + 0) / 3)
    with pytest.raises(InputError, match="unknown measure"):
        evaluate_run(qrels, run, ("recall@ten",))
    path.write_text("a b c\n")
    with pytest.raises(InputError, match="line 1: expected query-id"):
        read_qrels(path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2020", (20200101, 20201231)),
        ("2020-02", (20200201, 20200231)),
        ("2020-02-03T10:00:00Z", (20200203, 20200203)),
        ("20200203", (20200203, 20200203)),
        ("2020-13-01", None),
        ("2020-02-31", None),
        ("0000-00-00", None),
        ("2020-3-5", (20200305, 20200305)),
        ("2020/03/05", (20200305, 20200305)),
        (" 2020.3.5 ", (20200305, 20200305)),
        ("2020/3", (20200301, 20200331)),
        ("2020-03-05Z", (20200305, 20200305)),
        ("20200305T100000+0100", (20200305, 20200305)),
        ("2020-03-05 10:00:00.123456+01:00", (20200305, 20200305)),
        ("2020-03-05 10:00:00 UTC", (20200305, 20200305)),
        ("Thu, 05 Mar 2020 10:00:00 GMT", (20200305, 20200305)),
        ("5 Mar 2020 10:00 +0000 (UTC)", (20200305, 20200305)),
        ("Thu Mar 05 10:00:00 +0000 2020", (20200305, 20200305)),
        ("Thu Mar 05 2020 10:00:00 GMT+0100 (Central European Time)", (20200305, 20200305)),
        ("March 5, 2020", (20200305, 20200305)),
        ("Thursday, Sept. 5th, 2020 at 10:00 a.m. EST", (20200905, 20200905)),
        ("5 march 2020", (20200305, 20200305)),
        ("5-Mar-2020", (20200305, 20200305)),
        ("March 2020", (20200301, 20200331)),
        (datetime.datetime(2020, 3, 5, 10), (20200305, 20200305)),
        ("30 February 2020", None),
        ("5 Marsh 2020", None),
        ("2020-03-05 to 2021-01-01", None),
        ("2020 - 2021", None),
        ("2020305", None),
        ("05.03.2020", None),
        ("5 March 20", None),
        ("1583402400", None),
        ("1583402400000", None),
        ("", None),
        ("03/02/2020", None),
        ("202", None),
        (None, None),
    ],
)
def test_dates(value, expected):
    assert date_range(value) == expected
