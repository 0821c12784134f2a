"""The folder of an index: whose it is, while it is rebuilt, opened or killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from corpora import ROWS, write_jsonl

import retrieval.build.build as build_module
from retrieval import InputError, build_index, open_index
from retrieval.build.folder import only_one_build


def test_second_build_in_one_folder_is_refused(corpus, tmp_path, hashing_encoder):
    out = tmp_path / "index"
    out.mkdir()
    with only_one_build(out), pytest.raises(InputError, match="another build is running"):
        build_index(corpus, out, encoder=hashing_encoder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", '{"name": "my web app"}'),
        ("manifest.json", "no JSON"),
        ("building/house.txt", "a house"),
        ("data-raw/x.csv", "a,b"),
        ("notes.txt", "mine"),
    ],
)
def test_nobodys_folder_is_taken_for_an_index(corpus, tmp_path, hashing_encoder, name, content):
    path = tmp_path / "project" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(InputError, match=rf"holds '{name.split('/')[0]}', which no index build wrote"):
        build_index(corpus, tmp_path / "project", encoder=hashing_encoder)
    assert [p for p in (tmp_path / "project").rglob("*") if p.is_file()] == [path]
    assert path.read_text() == content


def test_what_lies_beside_an_index_is_left_alone(corpus, built, hashing_encoder):
    (built / "data-raw").mkdir()
    (built / "data-raw" / "x.csv").write_text("mine")
    (built / "notes.txt").write_text("mine")
    write_jsonl(corpus, ROWS[:2])
    build_index(corpus, built, encoder=hashing_encoder)
    assert (built / "notes.txt").read_text() == (built / "data-raw" / "x.csv").read_text() == "mine"
    assert sum(path.name.startswith("data-") for path in built.iterdir()) == 2


def test_a_rebuild_of_the_same_contents_never_takes_the_index_away(corpus, built, hashing_encoder, monkeypatch):
    (data,) = built.glob("data-*")
    before = data.stat().st_ino
    write = build_module.write_manifest
    monkeypatch.setattr(
        build_module, "write_manifest", lambda *args: (open_index(built, encoder=hashing_encoder), write(*args))
    )
    build_index(corpus, built, encoder=hashing_encoder)
    assert data.stat().st_ino == before
    (data / "documents.arrow").write_bytes(b"")  # a damaged one makes way
    monkeypatch.undo()
    build_index(corpus, built, encoder=hashing_encoder)
    assert [path.name for path in built.glob("data-*")] == [data.name + "-1"]
    assert open_index(built, encoder=hashing_encoder).search(["moon"])[0]


def test_an_index_that_is_replaced_while_it_is_opened(corpus, built, hashing_encoder, monkeypatch):
    import retrieval.search.search as search_module

    read, calls = search_module.read_manifest, []

    def read_and_replace(folder):
        manifest = read(folder)
        if not calls:
            calls.append(1)
            write_jsonl(corpus, ROWS[:2])
            build_index(corpus, built, encoder=hashing_encoder)
        return manifest

    monkeypatch.setattr(search_module, "read_manifest", read_and_replace)
    assert open_index(built, encoder=hashing_encoder).manifest["counts"]["documents"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": {}}, "files lack documents.arrow"),
        ({"files": []}, "files is list"),
        ({"encoder": {}}, "encoder lacks dimension"),
        ({"data": 5}, "data is int"),
        ({"data": "../elsewhere"}, "data is '../elsewhere'"),
    ],
)
def test_a_manifest_of_another_shape_is_refused(built, hashing_encoder, change, message):
    path = built / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        open_index(built, encoder=hashing_encoder)


@pytest.mark.parametrize("name", ["about.json", "vectors.npy", "sentences.arrow"])
@pytest.mark.parametrize("content", [None, b"", b"half"])
def test_a_damaged_shard_is_made_again(corpus, tmp_path, hashing_encoder, monkeypatch, name, content):
    monkeypatch.setattr(build_module, "SHARD_SENTENCES", 2)
    whole = build_index(corpus, tmp_path / "whole", encoder=hashing_encoder)
    assemble = build_module.assemble
    monkeypatch.setattr(build_module, "assemble", lambda *args: 1 / 0)
    out = tmp_path / "index"
    with pytest.raises(ZeroDivisionError):
        build_index(corpus, out, encoder=hashing_encoder)
    monkeypatch.setattr(build_module, "assemble", assemble)
    path = out / "building" / "shard-000001" / name
    path.unlink() if content is None else path.write_bytes(content)
    manifest = build_index(corpus, out, encoder=hashing_encoder)
    assert (manifest["files"], manifest["reused"] > 0) == (whole["files"], True)


def test_damage_of_the_embedding_cache(corpus, built, hashing_encoder):
    path = built / "embeddings.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("UPDATE vectors SET vector = x'0000'")
    db.close()
    manifest = build_index(corpus, built, encoder=hashing_encoder)
    assert (manifest["reused"], manifest["encoded"]) == (0, manifest["counts"]["sentences"])


def test_an_index_inside_its_corpus_is_no_part_of_it(tmp_path, hashing_encoder):
    (tmp_path / "a.txt").write_text("The moon has no air.")
    before = build_module._identity(tmp_path, tmp_path / "index")
    build_index(tmp_path, tmp_path / "index", encoder=hashing_encoder)
    assert build_module._identity(tmp_path, tmp_path / "index") == before


SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import retrieval.build.build
from corpora import HashingEncoder
class Slow(HashingEncoder):
    def encode(self, texts, *, batch_size=64):
        time.sleep(0.02)
        return super().encode(texts)
retrieval.build.build.SHARD_SENTENCES = 16
retrieval.build.build.build_index(sys.argv[2], sys.argv[3], encoder=Slow(), factory="IVF4,Flat")
"""


@pytest.mark.slow
def test_killed_at_random_moments_a_build_gives_the_same_index(tmp_path):
    rng = np.random.default_rng(0)
    vocabulary = ["".join(rng.choice(list("abcdefghij"), 5)) for _ in range(300)]
    texts = [". ".join(" ".join(rng.choice(vocabulary, 6)).capitalize() for _ in range(4)) for _ in range(200)]
    rows = [{"id": f"d{i}", "text": text} for i, text in enumerate(texts)]
    corpus = write_jsonl(tmp_path / "corpus.jsonl", rows)

    def start(out):
        command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[1]), str(corpus), str(out)]
        return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})

    assert start(tmp_path / "whole").wait() == 0
    kills = 0
    for _ in range(5):
        process = start(tmp_path / "killed")
        while process.poll() is None and not (tmp_path / "killed" / "building" / "plan.json").exists():
            time.sleep(0.02)
        try:
            process.wait(float(rng.uniform(0.0, 0.6)))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills >= 1
    assert start(tmp_path / "killed").wait() == 0
    whole, killed = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("whole", "killed"))
    assert killed["files"] == whole["files"]
    assert killed["counts"] == whole["counts"]
    assert not (tmp_path / "killed" / "building").exists()
