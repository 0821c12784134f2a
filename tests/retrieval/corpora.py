"""A small corpus, how to write one, and an encoder that needs no weights."""

import hashlib
import json

import numpy as np

from retrieval.encoders.base import TextEncoder
from retrieval.text.words import words

ROWS = [
    {
        "id": "moon",
        "title": "The Moon",
        "text": "The Moon orbits the Earth. It has no air.",
        "date": "2019-05-01",
        "source": "nasa.example",
        "language": "en",
    },
    {
        "id": "cheese",
        "title": "Cheese",
        "text": "Cheese is made from milk. The moon is not made of cheese.",
        "date": "2021-03",
        "source": "food.example",
        "language": "en",
        "author": "B. Rie",
    },
    {
        "id": "rome",
        "text": ["Rome is the capital of Italy.", "It lies on the Tiber."],
        "source": "geo.example",
        "language": "en",
    },
    {
        "id": "rom",
        "text": "Rom ist die Hauptstadt von Italien. Die Stadt liegt am Tiber.",
        "date": "2020",
        "source": "geo.example",
        "language": "de",
    },
]


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


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
