"""What the retrieval tests share: a small real encoder, and where the development data is."""

import os
from pathlib import Path

import pytest
from corpora import ROWS, HashingEncoder, write_jsonl

from retrieval import build_index


@pytest.fixture
def hashing_encoder():
    return HashingEncoder()


@pytest.fixture(scope="session")
def data_root():
    root = Path(os.environ.get("FACTCHECK_DATA", "no folder named"))
    if not root.is_dir():
        pytest.skip("needs development data; set FACTCHECK_DATA to their folder")
    return root


@pytest.fixture
def corpus(tmp_path):
    return write_jsonl(tmp_path / "corpus.jsonl", ROWS)


@pytest.fixture
def built(corpus, tmp_path, hashing_encoder):
    build_index(corpus, tmp_path / "index", encoder=hashing_encoder)
    return tmp_path / "index"


@pytest.fixture
def logged(caplog):
    """The messages that a call logs as warnings: ``logged(call, *arguments, **options)`` gives them and the call's result."""

    def run(call, *arguments, **options):
        caplog.clear()
        with caplog.at_level("WARNING", logger="retrieval"):
            result = call(*arguments, **options)
        return [record.getMessage() for record in caplog.records if record.name == "retrieval"], result

    return run
