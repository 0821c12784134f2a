"""What the retrieval tests share: a small real encoder, and where the development data is."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from corpora import ROWS, write_jsonl

from retrieval import build_index
from retrieval.encoders.base import TextEncoder
from retrieval.text.words import words


class HashingEncoder(TextEncoder):
    """Words hashed into a vector: deterministic, instant, and near where texts share words."""

    def __init__(self, dimension=48):
        self._dimension = dimension
        self.encoded = 0

    @property
    def dimension(self):
        return self._dimension

    @property
    def fingerprint(self):
        return f"hashing-{self._dimension}"

    def encode(self, texts, *, batch_size=64):
        self.encoded += len(texts)
        vectors = np.zeros((len(texts), self._dimension), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in words(text) or ["?"]:
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                vector += np.random.default_rng(int.from_bytes(digest, "big")).standard_normal(self._dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def hashing_encoder():
    return HashingEncoder()


@pytest.fixture(scope="session")
def data_root():
    root = Path(os.environ.get("FACTCHECK_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no development data at {root}; set FACTCHECK_DATA")
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
