"""``factcheck index``, with the bundled encoder."""

import json

import pytest

from factcheck.cli import main


@pytest.fixture
def corpus(tmp_path):
    rows = [
        {"id": "a", "text": "The bridge opened in 2019. It is long.", "date": "2019-02-01", "title": "Bridge"},
        {"id": "b", "text": "A cat slept on the sofa.", "date": "2022-02-01"},
    ]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_build_search_info(corpus, tmp_path, capsys):
    index = str(tmp_path / "index")
    assert main(["index", "build", str(corpus), "--out", index]) == 0
    assert "2 documents, 3 sentences, 0 photos (3 texts encoded, 0 known), FAISS Flat" in capsys.readouterr().out
    assert main(["index", "search", index, "a kitten asleep", "--top-k", "1", "--json"]) == 0
    hit = json.loads(capsys.readouterr().out)
    assert (hit["document_id"], hit["text"]) == ("b", "A cat slept on the sofa.")
    assert main(["index", "search", index, "cat", "bridge", "--date-before", "2020-01-01"]) == 0
    out = capsys.readouterr().out
    assert "sofa" not in out
    assert "[a #0] The bridge opened in 2019.  (Bridge, 2019-02-01)" in out
    assert main(["index", "info", index]) == 0
    out = capsys.readouterr().out
    assert "documents     2" in out
    assert "all checksums match" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["build", "nothing.jsonl", "--out", "x"], "no such file or folder"),
        (["search", "nothing", "query"], "no manifest.json there"),
        (["info", "nothing"], "no manifest.json there"),
        (["build", "{corpus}", "--out", "x", "--columns", "text=body"], "no column 'body'"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(corpus, argv, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["index", *(a.format(corpus=corpus) for a in argv)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_photos_of_the_sample_are_found_again(tmp_path):
    from factcheck.commands.index import _PhotoVectors
    from factcheck.sample import sample_folder
    from retrieval import open_index

    sample = sample_folder()
    assert (
        main(["index", "build", str(sample / "corpus.jsonl"), "--out", str(tmp_path / "i"), "--photos", "bundled"]) == 0
    )
    index = open_index(tmp_path / "i", method="bm25", image_encoder=_PhotoVectors("bundled"))
    rows = [json.loads(line) for line in (sample / "corpus.jsonl").read_text("utf-8").splitlines()]
    row = next(row for row in rows if row.get("image"))
    (hits,) = index.photos.search([(sample / row["image"]).read_bytes()], top_k=2)
    assert hits[0].document_id == row["id"]
    assert hits[0].score == pytest.approx(1, abs=0.01)
    assert hits[0].metadata["photo"].endswith(row["image"])
