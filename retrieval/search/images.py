"""Photos as evidence: found by a photo, or by words through their captions."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.arguments import as_list, as_texts, check_image_encoder, checked_int
from retrieval.encoders.base import TextEncoder
from retrieval.errors import InputError
from retrieval.indexes.base import Passages
from retrieval.indexes.faiss import FaissIndex
from retrieval.search.hits import Hit
from retrieval.store import EvidenceStore, about_document

__all__ = ["ImageSearch"]


class ImageSearch:
    """Search over the photos of an index.

    Args:
        folder: data folder of the index.
        store: its store.
        manifest: its manifest.
        encoder: text encoder, for captions.
        image_encoder: what the photos were embedded with; None allows search by words only.

    Raises:
        InputError: another image encoder than the index was built with, or an object that is none.
    """

    def __init__(
        self,
        folder: Path,
        store: EvidenceStore,
        manifest: Mapping[str, Any],
        encoder: TextEncoder | None,
        image_encoder: Any,
    ) -> None:
        self._store, self._encoder, self._image_encoder = store, encoder, image_encoder
        self._images = self._captions = None
        if image_encoder is not None:
            check_image_encoder(image_encoder)
        if image_encoder is not None and store.image_count:
            found = str(getattr(image_encoder, "fingerprint", type(image_encoder).__qualname__))
            if found != manifest["image_encoder"]:
                raise InputError(
                    f"the photos of this index were embedded by image encoder {manifest['image_encoder']}, found {found}",
                    hint="open it with that one or build the index again",
                )
        if store.image_count:
            self._images, self._captions = (_open(folder, name) for name in ("photo", "caption"))

    @property
    def ready(self) -> bool:
        """Whether the index holds photos and :meth:`search` can embed another."""
        return self._images is not None and self._image_encoder is not None

    def search(
        self, images: Iterable[bytes], *, top_k: int = 10, filters: Mapping[str, Any] | None = None
    ) -> list[list[Hit]]:
        """The photos most like each photo, as encoded files.

        Returns:
            Hits whose ``sentence`` is -1, ``text`` the caption, ``score`` the cosine, and whose metadata hold ``photo``
            (path or URL) besides the document's.

        Raises:
            InputError: the index holds no photos, no image encoder was given, a photo that is not bytes, a bad option or
                filter.
        """
        files = as_list(images, "images")
        for i, file in enumerate(files):
            if not isinstance(file, bytes | bytearray | memoryview):
                raise InputError(
                    f"images[{i}] is {type(file).__name__}, expected bytes", hint="give the contents of an image file"
                )
        top_k = checked_int("top_k", top_k, 1)
        held = _held(self._images)
        if self._image_encoder is None:
            raise InputError(
                "search by photo needs the image encoder that the index was built with",
                hint="open it with `image_encoder`",
            )
        if not files:
            return []
        vectors = np.asarray(self._image_encoder.embed_images([bytes(file) for file in files]), np.float32)
        return self._hits(held, vectors, top_k, filters)

    def search_captions(
        self, queries: Iterable[str], *, top_k: int = 10, filters: Mapping[str, Any] | None = None
    ) -> list[list[Hit]]:
        """The photos whose captions are most like each text; see :meth:`search`."""
        texts = as_texts(queries, "queries")
        top_k = checked_int("top_k", top_k, 1)
        captions = _held(self._captions)
        if self._encoder is None:
            raise InputError(
                "search by caption needs the text encoder", hint="open the index with method 'hybrid' or 'dense'"
            )
        return self._hits(captions, self._encoder.encode(texts), top_k, filters, captioned=True)

    def _hits(
        self,
        index: FaissIndex,
        vectors: np.ndarray,
        top_k: int,
        filters: Mapping[str, Any] | None,
        captioned: bool = False,
    ) -> list[list[Hit]]:
        documents = self._store.allowed_documents(filters)
        allowed = None if documents is None else self._store.images_of(documents)
        if captioned:
            allowed = self._store.captioned_images(allowed)
        # What is asked for takes memory, found or not.
        top_k = min(top_k, max(1, self._store.image_count if allowed is None else len(allowed)))
        scores, rows = index.search(Passages(vectors=vectors), top_k, allowed)
        results = []
        for row_scores, row in zip(scores, rows, strict=True):
            hits = []
            for score, number in zip(row_scores, row, strict=True):
                if number < 0:
                    continue
                image = self._store.image(int(number))
                document = self._store.document(image["document"])
                about = about_document(document) | {"photo": image["reference"]}
                hits.append(Hit(document["id"], -1, 0, 0, image["caption"], float(score), about))
            results.append(hits)
        return results


def _held(index: FaissIndex | None) -> FaissIndex:
    if index is None:
        raise InputError(
            "this index holds no photos", hint="build it with `image_encoder`, from a corpus that has an images field"
        )
    return index


def _open(folder: Path, name: str) -> FaissIndex:
    index = FaissIndex.open(folder / name)
    index.attach_vectors(np.load(folder / f"{name}_vectors.npy", mmap_mode="r"))
    return index
