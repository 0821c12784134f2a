"""What a build makes of other people's files, of its own damaged ones, and of its own interrupted removals."""

import json
import re
import shutil
import sqlite3

import numpy as np
import pytest

import retrieval.build.build as build_module
import retrieval.search.search as search_module
from retrieval import InputError, build_index, open_index
from retrieval.encoders.cache import EmbeddingCache


def write_corpus(path, count=8):
    rows = ({"id": str(i), "text": f"Moon number {i}. Sun number {i}."} for i in range(count))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(tmp_path / "corpus.jsonl")


@pytest.fixture
def built(corpus, tmp_path, hashing_encoder):
    build_index(corpus, tmp_path / "index", encoder=hashing_encoder)
    return tmp_path / "index"


@pytest.fixture
def unfinished(corpus, tmp_path, hashing_encoder, monkeypatch):
    """A folder whose first build was cut off when all four shards were written."""
    monkeypatch.setattr(build_module, "SHARD_SENTENCES", 4)
    with monkeypatch.context() as patch:
        patch.setattr(build_module, "assemble", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build_index(corpus, tmp_path / "index", encoder=hashing_encoder)
    assert len(list((tmp_path / "index" / "building").glob("shard-*"))) == 4
    return tmp_path / "index"


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"building/plan.json": '{"rooms": 3}', "building/house.txt": "a house"}, "building"),
        ({"manifest.json": '{"name": "app"}', "data-0123456789abcdef/x.csv": "mine"}, r"manifest\.json"),
        ({"manifest.json": '{"name": "app"}', "data-0123456789abcdef/index/x": "mine"}, r"manifest\.json"),
        ({".lock": "another program"}, r"\.lock"),
    ],
)
def test_names_alone_make_no_index(corpus, tmp_path, hashing_encoder, files, named):
    project = tmp_path / "project"
    for name, content in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(content)
    with pytest.raises(InputError, match=rf"holds '({named})"):
        build_index(corpus, project, encoder=hashing_encoder)
    assert {p.relative_to(project).as_posix(): p.read_text() for p in project.rglob("*") if p.is_file()} == files


def test_a_data_folder_of_somebody_else_stays(corpus, built, hashing_encoder):
    (built / "data-0123456789abcdef").mkdir()
    (built / "data-0123456789abcdef" / "x.csv").write_text("mine")
    left = built / "data-fedcba9876543210"  # of an earlier build of ours, its removal interrupted
    (left / "index").mkdir(parents=True)
    build_index(corpus, built, encoder=hashing_encoder)
    assert (built / "data-0123456789abcdef" / "x.csv").read_text() == "mine"
    assert not left.exists()


def test_a_damaged_manifest_is_built_again_in_a_folder_of_ours_only(corpus, built, hashing_encoder):
    (built / "manifest.json").write_text("{")
    build_index(corpus, built, encoder=hashing_encoder)
    shutil.rmtree(next(built.glob("data-*")))
    (built / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"holds 'manifest\.json'"):
        build_index(corpus, built, encoder=hashing_encoder)


