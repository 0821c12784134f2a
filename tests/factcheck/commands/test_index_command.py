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
    assert main(["index", "search", index, "--top-k", "1", "a kitten asleep", "--json", "a long bridge"]) == 0
    assert [json.loads(line)["document_id"] for line in capsys.readouterr().out.splitlines()] == ["b", "a"]
    assert main(["index", "search", index, "--top-k", "1", "cat", "--fast"]) == 2
    assert "unknown argument" in capsys.readouterr().err
    assert main(["index", "search", index, "cat", "bridge", "--date-before", "2020-01-01"]) == 0
    out = capsys.readouterr().out
    assert "sofa" not in out
    assert "[a #0] The bridge opened in 2019.  (Bridge, 2019-02-01)" in out
    assert main(["index", "info", index]) == 0
    out = capsys.readouterr().out
    assert "documents     2" in out
    assert "all checksums match" in out


def test_an_index_is_searched_with_the_runtime_it_was_built_with(corpus, tmp_path, capsys):
    index = str(tmp_path / "index")
    assert main(["index", "build", str(corpus), "--out", index, "--runtime", "int8"]) == 0
    capsys.readouterr()
    assert main(["index", "search", index, "a kitten asleep", "--top-k", "1", "--method", "dense", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["document_id"] == "b"
    assert main(["index", "info", index]) == 0
    assert "-int8-rows, runtime int8" in capsys.readouterr().out
    # In the same folder and cache, but vectors of another runtime are not taken for the same.
    assert main(["index", "build", str(corpus), "--out", index]) == 0
    assert "(3 texts encoded, 0 known)" in capsys.readouterr().out


def test_hits_are_scored_again_by_a_verdict_model(corpus, tmp_path, capsys, tiny_model):
    index = str(tmp_path / "index")
    assert main(["index", "build", str(corpus), "--out", index]) == 0
    capsys.readouterr()
    search = ["index", "search", index, "The bridge opened in 2019.", "--json"]
    assert main(search) == 0
    plain = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main([*search, "--rerank", str(tiny_model)]) == 0
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(hit["text"] for hit in again) == sorted(hit["text"] for hit in plain)
    assert [hit["score"] for hit in again] != [hit["score"] for hit in plain]
    assert [hit["score"] for hit in again] == sorted((hit["score"] for hit in again), reverse=True)
    assert main([*search, "--rerank", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["build", "nothing.jsonl", "--out", "x"], "no such file or folder"),
        (["search", "nothing", "query"], "no manifest.json there"),
        (["info", "nothing"], "no manifest.json there"),
        (["build", "{corpus}", "--out", "x", "--columns", "text=body"], "no column 'body'"),
        (["build", "{corpus}", "--out", "x", "--photos", "nowhere"], "nowhere"),
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
    from factcheck.sample import sample_folder
    from factcheck.verification.image_vectors import ImageVectors
    from retrieval import open_index

    sample = sample_folder()
    assert (
        main(["index", "build", str(sample / "corpus.jsonl"), "--out", str(tmp_path / "i"), "--photos", "bundled"]) == 0
    )
    index = open_index(tmp_path / "i", method="bm25", image_encoder=ImageVectors("bundled"))
    rows = [json.loads(line) for line in (sample / "corpus.jsonl").read_text("utf-8").splitlines()]
    row = next(row for row in rows if row.get("image"))
    (hits,) = index.images.search([(sample / row["image"]).read_bytes()], top_k=2)
    assert hits[0].document_id == row["id"]
    assert hits[0].score == pytest.approx(1, abs=0.01)
    assert hits[0].metadata["photo"].endswith(row["image"])


@pytest.mark.slow
def test_a_claims_photo_found_again_is_shown_with_the_verdict(tmp_path, capsys, tiny_model, photo):
    rows = [
        {"id": "flood", "text": "The street was under water in 2012.", "date": "2012-05-01", "image": "flood.jpg"},
        {"id": "later", "text": "The water came back.", "date": "2024-01-01", "image": "flood.jpg"},
        {"id": "parade", "text": "They marched.", "title": "Parade", "image": "parade.jpg"},
    ]
    (tmp_path / "flood.jpg").write_bytes(photo(1))
    (tmp_path / "parade.jpg").write_bytes(photo(2))
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    claims = [
        {"id": "old photo", "claim": "Flood in our city", "claim_image": "flood.jpg", "date": "2020-02-02"},
        {"id": "broken", "claim": "Flood in our city", "claim_image": "broken.jpg"},
        {"id": "no photo", "claim": "They marched"},
        {"id": "own", "claim": "They marched", "document": "They marched.", "claim_image": "parade.jpg"},
    ]
    (tmp_path / "claims.jsonl").write_text("".join(json.dumps(row) + "\n" for row in claims))
    index, out = str(tmp_path / "index"), tmp_path / "verdicts.jsonl"
    assert main(["index", "build", str(tmp_path / "corpus.jsonl"), "--out", index, "--photos", "bundled"]) == 0
    verify = ["verify", str(tmp_path / "claims.jsonl"), "--evidence", index, "--model", str(tiny_model)]
    assert main([*verify, "--out", str(out)]) == 0
    found = {row["id"]: row["photo_evidence"] for row in map(json.loads, out.read_text("utf-8").splitlines())}
    item = found["old photo"][0]
    # What was published after the claim is left out.
    assert "later" not in {other["document_id"] for other in found["old photo"]}
    assert item.pop("score") == pytest.approx(1, abs=0.01)
    text = "The street was under water in 2012."
    assert item == {"document_id": "flood", "photo": "flood.jpg", "text": text, "date": "2012-05-01"}
    assert (found["broken"], found["no photo"], found["own"]) == (None, None, None)
    assert main([*verify, "--out", str(out), "--photos", "none"]) == 0
    assert all(json.loads(line)["photo_evidence"] is None for line in out.read_text("utf-8").splitlines())

    capsys.readouterr()
    assert main(["index", "search", index, "--photo", str(tmp_path / "parade.jpg"), "--top-k", "1"]) == 0
    assert "[parade photo] Parade  (Parade, parade.jpg)" in capsys.readouterr().out
    assert main(["index", "search", index, "parade", "--captions", "--top-k", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["photo"] == "parade.jpg"
    assert main(["index", "search", index]) == 2
    assert "neither a query nor --photo" in capsys.readouterr().err
    assert main(["index", "search", index, "--photo", "nowhere.jpg"]) == 2
    assert "--photo nowhere.jpg: No such file" in capsys.readouterr().err


def test_dates_that_cannot_be_read_are_counted(tmp_path, capsys):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps({"id": "a", "text": "The moon.", "date": "05/03/2020"}) + "\n")
    assert main(["index", "build", str(corpus), "--out", str(tmp_path / "index")]) == 0
    assert "factcheck: warning: dates that could not be read: 1, the first '05/03/2020'" in capsys.readouterr().err
