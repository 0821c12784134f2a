"""Building, resuming, opening and refusing an index."""

import json

import numpy as np
import pytest
from corpora import ROWS, write_jsonl

import retrieval.build.build as build_module
from retrieval import InputError, build_index, open_index
from retrieval.build.assemble import check_unique
from retrieval.build.corpus import read_corpus


def ids(hits):
    return [hit.document_id for hit in hits]


@pytest.mark.parametrize("method", ["hybrid", "dense", "bm25"])
def test_search_finds_the_sentence_with_its_span(built, hashing_encoder, method):
    index = open_index(built, encoder=hashing_encoder, method=method)
    hits = index.search(["The Tiber flows through the capital of Italy", "moon made of cheese"], top_k=3)
    assert len(hits[0]) >= 2
    first = hits[0][0]
    assert (first.document_id, first.sentence, first.start, first.end) == ("rome", 0, 0, 29)
    assert first.text == "Rome is the capital of Italy."
    best = hits[1][0]
    assert best.document_id == "cheese"
    assert ROWS[1]["text"][best.start : best.end] == best.text == "The moon is not made of cheese."
    assert best.metadata == {
        "title": "Cheese",
        "date": "2021-03",
        "source": "food.example",
        "language": "en",
        "author": "B. Rie",
    }
    assert [hit.score for hit in hits[0]] == sorted((hit.score for hit in hits[0]), reverse=True)


def test_filters(built, hashing_encoder):
    index = open_index(built, encoder=hashing_encoder, method="dense")

    def found(**filters):
        return set(ids(index.search(["moon cheese Rome Tiber"], top_k=20, filters=filters)[0]))

    assert found() == {"moon", "cheese", "rome", "rom"}
    assert found(date_before="2020-06-01") == {"moon", "rome"}  # "2020" may be later, no date may not be known
    assert found(date_before="2021-01-01") == {"moon", "rome", "rom"}
    assert found(date_before="2021-03-31") == {"moon", "rome", "rom"}
    assert found(date_after="2019-05-01") == {"cheese", "rome", "rom"}
    assert found(language="de") == {"rom"}
    assert found(source=["geo.example", "nasa.example"], language="en") == {"moon", "rome"}
    assert found(document_id="cheese") == {"cheese"}
    assert found(language="fr") == set()
    assert found(language=None) == found()
    with pytest.raises(InputError, match="unknown filter 'colour'"):
        found(colour="red")
    with pytest.raises(InputError, match="'yesterday' is no date"):
        found(date_before="yesterday")


def test_a_date_that_cannot_be_read_passes_no_date_filter(tmp_path, hashing_encoder, logged):
    dates = ["2020-3-5", "March 5, 2020", "05/03/2020", "1583402400", "2020-13-01", "2009-1-1", None, " "]
    rows = [{"id": str(i), "text": f"Moon {i}.", "date": date} for i, date in enumerate(dates)]
    corpus = write_jsonl(tmp_path / "c.jsonl", rows)
    (message,), _ = logged(build_index, corpus, tmp_path / "index", encoder=hashing_encoder)
    assert "could not be read: 3, the first '05/03/2020'" in message
    index = open_index(tmp_path / "index", encoder=hashing_encoder)

    def found(**filters):
        return sorted(ids(index.search(["moon"], top_k=20, filters=filters)[0]))

    assert found() == list("01234567")
    assert found(date_before="2010-01-01") == list("567")
    assert found(date_after="2010-01-01") == list("0167")
    assert found(date_after="2010-01-01", document_id=["2", "3"]) == []


@pytest.mark.parametrize("method", ["hybrid", "dense", "bm25"])
def test_copies_of_a_sentence_leave_room_for_others(tmp_path, hashing_encoder, method):
    rows = [{"id": f"copy{i}", "text": f"Page {i}. Dogs run on the beach."} for i in range(60)]
    rows += [{"id": f"other{i}", "text": f"Dogs number {i} walk far away."} for i in range(30)]
    build_index(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "index", encoder=hashing_encoder)
    for options in ({}, {"window": 1}, {"candidates": 5, "diversity": 0.1}):
        index = open_index(tmp_path / "index", encoder=hashing_encoder, method=method, **options)
        first, second = index.search(["dogs run on the beach", "dogs number walk"], top_k=5)
        assert [hit.document_id[:4] for hit in first] == ["copy"] + ["othe"] * 4
        assert len({hit.text for hit in second}) == 5
    assert first[0].text == "Dogs run on the beach."