@pytest.mark.parametrize("calls", range(6))
@pytest.mark.parametrize("changed", [False, True])
def test_an_interrupted_removal_leaves_a_build_that_can_be_continued(
    unfinished, corpus, tmp_path, hashing_encoder, monkeypatch, calls, changed
):
    if changed:
        write_corpus(corpus, 9)
    remove, count = shutil.rmtree, []

    def interrupted(path, **options):
        if "building" in str(path) and path.name != "final":
            count.append(path)
            if len(count) > calls:
                (path / "about.json").unlink(missing_ok=True)
                raise KeyboardInterrupt
        remove(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(build_module.shutil, "rmtree", interrupted)
        try:
            build_index(corpus, unfinished, encoder=hashing_encoder)
        except KeyboardInterrupt:
            pass
        else:
            assert calls == 5
            assert not changed
    again = build_index(corpus, unfinished, encoder=hashing_encoder)
    assert again["counts"]["documents"] == 8 + changed
    assert again["files"] == build_index(corpus, tmp_path / "whole", encoder=hashing_encoder)["files"]
    assert not (unfinished / "building").exists()


@pytest.mark.parametrize("number", range(4))
def test_a_shard_that_is_gone_is_made_again(unfinished, corpus, tmp_path, hashing_encoder, number):
    shutil.rmtree(unfinished / "building" / f"shard-{number:06d}")
    assert (unfinished / "building" / "complete").is_file()
    manifest = build_index(corpus, unfinished, encoder=hashing_encoder)
    assert manifest["files"] == build_index(corpus, tmp_path / "whole", encoder=hashing_encoder)["files"]


def test_documents_of_a_corpus_do_not_come_from_the_index_inside_it(tmp_path, hashing_encoder):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("The moon has no air.")
    build_index(docs, docs / "index", encoder=hashing_encoder)
    (docs / "index" / "notes.md").write_text("What I found.")
    (docs / "index-of-places.txt").write_text("Rome.")
    assert build_index(docs, docs / "index", encoder=hashing_encoder)["counts"]["documents"] == 2


def test_a_corpus_inside_the_index_folder_has_an_identity(built):
    inside = write_corpus(built / "corpus.jsonl", 1)
    before = build_module._identity(inside, built)
    write_corpus(inside, 2)
    assert build_module._identity(inside, built) != before


def damage_pages(path):
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def other_columns(path):
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE vectors RENAME COLUMN key TO other")
    db.close()


@pytest.mark.parametrize("damage", [damage_pages, other_columns, lambda path: path.write_bytes(b"no database" * 500)])
def test_a_damaged_cache_is_set_aside(corpus, built, hashing_encoder, damage, logged):
    path = built / "embeddings.sqlite"
    damage(path)
    damaged = path.read_bytes()
    (message,), manifest = logged(build_index, corpus, built, encoder=hashing_encoder)
    assert re.search(r"embeddings\.sqlite is damaged .*renamed to embeddings\.sqlite\.damaged1", message)
    assert manifest["encoded"] == 16
    assert (built / "embeddings.sqlite.damaged1").read_bytes() == damaged
    assert build_index(corpus, built, encoder=hashing_encoder)["reused"] == 16


def test_a_file_given_as_cache_that_is_none_is_refused(corpus, tmp_path, hashing_encoder):
    (tmp_path / "thesis.docx").write_bytes(b"years of work" * 500)
    db = sqlite3.connect(tmp_path / "other.db")
    db.execute("CREATE TABLE vectors (name TEXT)")
    db.close()
    for name in ("thesis.docx", "other.db"):
        with pytest.raises(InputError, match=f"{name} is not an embedding cache"):
            build_index(corpus, tmp_path / "index", encoder=hashing_encoder, cache=tmp_path / name)
    assert (tmp_path / "thesis.docx").read_bytes() == b"years of work" * 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.jsonl", "index", "other.db", "thesis.docx"]


def test_cached_values_that_are_no_vectors_count_as_missing(tmp_path, hashing_encoder):
    cache = EmbeddingCache(tmp_path / "c.sqlite")
    expected = cache.encode(hashing_encoder, ["moon", "sun", "star"])
    with sqlite3.connect(tmp_path / "c.sqlite") as db:
        keys = [key for (key,) in db.execute("SELECT key FROM vectors")]
        values = [b"", b"\0\0", "x" * 96]
        db.executemany("UPDATE vectors SET vector = ? WHERE key = ?", zip(values, keys, strict=True))
    db.close()
    np.testing.assert_array_equal(cache.encode(hashing_encoder, ["moon", "sun", "star"]), expected)
    assert cache.encoded == 6
    cache.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": {"name": None, "fingerprint": 5, "dimension": 48}}, "fingerprint is int"),
        ({"encoder": 5}, "encoder is int"),
        ({"counts": {}}, "counts lacks documents"),
        ({"factory": None}, "factory is NoneType"),
        ({"files": {"documents.arrow": {}}}, "files lack index/dense/index.json"),
        ({"counts": {"documents": 8, "sentences": 16, "photos": 1}}, r"files lack caption/index\.json"),
    ],
)
def test_manifests_of_other_shapes(built, hashing_encoder, change, message):
    path = built / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | change))
    with pytest.raises(InputError, match=rf"manifest\.json is damaged \({message}\); build the index again"):
        open_index(built, encoder=hashing_encoder)
    path.write_text(json.dumps(manifest | {"files": manifest["files"] | {"vectors.npy": {}}}))
    with pytest.raises(InputError, match=r"damaged \(entry of vectors\.npy\)"):
        open_index(built, encoder=hashing_encoder)


@pytest.mark.parametrize("step", ["verify_files", "EvidenceStore", "_own_index", "_encoder", "ImageSearch"])
def test_a_rebuild_at_any_step_of_opening_is_no_damage(corpus, built, hashing_encoder, monkeypatch, step):
    real, calls = getattr(search_module, step), []

    def replaced(*args, **options):
        if not calls:
            calls.append(1)
            write_corpus(corpus, 3)
            build_index(corpus, built, encoder=hashing_encoder)
            if step == "ImageSearch":
                raise InputError("photo holds no readable FAISS index")  # this corpus has none to open
        return real(*args, **options)

    monkeypatch.setattr(search_module, step, replaced)
    opened = open_index(built, encoder=hashing_encoder)
    # What is mapped already may be searched to its end.
    assert opened.manifest["counts"]["documents"] == (8 if step == "_encoder" else 3)
    assert opened.search(["moon number 2"], top_k=1)[0][0].document_id == "2"


def test_a_file_that_goes_while_it_is_verified_is_named(built, hashing_encoder, monkeypatch):
    import retrieval.manifest as manifest_module

    def gone(path):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(manifest_module, "_sha256", gone)
    with pytest.raises(InputError, match=r"documents\.arrow cannot be read \(No such file or directory\)"):
        open_index(built, encoder=hashing_encoder)
