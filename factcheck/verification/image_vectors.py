"""A photo encoder of this package behind the one method that :mod:`retrieval` asks for."""

import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from factcheck.errors import InputError
from retrieval.arguments import checked_file
from retrieval.encoders.pretrained import folder_state

__all__ = ["ImageVectors", "image_similarity", "image_vectors_of"]


class ImageVectors:
    """Photos to the vectors that an index holds and is searched with.

    Args:
        name: ``bundled`` or the folder of a photo encoder.

    Attributes:
        name: as given; an index records it, so that it can be opened without naming the encoder again.
        fingerprint: of the encoder; an index is only searched with the one it was built with.

    Raises:
        InputError: no photo encoder there.
    """

    def __init__(self, name: str | Path = "bundled") -> None:
        from factcheck.data.transforms import ImageTransform
        from factcheck.models.folder import bundled_image_encoder, load_image_encoder

        self.name = str(name)
        self._model = load_image_encoder(bundled_image_encoder() if self.name == "bundled" else self.name)
        self._model.eval()
        self._transform = ImageTransform(self._model.input_size, self._model.mean, self._model.std)
        self.fingerprint = self._model.fingerprint

    def embed_images(self, images: list[bytes]) -> np.ndarray:
        """Encoded image files to float32 (n, D), rows of length 1.

        Raises:
            InputError: one cannot be decoded.
        """
        import torch

        from factcheck.data.images import decode_image

        tensors = [self._transform(decode_image(data, min_size=self._model.input_size)) for data in images]
        with torch.inference_mode():
            return self._model.embed(torch.stack(tensors)).float().numpy()


def image_vectors_of(manifest: Mapping[str, Any], name: str | None = None) -> ImageVectors | None:
    """What the photos of an index are searched with, or None if it holds none.

    Args:
        manifest: the index's, see :func:`retrieval.manifest.read_manifest`.
        name: ``bundled`` or a folder; None takes what the index was built with (None too, if it does not say).

    Raises:
        InputError: no photo encoder under that name.
    """
    wanted = name or manifest.get("image_encoder_name")
    return ImageVectors(wanted) if wanted and manifest["counts"]["photos"] else None


def image_similarity(first: Any, second: Any, *, model: str | Path = "bundled") -> float:
    """How alike two images are, as verification sees them: the cosine of their embeddings, in [-1, 1].

    The bundled encoder is trained to know a photo again after cropping, recompression, overlays and changes of colour; two
    photos of the same place are different photos to it.

    Args:
        first, second: the bytes of an image file, its path, or a :class:`PIL.Image.Image`.
        model: ``bundled`` or the folder of a photo encoder.

    Raises:
        InputError: an image cannot be read, or there is no such encoder.

    Example:
        >>> from factcheck import image_similarity
        >>> from factcheck.sample import sample_folder
        >>> photo = next((sample_folder() / "images").glob("*.jpg"))
        >>> round(image_similarity(photo, photo.read_bytes()), 3)
        1.0
    """
    from factcheck.models.folder import bundled_image_encoder

    folder = bundled_image_encoder() if str(model) == "bundled" else Path(model)
    one, two = _vectors(folder, folder_state(folder)).embed_images(
        [_encoded("first", first), _encoded("second", second)]
    )
    return float(one @ two)


@lru_cache(maxsize=2)
def _vectors(folder: Path, state: tuple[Any, ...]) -> ImageVectors:
    return ImageVectors(folder)


def _encoded(name: str, image: Any) -> bytes:
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | Path):
        return checked_file(f"`{name}` {str(image)!r}", image, field=name).read_bytes()
    if callable(getattr(image, "save", None)):
        sink = io.BytesIO()
        image.save(sink, "PNG")
        return sink.getvalue()
    raise InputError(
        f"`{name}` is {type(image).__name__}, expected an image",
        field=name,
        hint="give the bytes of a file, its path, or a PIL image",
    )