@pytest.mark.parametrize("method", ["hybrid", "dense", "bm25"])
def test_more_is_asked_for_than_there_is(built, hashing_encoder, method):
    index = open_index(built, encoder=hashing_encoder, method=method)
    everything = index.search(["moon cheese Rome"], top_k=50)
    assert index.search(["moon cheese Rome"], top_k=10**9) == everything
    assert len(index.search(["moon cheese"], top_k=10**9, filters={"document_id": "moon"})[0]) in (1, 2)
    assert index.search(["moon"], top_k=10**9, filters={"language": "fr"}) == [[]]


def test_mapped_columns_win_over_columns_of_our_names(tmp_path, hashing_encoder):
    row = {"id": "a", "text": "Moon.", "title": "T", "headline": "H", "date": "2001", "published": "2020", "by": "B"}
    bare = {"id": "b", "text": "Sun.", "title": "T", "headline": "H", "date": "2001", "published": None}
    corpus = write_jsonl(tmp_path / "c.jsonl", [row, bare])
    columns = {"title": "headline", "date": "published"}
    build_index(corpus, tmp_path / "index", encoder=hashing_encoder, columns=columns)
    index = open_index(tmp_path / "index", encoder=hashing_encoder)
    assert index.search(["moon"], top_k=1)[0][0].metadata == {"title": "H", "date": "2020", "by": "B"}
    assert index.search(["sun"], top_k=1)[0][0].metadata == {"title": "H"}


def test_windows_duplicates_and_diversity(tmp_path, hashing_encoder):
    rows = [
        {"id": "a", "text": "First comes this. The comet is bright tonight. Last comes that."},
        {"id": "b", "text": "the comet is bright, TONIGHT"},
        {"id": "c", "text": "A comet is bright tonight again. Bright stars are no comets."},
    ]
    build_index(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "index", encoder=hashing_encoder)

    def search(**options):
        return open_index(tmp_path / "index", encoder=hashing_encoder, method="dense", **options).search(
            ["The comet is bright tonight"], top_k=3
        )[0]

    assert sorted(ids(search(unique=False))[:2]) == ["a", "b"]
    assert len({"a", "b"} & set(ids(search()))) == 1
    assert search(window=1, unique=False)[ids(search(unique=False)).index("a")].text == rows[0]["text"]
    plain, diverse = search(), search(diversity=0.9)
    assert plain[0] == diverse[0]
    assert plain[1].text == "A comet is bright tonight again."
    assert diverse[1].text != plain[1].text


def test_a_rebuild_encodes_only_what_is_new(corpus, tmp_path, hashing_encoder):
    first = build_index(corpus, tmp_path / "index", encoder=hashing_encoder)
    assert (first["encoded"], first["reused"]) == (8, 0)
    write_jsonl(corpus, [*ROWS, {"id": "new", "text": "Venus is hot. It has no air."}])
    second = build_index(corpus, tmp_path / "index", encoder=hashing_encoder)
    assert (second["encoded"], second["reused"]) == (1, 9)
    assert hashing_encoder.encoded == 9
    assert second["data"] != first["data"]
    assert not (tmp_path / "index" / first["data"]).exists()
    assert ids(open_index(tmp_path / "index", encoder=hashing_encoder).search(["hot Venus"], top_k=1)[0]) == ["new"]


def test_the_old_index_is_usable_until_the_new_one_is_complete(corpus, built, hashing_encoder, monkeypatch):
    old = open_index(built, encoder=hashing_encoder)
    before = old.search(["moon"], top_k=2)
    write_jsonl(corpus, ROWS[:1])

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(build_module, "write_manifest", fail)
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, built, encoder=hashing_encoder)
    assert open_index(built, encoder=hashing_encoder).search(["moon"], top_k=2) == before
    monkeypatch.undo()
    build_index(corpus, built, encoder=hashing_encoder)
    assert old.search(["moon"], top_k=2) == before  # its files stay mapped
    assert open_index(built, encoder=hashing_encoder).manifest["counts"]["documents"] == 1


