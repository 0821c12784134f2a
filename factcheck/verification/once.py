"""Work done once a run: sentence vectors, encoded photos and split documents by their content.

None of this changes a result: a vector does not depend on the texts encoded with it, nor a photo's tokens on its neighbours.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from factcheck.data import document_sentences
from factcheck.data.images import decode_image
from factcheck.errors import InputError
from factcheck.judges.fusion import FusionJudge
from retrieval.content_cache import ContentCache, content_key
from retrieval.encoders.base import TextEncoder

if TYPE_CHECKING:
    from retrieval.text.sentences import Sentence

__all__ = ["EncodedOnce", "ImageStore", "SplitDocuments", "image_key"]

#: Bytes of sentence vectors and of encoded photos held in memory, each.
MEMORY = 128 * 2**20
_MOST_TEXTS = 2**16
_MOST_DOCUMENTS = 256

Key = TypeVar("Key")
Value = TypeVar("Value")


class _LruCache(Generic[Key, Value]):
    """A least-recently-used cache, bounded in the number of its values and in the sum of their sizes; safe from several threads."""

    def __init__(self, most: int, memory: int = MEMORY) -> None:
        self._most, self._memory = most, memory
        self._held: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def put(self, key: Key, value: Value, size: int) -> None:
        with self._lock:
            if key in self._held:
                return
            self._held[key] = (value, size)
            self._size += size
            while self._held and (len(self._held) > self._most or self._size > self._memory):
                self._size -= self._held.popitem(last=False)[1][1]


class EncodedOnce(TextEncoder):
    """A text encoder that remembers vectors: those used last in memory, and with a cache all of them on disk.

    Args:
        encoder: makes the vectors.
        cache: keeps them across runs, in 32 bits.
    """

    def __init__(self, encoder: TextEncoder, cache: ContentCache | None = None) -> None:
        self.encoder, self.cache = encoder, cache
        self._recent: _LruCache[str, np.ndarray] = _LruCache(_MOST_TEXTS)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.encoder.dimension

    @property
    def fingerprint(self) -> str:
        """The encoder's."""
        return self.encoder.fingerprint

    def encode(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Encode texts; see :meth:`TextEncoder.encode <retrieval.encoders.base.TextEncoder.encode>`."""
        found = {text: vector for text in dict.fromkeys(texts) if (vector := self._recent.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new and self.cache is not None:
            found |= self._stored(new, self.cache)
            new = [text for text in new if text not in found]
        if new:
            made = dict(zip(new, self.encoder.encode(new, batch_size=batch_size), strict=True))
            if self.cache is not None:
                self.cache.put({self._key(text): vector.tobytes() for text, vector in made.items()})
            found |= made
        for text, vector in found.items():
            # A copy of its own: a row of a batch's array would hold the whole array.
            self._recent.put(text, vector.copy(), vector.nbytes + 2 * len(text) + 200)
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for i, text in enumerate(texts):
            vectors[i] = found[text]
        return vectors

    def _stored(self, texts: Sequence[str], cache: ContentCache) -> dict[str, np.ndarray]:
        values = cache.get([self._key(text) for text in texts])
        size = 4 * self.dimension
        return {
            text: np.frombuffer(value, np.float32)
            for text, value in zip(texts, values, strict=True)
            if value is not None and len(value) == size
        }

    def _key(self, text: str) -> bytes:
        return content_key("vector", self.fingerprint, text)


def image_key(data: bytes) -> bytes:
    """What a photo is known by."""
    return hashlib.blake2b(data, digest_size=16).digest()


class ImageStore:
    """Encoded photos by content.

    Args:
        fusion: the model that encodes them.
    """

    def __init__(self, fusion: FusionJudge) -> None:
        self._fusion = fusion
        self._recent: _LruCache[bytes, tuple[Tensor, Tensor]] = _LruCache(2**20)

    def has(self, key: bytes) -> bool:
        """Whether a photo is encoded already."""
        return self._recent.get(key) is not None

    def pixels(self, data: bytes) -> Tensor:
        """A photo's file as (3, S, S) normalised pixels.

        Raises:
            ImageError: it cannot be decoded.
        """
        transform = self._fusion.builder.transform
        assert transform is not None
        return transform(decode_image(data, min_size=transform.size))

    def encoded(
        self, photos: Mapping[bytes, Callable[[], Tensor]]
    ) -> tuple[Tensor, Tensor, dict[bytes, int], dict[bytes, str]]:
        """Photos by key, each with a function that gives its pixels.

        Returns:
            Tokens (U + 1, h·w, C) and descriptors (U + 1, E), the last of each all zeros; the place of each key; and of those
            whose pixels raise an :class:`InputError` the reason instead.
        """
        known: dict[bytes, tuple[Tensor, Tensor]] = {}
        fresh: dict[bytes, Tensor] = {}
        reasons: dict[bytes, str] = {}
        for key, pixels in photos.items():
            if (found := self._recent.get(key)) is not None:
                known[key] = found
                continue
            try:
                fresh[key] = pixels()
            except InputError as error:
                reasons[key] = getattr(error, "reason", str(error))
        if fresh:
            tokens, vectors = self._fusion.encode_images(torch.stack(list(fresh.values())))
            for key, token, vector in zip(fresh, tokens, vectors, strict=True):
                # Copies of their own, as above.
                known[key] = (token.clone(), vector.clone())
                self._recent.put(key, known[key], 4 * (token.numel() + vector.numel()))
        places = {key: i for i, key in enumerate(known)}
        if not known:
            return torch.empty(0), torch.empty(0), {}, reasons
        like = next(iter(known.values()))
        tokens = torch.stack([*(token for token, _ in known.values()), torch.zeros_like(like[0])])
        vectors = torch.stack([*(vector for _, vector in known.values()), torch.zeros_like(like[1])])
        return tokens, vectors, places, reasons


class SplitDocuments:
    """The sentences of the documents used last."""

    def __init__(self) -> None:
        self._recent: _LruCache[tuple[str, str], list[Sentence]] = _LruCache(_MOST_DOCUMENTS)

    def __call__(self, text: str, spans: Sequence[Mapping[str, int]] | None) -> "list[Sentence]":
        """As :func:`factcheck.data.document_sentences`."""
        key = (text, repr(spans))
        if (found := self._recent.get(key)) is None:
            found = document_sentences(text, spans)
            self._recent.put(key, found, 4 * len(text))
        return found
