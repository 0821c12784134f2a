"""Arguments of searches: lists of any kind are read by position, mistakes are named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from retrieval import InputError, build_index, open_index, select_evidence, split_sentences


class Sizes:
    """Embeds a 'photo' by its first byte."""

    fingerprint = "sizes-1"

    def embed_images(self, images):
        angles = np.array([data[0] for data in images], np.float32)
        if not len(angles):
            raise ValueError("nothing to stack")
        return np.stack([np.cos(angles), np.sin(angles)], 1)


@pytest.fixture
def photo_index(tmp_path, hashing_encoder):
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    lines = [f'{{"id": "{n}", "text": "Text {n}.", "title": "Photo {n}", "images": "{n}.jpg"}}\n' for n in "abc"]
    (tmp_path / "photos.jsonl").write_text("".join(lines))
    out = tmp_path / "photo index"
    build_index(tmp_path / "photos.jsonl", out, encoder=hashing_encoder, image_encoder=Sizes())
    return open_index(out, encoder=hashing_encoder, image_encoder=Sizes())


@pytest.mark.parametrize("method", ["hybrid", "dense", "bm25"])
def test_queries_of_any_kind_of_list_are_read_by_position(tmp_path, hashing_encoder, method):
    # Many copies of one sentence, so that the search has to go deeper.
    lines = [f'{{"id": "copy{i}", "text": "Dogs run on the beach."}}\n' for i in range(60)]
    lines += [f'{{"id": "other{i}", "text": "Dogs number {i} walk on the hill."}}\n' for i in range(9)]
    (tmp_path / "c.jsonl").write_text("".join(lines))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder)
    index = open_index(tmp_path / "index", encoder=hashing_encoder, method=method)
    queries = ["dogs run on the beach", "dogs number 3 walk", "dogs on the hill"]
    expected = index.search(queries, top_k=5)
    assert expected[0] != expected[1]
    assert index.search(pd.Series(queries[::-1]).iloc[::-1], top_k=5) == expected
    for given in (
        pd.Series(queries, index=[7, 8, 9]),
        (query for query in queries),
        pa.array(queries),
        pa.chunked_array([queries[:1], queries[1:]]),
        np.array(queries),
        tuple(queries),
    ):
        assert index.search(given, top_k=5) == expected
    assert index.search([]) == []


@pytest.mark.parametrize("method", ["hybrid", "dense", "bm25"])
def test_queries_that_are_no_list_of_strings(built, hashing_encoder, method):
    index = open_index(built, encoder=hashing_encoder, method=method)
    for queries, message in (
        ("dogs", "queries are one string, expected a list; give a list of queries"),
        (b"dogs", "queries are bytes"),
        (None, "queries are NoneType"),
        ({"q1": "dogs"}, "queries are dict"),
        (pd.DataFrame({"query": ["dogs"]}), "queries are DataFrame"),
        (["dogs", None], r"queries\[1\] is NoneType, expected a string"),
        (pa.array(["dogs", None]), r"queries\[1\] is NoneType"),
        ([5], r"queries\[0\] is int"),
    ):
        with pytest.raises(InputError, match=message):
            index.search(queries)


def test_captions_and_photos_of_any_kind_of_list(photo_index):
    photos = photo_index.images
    expected = photos.search_captions(["Photo b", "Photo a"], top_k=1)
    assert [hits[0].document_id for hits in expected] == ["b", "a"]
    assert photos.search_captions(pa.array(["Photo b", "Photo a"]), top_k=1) == expected
    assert [hits[0].document_id for hits in photos.search(pa.array([b"c", b"a"]), top_k=1)] == ["c", "a"]
    assert [hits[0].document_id for hits in photos.search((d for d in (b"c", bytearray(b"a"))), top_k=1)] == ["c", "a"]
    assert photos.search([]) == []
    for search, given, message in (
        (photos.search_captions, "dog", "queries are one string, expected a list; give a list of queries"),
        (photos.search_captions, ["dog", 5], r"queries\[1\] is int"),
        (photos.search, b"photo", "images are bytes, expected a list; give a list of images"),
        (photos.search, [b"a", "b.jpg"], r"images\[1\] is str, expected bytes; give the contents of an image file"),
        (photos.search, [Path("b.jpg")], r"images\[0\] is PosixPath"),
    ):
        with pytest.raises(InputError, match=message):
            search(given)


@pytest.mark.parametrize("top_k", [2.5, "3", None, True, 0])
def test_top_k_is_a_whole_number(photo_index, hashing_encoder, top_k):
    sentences = split_sentences("Two dogs run.")
    with pytest.raises(InputError, match=r"`top_k` is .*, expected a whole number of at least 1"):
        select_evidence(["dogs"], [sentences], ["d"], hashing_encoder, top_k=top_k)
    for search, given in (
        (photo_index.search, ["text"]),
        (photo_index.images.search, [b"a"]),
        (photo_index.images.search, []),
        (photo_index.images.search_captions, ["photo"]),
    ):
        assert len(search(given[:1], top_k=np.int64(1))) == len(given)
        with pytest.raises(InputError, match=r"`top_k` is .*, expected a whole number of at least 1"):
            search(given, top_k=top_k)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": "5"}, "`candidates` is '5', expected a whole number of at least 1"),
        ({"candidates": True}, "`candidates` is True"),
        ({"window": 1.5}, r"`window` is 1\.5, expected a whole number of at least 0"),
        ({"diversity": "a"}, r"`diversity` is 'a', expected a number in \[0, 1\]"),
        ({"diversity": True}, "`diversity` is True"),
        ({"diversity": float("nan")}, "`diversity` is nan"),
    ],
)
def test_options_of_an_index_are_numbers(built, hashing_encoder, options, message):
    with pytest.raises(InputError, match=message):
        open_index(built, encoder=hashing_encoder, **options)


def test_numbers_of_numpy_are_numbers(built, hashing_encoder):
    options = {"candidates": np.int32(5), "window": np.int64(1), "diversity": np.float32(0.5)}
    assert open_index(built, encoder=hashing_encoder, **options).search(["moon"], top_k=np.uint8(2))[0]


@pytest.mark.parametrize("filters", ["x", ["language"], 5])
def test_filters_are_a_mapping(built, hashing_encoder, filters):
    with pytest.raises(InputError, match=r"filters are (str|list|int), expected a dict such as"):
        open_index(built, encoder=hashing_encoder).search(["moon"], filters=filters)


def test_claims_and_documents_of_any_kind_of_list(hashing_encoder):
    documents = [split_sentences("Two dogs run. A cat sleeps."), split_sentences("It rains. The sun shines.")]
    claims, ids = ["cat", "sun"], ["x", "y"]
    expected = select_evidence(claims, documents, ids, hashing_encoder)
    series = pd.Series(documents, index=[4, 3]), pd.Series(ids, index=[4, 3])
    assert select_evidence(pa.array(claims), *series, hashing_encoder) == expected
    assert select_evidence(iter(claims), iter(map(iter, documents)), iter(ids), hashing_encoder) == expected


@pytest.mark.parametrize(
    ("claims", "documents", "ids", "message"),
    [
        ("dogs", [[]], ["d"], "claims are one string, expected a list"),
        ([None], [[]], ["d"], r"claims\[0\] is NoneType, expected a string"),
        (["d"], [[]], "d", "document_ids are one string"),
        (["d"], "Two dogs run.", ["d"], "documents are one string"),
        (["d"], ["Two dogs run."], ["d"], r"documents\[0\] is a string, expected a list of Sentence; give split_sent"),
        (["d"], [["Two dogs run."]], ["d"], r"documents\[0\] is a list that holds str, expected a list of Sentence"),
        (["d"], [None], ["d"], r"documents\[0\] is NoneType"),
    ],
)
def test_claims_and_documents_that_are_no_lists(hashing_encoder, claims, documents, ids, message):
    with pytest.raises(InputError, match=message):
        select_evidence(claims, documents, ids, hashing_encoder)


@pytest.mark.parametrize("share", ["0.5", True, None])
def test_min_share_is_a_number(hashing_encoder, share):
    with pytest.raises(InputError, match="`min_share` is "):
        select_evidence(["d"], [[]], ["d"], hashing_encoder, min_share=share)


@pytest.mark.parametrize("given", ["bundled", Sizes, object()])
def test_an_image_encoder_can_embed_images(corpus, tmp_path, built, hashing_encoder, given):
    with pytest.raises(InputError, match=r"`image_encoder` is .*, expected an object with a method embed_images"):
        build_index(corpus, tmp_path / "new", encoder=hashing_encoder, image_encoder=given)
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match=r"`image_encoder` is .*, expected an object with a method embed_images"):
        open_index(built, encoder=hashing_encoder, image_encoder=given)
