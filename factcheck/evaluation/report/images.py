"""Images small enough to travel inside a page: re-encoded, each once, under a budget."""

import base64
import hashlib
import io
from dataclasses import dataclass

from factcheck.data import decode_image
from factcheck.data.images import ImageError

__all__ = ["ImageStore", "SmallImage", "image_note"]

_SIDE = 360
_QUALITY = 62
_NOTES = {
    "missing file": "the file is not there",
    "image not fetched": "the image was never fetched from its address",
    "no image root": "there is no folder to look for it in",
}


@dataclass(frozen=True, slots=True)
class SmallImage:
    """An image as the page would show it: a data URI, and the hash of the file that it was made from."""

    digest: bytes
    uri: str


class ImageStore:
    """The images of a page, each once.

    Re-encoding leaves nothing of the original file: no metadata, no markup that a browser might take for another type.

    Args:
        most: images kept; later ones are turned down.
        budget: bytes of all of them together.
    """

    def __init__(self, most: int = 1_000, budget: int = 24 * 2**20) -> None:
        self.most, self._budget = most, budget
        self._small: dict[bytes, SmallImage | str] = {}
        self._keys: dict[bytes, str] = {}
        self.images: dict[str, str] = {}
        self.turned_down = 0

    def shrink(self, data: bytes) -> SmallImage | str:
        """The image as the page would show it, or why it cannot be decoded; one file is decoded once."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._small:
            try:
                self._small[digest] = SmallImage(digest, _data_uri(data))
            except ImageError as error:
                self._small[digest] = error.reason
        return self._small[digest]

    def add(self, image: SmallImage | str | None) -> str | dict[str, str]:
        """The key of an image in the page, or why it is not there: ``{"note": …}``.

        Args:
            image: what :meth:`shrink` gave, or a reason; None for an image that was not read, as there would be no room.
        """
        if isinstance(image, str):
            return {"note": image}
        if image is not None and image.digest in self._keys:
            return self._keys[image.digest]
        if image is None or len(self.images) >= self.most or self._budget < len(image.uri):
            self.turned_down += 1
            return {"note": "left out to keep this page small"}
        key = f"image-{len(self.images)}"
        self._keys[image.digest], self.images[key] = key, image.uri
        self._budget -= len(image.uri)
        return key


def image_note(side: str, reasons: list[str], given: bool) -> str:
    """Why a row has no image on a side, from the reasons that reading it gave."""
    for reason in reasons:
        name, _, text = reason.partition(": ")
        if name == f"{side}_image":
            return next((note for start, note in _NOTES.items() if text.startswith(start)), text)
    return "the image was not read" if given else "no image"


def _data_uri(data: bytes) -> str:
    image = decode_image(data, min_size=_SIDE)
    image.thumbnail((_SIDE, _SIDE))
    sink = io.BytesIO()
    image.save(sink, "WEBP", quality=_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(sink.getvalue()).decode("ascii")
