"""``factcheck index``: what is refused before anything is loaded, with nothing written."""

import json

import pytest

from factcheck.cli import main


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text(json.dumps({"id": "a", "text": "The bridge opened in 2019."}) + "\n")
    return path


def refused(capsys, *arguments):
    assert main(["index", *map(str, arguments)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    return err


@pytest.fixture(autouse=True)
def no_heavy_import(monkeypatch):
    monkeypatch.setattr("factcheck.commands.common.quiet_libraries", None)  # called just before the first


def test_a_folder_that_is_no_index_is_left_alone(corpus, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    err = refused(capsys, "build", corpus, "--out", tmp_path / "mine")
    assert "mine holds 'thesis.txt', which no index build wrote" in err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert "is a file; name a folder" in refused(capsys, "build", corpus, "--out", corpus)


def test_the_cache_is_not_the_corpus(corpus, tmp_path, capsys):
    err = refused(capsys, "build", corpus, "--out", tmp_path / "i", "--cache", corpus)
    assert "is the corpus itself and would overwrite it" in err
    assert not (tmp_path / "i").exists()


def test_a_corpus_without_documents(tmp_path, capsys):
    (tmp_path / "empty.csv").write_text("id,text\n")
    assert "holds no document" in refused(capsys, "build", tmp_path / "empty.csv", "--out", tmp_path / "i")
    assert not (tmp_path / "i").exists()


@pytest.fixture
def index(tmp_path):
    """What an index folder says of itself."""
    from retrieval.manifest import _FILES

    manifest = {
        "format_version": 1,
        "data": "data-" + 16 * "0",
        "encoder": {"name": "bundled", "fingerprint": "x", "dimension": 384},
        "files": {name: {"bytes": 1, "sha256": "x"} for name in _FILES},
        "counts": {"documents": 1, "sentences": 1, "photos": 0},
        "factory": "Flat",
        "image_encoder": None,
        "preset": "fast",
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_an_empty_query(index, capsys):
    assert "found an empty query" in refused(capsys, "search", index, " ")


def test_a_query_photo_that_is_none_is_named(index, capsys):
    notes = index / "notes.txt"
    notes.write_text("no photo")
    err = refused(capsys, "search", index, "--photo", notes)
    assert f"--photo {notes}: not an image; name a photo file" in err