def test_damage_is_refused_with_the_reason(built, hashing_encoder):
    manifest = json.loads((built / "manifest.json").read_text())
    data = built / manifest["data"]
    vectors = data / "vectors.npy"
    good = vectors.read_bytes()
    vectors.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(InputError, match=r"vectors\.npy has another checksum"):
        open_index(built, encoder=hashing_encoder)
    open_index(built, encoder=hashing_encoder, verify=False)
    vectors.write_bytes(good[:-10])
    with pytest.raises(InputError, match=rf"{len(good) - 10} bytes, expected {len(good)}"):
        open_index(built, encoder=hashing_encoder, verify=False)
    vectors.unlink()
    with pytest.raises(InputError, match=r"vectors\.npy is missing"):
        open_index(built, encoder=hashing_encoder)


def test_wrong_encoder_version_or_folder(built, hashing_encoder, tmp_path):
    with pytest.raises(InputError, match=r"built with encoder 'object' .*hashing-48.*hashing-16"):
        open_index(built, encoder=type(hashing_encoder)(16))
    with pytest.raises(InputError, match="built with an encoder object"):
        open_index(built)
    with pytest.raises(InputError, match=r"no manifest\.json"):
        open_index(tmp_path)
    path = built / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"format_version": 99}))
    with pytest.raises(InputError, match="format version 99, this software reads 1"):
        open_index(built, encoder=hashing_encoder)
    path.write_text("{")
    with pytest.raises(InputError, match="damaged"):
        open_index(built, encoder=hashing_encoder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "`method` is 'magic', expected one of hybrid, dense, bm25"),
        ({"diversity": 2}, "`diversity` is 2"),
        ({"window": -1}, "`window` is -1"),
    ],
)
def test_bad_options(built, hashing_encoder, options, message):
    with pytest.raises(InputError, match=message):
        open_index(built, encoder=hashing_encoder, **options)


def test_bad_corpora(tmp_path, hashing_encoder):
    def build(path, **options):
        return build_index(path, tmp_path / "index", encoder=hashing_encoder, **options)

    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "x.doc").write_text("x")
    (damaged / "x.jsonl").write_text('{"text": "x"}\n{\n')
    with pytest.raises(InputError, match="no such file"):
        build(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"unknown ending '\.doc'"):
        build(damaged / "x.doc")
    with pytest.raises(InputError, match=r"row 1 \(line 2\): not JSON"):
        build(damaged / "x.jsonl")
    with pytest.raises(InputError, match=r"row 0 \(line 1\): no text; found a"):
        build(write_jsonl(tmp_path / "y.jsonl", [{"a": "b"}]))
    with pytest.raises(InputError, match="no column 'b'"):
        build(write_jsonl(tmp_path / "y.jsonl", [{"a": "b"}]), columns={"text": "b"})
    with pytest.raises(InputError, match=r"1 document ids occur more than once.*'same'"):
        build(write_jsonl(tmp_path / "z.jsonl", [{"id": "same", "text": "a"}, {"id": "same", "text": "b"}]))
    with pytest.raises(InputError, match="holds no document"):
        build(write_jsonl(tmp_path / "e.jsonl", []))
    with pytest.raises(InputError, match="`preset` is"):
        build(tmp_path / "z.jsonl", preset="big")


def test_mistakes_of_a_corpus_show_before_anything_is_encoded(tmp_path, hashing_encoder):
    """The last row is wrong: hours would have gone into the rows before it."""
    stages = []
    rows = [{"id": str(i), "text": f"sentence {i}"} for i in range(3000)]
    twice = write_jsonl(tmp_path / "twice.jsonl", [*rows, {"id": "7", "text": "again"}])
    broken = write_jsonl(tmp_path / "broken.jsonl", rows)
    broken.write_text(broken.read_text() + "{\n")
    for path, message in ((twice, "more than once.*'7'"), (broken, r"\(line 3001\): not JSON")):
        with pytest.raises(InputError, match=message):
            build_index(
                path,
                tmp_path / "index",
                encoder=hashing_encoder,
                progress=lambda stage, done, total: stages.append((stage, done)),
            )
    assert {stage for stage, _ in stages} == {"checking"}
    assert max(done for _, done in stages) == 3001
    write_jsonl(twice, rows)
    assert build_index(twice, tmp_path / "index", encoder=hashing_encoder)["counts"]["documents"] == 3000


