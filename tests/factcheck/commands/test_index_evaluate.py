"""``factcheck index evaluate`` on a small BEIR folder, against values worked out by hand."""

import json

import pytest

from factcheck.cli import main
from retrieval.errors import InputError
from retrieval.search.evaluation import rank_documents

pytest.importorskip("ir_measures", reason="needs the extra 'eval'")

TEXTS = {
    "cats": "A cat slept on the sofa. Kittens like milk.",
    "bridge": "The bridge opened in 2019. It is long.",
    "copy": "The bridge opened in 2019.",
    "rain": "It rained all day in Bergen.",
}
QUERIES = {"q1": "a sleeping cat", "q2": "When was the bridge opened?", "rain": "It rained all day in Bergen."}


@pytest.fixture
def beir(tmp_path):
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", TEXTS), ("queries", QUERIES)):
        lines = (json.dumps({"_id": key, "text": text}) + "\n" for key, text in rows.items())
        (folder / f"{name}.jsonl").write_text("".join(lines))
    judged = "query-id\tcorpus-id\tscore\nq1\tcats\t1\nq2\tbridge\t1\nq2\tcopy\t1\nq2\train\t0\nrain\tcats\t1\n"
    (folder / "qrels" / "test.tsv").write_text(judged)
    return folder


@pytest.fixture
def index(beir, tmp_path, capsys):
    assert main(["index", "build", str(beir), "--out", str(tmp_path / "index")]) == 0
    capsys.readouterr()
    return tmp_path / "index"


def test_methods_side_by_side(beir, index, tmp_path, capsys):
    out = tmp_path / "figures.json"
    assert main(["index", "evaluate", str(index), str(beir), "--measures", "R@1,R@2,RR", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("queries: 3; up to 100 documents each")
    assert [line.split()[0] for line in lines[2:]] == ["hybrid", "dense", "bm25"]
    figures = json.loads(out.read_text())
    assert (figures["queries"], figures["split"]) == (3, "test")
    dense = figures["methods"]["dense"]
    # q1 and q2 find theirs at once, q2 two of two at rank 2; of "rain" the only relevant document is about cats, and the
    # document of the query's own id, word for word the query, is left out.
    assert dense["R@1"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert dense["R@2"] >= (1 + 1 + 0) / 3
    assert dense["RR"] >= (1 + 1 + 1 / 3) / 3


def test_documents_are_searched_until_there_are_enough(tmp_path):
    """The sentences of one long document fill the first search; the documents behind it are found all the same."""
    from retrieval import build_index, open_index

    corpus = tmp_path / "corpus.jsonl"
    long = " ".join(f"The bridge number {i} opened in 2019." for i in range(40))
    rows = [{"id": "long", "text": long}, *({"id": name, "text": text} for name, text in TEXTS.items())]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(corpus, tmp_path / "index")
    search = open_index(tmp_path / "index", unique=False)
    run = rank_documents(search, {"q": "The bridge opened in 2019."}, depth=3)
    assert len(run["q"]) == 3
    assert {"long", "bridge", "copy"} == set(run["q"])
    scores = list(run["q"].values())
    assert scores == sorted(scores, reverse=True)
    assert set(rank_documents(search, {"copy": TEXTS["copy"]}, depth=9)["copy"]) == {"long", *TEXTS} - {"copy"}
    with pytest.raises(InputError, match="`depth` is 0"):
        rank_documents(search, {"q": "bridge"}, depth=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--split", "dev"], "no qrels/dev.tsv in it"),
        (["--measures", "recall@ten"], "unknown measure"),
    ],
)
def test_mistakes_show_before_the_search(beir, index, change, message, capsys):
    assert main(["index", "evaluate", str(index), str(beir), *change]) == 2
    assert message in capsys.readouterr().err


def test_another_corpus_is_refused_and_a_part_of_it_said(beir, index, capsys):
    qrels = beir / "qrels" / "test.tsv"
    qrels.write_text("q1\tcats\t1\nq1\tdogs\t1\n")
    assert main(["index", "evaluate", str(index), str(beir), "--method", "bm25"]) == 0
    captured = capsys.readouterr()
    assert "1 of 2 relevant documents are not in the index" in captured.err
    assert "0.5000" in captured.out
    qrels.write_text("q1\tdogs\t1\n")
    assert main(["index", "evaluate", str(index), str(beir), "--method", "bm25"]) == 2
    assert "built of this data set's corpus" in capsys.readouterr().err
    qrels.write_text("q9\tcats\t1\n")
    assert main(["index", "evaluate", str(index), str(beir)]) == 2
    assert "no judged query is in queries.jsonl" in capsys.readouterr().err


def test_nothing_that_is_read_is_overwritten(beir, index, capsys):
    before = {path: path.read_bytes() for folder in (beir, index) for path in folder.rglob("*") if path.is_file()}
    for out in (
        index / "manifest.json",
        index / "figures.json",
        beir / "queries.jsonl",
        beir / "qrels" / "test.tsv",
        "-",
    ):
        assert main(["index", "evaluate", str(index), str(beir), "--method", "bm25", "--out", str(out)]) == 2
        assert "--out" in capsys.readouterr().err
    assert {
        path: path.read_bytes() for folder in (beir, index) for path in folder.rglob("*") if path.is_file()
    } == before


def test_judgements_that_call_nothing_relevant(beir, index, capsys):
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tcats\t0\n")
    assert main(["index", "evaluate", str(index), str(beir)]) == 2
    assert "calls no document relevant" in capsys.readouterr().err


def test_a_quotation_mark_in_an_id_is_a_character(tmp_path):
    from retrieval.search.evaluation import read_qrels

    (tmp_path / "q.tsv").write_text('q1\t"a\t1\nq2\tb\t1\n')
    assert read_qrels(tmp_path / "q.tsv") == {"q1": {'"a': 1}, "q2": {"b": 1}}
