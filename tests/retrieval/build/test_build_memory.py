"""Indexes of tables and of what the caller holds, with and without a folder."""

import tempfile
from pathlib import Path

import datasets
import pandas as pd
import pyarrow as pa
import pytest
from corpora import ROWS

from retrieval import InputError, build_index, open_index

ROW_TEXTS = [{**row, "text": row["text"] if isinstance(row["text"], str) else " ".join(row["text"])} for row in ROWS]
TABLES = {
    "dicts": lambda: ROW_TEXTS,
    "generator": lambda: (row for row in ROW_TEXTS),
    "pyarrow": lambda: pa.Table.from_pylist(ROW_TEXTS),
    "batches": lambda: pa.Table.from_pylist(ROW_TEXTS).to_reader(max_chunksize=2),
    "pandas": lambda: pd.DataFrame(ROW_TEXTS, index=[7, 7, 7, 7]),
    "datasets": lambda: datasets.Dataset.from_list(ROW_TEXTS),
}


def hits(index):
    found = index.search(["the moon is not made of cheese", "Tiber"], top_k=3, filters={"language": "en"})
    return [[(hit.document_id, hit.sentence, hit.text) for hit in row] for row in found]


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_in_memory_finds_what_its_file_finds(built, hashing_encoder, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    index = build_index(TABLES[kind](), encoder=hashing_encoder)
    assert hits(index) == hits(open_index(built, encoder=hashing_encoder))
    assert list(Path(tempfile.gettempdir()).iterdir()) == []  # and no file is left


def test_a_table_goes_into_a_folder_and_its_build_continues(hashing_encoder, tmp_path, monkeypatch):
    import retrieval.build.build as build_module

    with monkeypatch.context() as patch:
        patch.setattr(build_module, "assemble", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build_index(ROW_TEXTS, tmp_path / "index", encoder=hashing_encoder, cache=False)
    plan = (tmp_path / "index" / "building" / "plan.json").read_bytes()
    encoded = hashing_encoder.encoded
    build_index(pa.Table.from_pylist(ROW_TEXTS[:3]), tmp_path / "other", encoder=hashing_encoder)
    assert hashing_encoder.encoded > encoded
    encoded = hashing_encoder.encoded
    build_index(list(ROW_TEXTS), tmp_path / "index", encoder=hashing_encoder, cache=False)
    assert hashing_encoder.encoded == encoded, plan
    assert hits(open_index(tmp_path / "index", encoder=hashing_encoder))


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (5, "`corpus` is int, expected a path, a table or an iterable of dicts"),
        ([{"text": "a"}, "b"], "corpus, row 1: expected a dict, found str"),
        ([{"words": "a"}], "corpus, row 0: no text; found words"),
        ([], "holds no document"),
        (pa.table({"text": ["a", "b"], "id": ["1", "1"]}), "occur more than once"),
    ],
)
def test_what_is_no_corpus_is_refused(hashing_encoder, corpus, message):
    with pytest.raises(InputError, match=message):
        build_index(corpus, encoder=hashing_encoder)