def test_ids_with_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr("pandas.util.hash_array", lambda values, categorize: np.zeros(len(values), np.uint64))
    check_unique(lambda: ["a", "b", "c"])
    with pytest.raises(InputError, match=r"1 document ids .* \(first: 'b'\)"):
        check_unique(lambda: ["a", "b", "c", "b"])
    check_unique(list)


def test_documents_without_sentences(tmp_path, hashing_encoder):
    path = write_jsonl(tmp_path / "c.jsonl", [{"id": "empty", "text": ""}, {"id": "blank", "text": " \n "}])
    assert build_index(path, tmp_path / "index", encoder=hashing_encoder)["counts"]["sentences"] == 0
    for method in ("hybrid", "dense", "bm25"):
        assert open_index(tmp_path / "index", encoder=hashing_encoder, method=method).search(["a"]) == [[]]


def test_corpus_formats_give_the_same_documents(tmp_path):
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"id": f"d{i}", "text": f'Line "one", {i}.\nLine\ttwo; größer.', "title": f"T{i}"} for i in range(3)]
    write_jsonl(tmp_path / "a.jsonl", rows)
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame(rows).to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    expected = list(read_corpus(tmp_path / "a.jsonl"))
    assert [d.text for d in expected] == [r["text"] for r in rows]
    for name in ("a.csv", "a.tsv", "a.parquet"):
        assert list(read_corpus(tmp_path / name)) == expected
    beir = tmp_path / "beir"
    beir.mkdir()
    write_jsonl(beir / "corpus.jsonl", [{"_id": r["id"], "title": r["title"], "text": r["text"]} for r in rows])
    assert [(d.id, d.text) for d in read_corpus(beir)] == [(r["id"], f"{r['title']}\n{r['text']}") for r in rows]
    texts = tmp_path / "texts" / "sub"
    texts.mkdir(parents=True)
    (texts / "b.txt").write_text("Two.")
    (tmp_path / "texts" / "a.md").write_text("One.")
    assert [(d.id, d.text) for d in read_corpus(tmp_path / "texts")] == [("a.md", "One."), ("sub/b.txt", "Two.")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", 'id,text\n1,"one\ntwo"\n2,"open\n3,three\n', r"row 1 \(line 4\): a quoted field is never closed"),
        ("a.csv", 'id,"text\n1,one\n', r"header: a quoted field is never closed"),
    ],
)
def test_a_quote_that_is_never_closed_is_told(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        list(read_corpus(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tsv", 'id\ttext\n1\tone\n\n3\t"open quote\n4\tfour\n', [("1", "one"), ("3", '"open quote'), ("4", "four")]),
        ("a.csv", 'id,text\n1,"one" more\n', [("1", '"one" more')]),
    ],
)
def test_marks_that_quote_nothing_belong_to_the_text(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    assert [(document.id, document.text) for document in read_corpus(tmp_path / name)] == expected


def test_nested_values_that_json_has_no_form_for(tmp_path, hashing_encoder):
    import datetime

    import pyarrow as pa
    import pyarrow.parquet as pq

    day = datetime.date(2020, 3, 5)
    row = {"text": "Moon.", "days": [day, None], "more": {"at": day, "on": True, "n": [float("nan"), 1.5]}}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    build_index(tmp_path / "a.parquet", tmp_path / "index", encoder=hashing_encoder)
    (hit,) = open_index(tmp_path / "index", encoder=hashing_encoder).search(["moon"])[0]
    more = {"at": "2020-03-05", "on": True, "n": ["nan", 1.5]}
    assert hit.metadata == {"days": ["2020-03-05", None], "more": more}
