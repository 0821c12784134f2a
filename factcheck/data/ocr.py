"""Text in images, read where a claims table has none: a stage between reading files and inference.

Needs the extra ``ocr`` (RapidOCR; its wheel carries PaddleOCR's networks, so that nothing is fetched).
"""

import importlib.metadata
import importlib.util
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from factcheck.data.images import decode_image
from factcheck.errors import InputError
from retrieval.content_cache import ContentCache, content_key

__all__ = ["OCR_COLUMNS", "ImageTextReader", "fill_ocr"]

#: Column of the text to the column of the image that it was read in.
OCR_COLUMNS = {"claim_ocr": "claim_image", "document_ocr": "document_image"}

# Lines that the recogniser is less sure of, or that are shorter, are texture taken for letters: of 74 photos without text it finds some
# in 14, of at most two letters all of them.
_LEAST_SCORE = 0.8
_FEWEST_LETTERS = 3
# Larger photos are read at this size of their longer side, in pixels: time grows with the area.
_LONGEST_SIDE = 1600


class ImageTextReader:
    """Reads the text in images, each image once.

    Args:
        cache: where texts are kept across runs, by the image's content; None keeps them in memory only.
        threads: processor threads of the networks, at least 1.

    Raises:
        InputError: the extra is not installed, or ``threads`` is below 1.
    """

    def __init__(self, cache: ContentCache | None = None, threads: int = 1) -> None:
        if threads < 1:
            raise InputError(f"`threads` must be at least 1, found {threads}", field="threads")
        if importlib.util.find_spec("rapidocr") is None:
            raise InputError(
                "reading text in images needs the package rapidocr, which is not installed",
                field="ocr",
                hint="install factcheck-twins[ocr]",
            )
        self.cache, self.threads = cache, threads
        self._version = (
            f"rapidocr {importlib.metadata.version('rapidocr')} {_LEAST_SCORE} {_FEWEST_LETTERS} {_LONGEST_SIDE}"
        )
        self._known: dict[bytes, str] = {}
        self._engine: Any = None

    def read(self, images: Sequence[bytes | None]) -> list[str | None]:
        """The text in each encoded image, lines joined by a space, empty where there is none.

        None for an image that is None or cannot be decoded.
        """
        keys = [None if image is None else content_key(self._version, image) for image in images]
        self._look_up([key for key in keys if key is not None and key not in self._known])
        texts: list[str | None] = []
        new: dict[bytes, bytes] = {}
        for key, image in zip(keys, images, strict=True):
            if key is None or image is None:
                texts.append(None)
                continue
            if key not in self._known:
                text = self._read(image)
                if text is None:
                    texts.append(None)
                    continue
                self._known[key] = text
                new[key] = text.encode("utf-8")
            texts.append(self._known[key])
        if new and self.cache is not None:
            self.cache.put(new)
        return texts

    def _look_up(self, keys: Sequence[bytes]) -> None:
        if self.cache is None:
            return
        for key, value in zip(keys, self.cache.get(keys), strict=True):
            if value is not None:
                self._known[key] = value.decode("utf-8")

    def _read(self, image: bytes) -> str | None:
        try:
            picture = decode_image(image)
        except InputError:
            return None  # the stage that reads files has said so
        if max(picture.size) > _LONGEST_SIDE:
            picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        pixels = np.asarray(picture.convert("RGB"))[:, :, ::-1]  # (H, W, 3) in OpenCV's order, blue first
        found = self._networks()(np.ascontiguousarray(pixels))
        if found is None or found.txts is None:
            return ""
        lines = [
            text.strip()
            for text, score in zip(found.txts, found.scores, strict=True)
            if score >= _LEAST_SCORE and sum(map(str.isalnum, text)) >= _FEWEST_LETTERS
        ]
        return " ".join(lines)

    def _networks(self) -> Any:
        if self._engine is None:
            from rapidocr import RapidOCR

            # It sets up a logger of its own; errors reach us as exceptions.
            logging.getLogger("RapidOCR").setLevel(logging.ERROR)
            self._engine = RapidOCR(
                params={
                    "Global.log_level": "error",
                    "EngineConfig.onnxruntime.intra_op_num_threads": self.threads,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                }
            )
        return self._engine


def fill_ocr(table: pa.Table, reader: ImageTextReader) -> tuple[pa.Table, dict[str, list[str | None]]]:
    """A canonical claims table with loaded images whose empty OCR cells are filled with what is read in the images.

    Args:
        table: see :func:`factcheck.data.load_images`. Text that is given stays.
        reader: reads each image once.

    Returns:
        The table, and for ``claim_ocr`` and ``document_ocr`` where each row's text comes from: ``given``, ``read``, or None
        where there is none.
    """
    status = table.column("status").to_pylist()
    sources: dict[str, list[str | None]] = {}
    for column, image_column in OCR_COLUMNS.items():
        texts: list[str | None] = table.column(column).to_pylist()
        images = [cell and cell["bytes"] for cell in table.column(image_column).to_pylist()]
        empty = [i for i, text in enumerate(texts) if not (text or "").strip() and images[i] and status[i] != "error"]
        source: list[str | None] = ["given" if (text or "").strip() else None for text in texts]
        for i, text in zip(empty, reader.read([images[i] for i in empty]), strict=True):
            if text:
                texts[i], source[i] = text, "read"
        table = table.set_column(
            table.column_names.index(column), table.schema.field(column), pa.array(texts, pa.string())
        )
        sources[column] = source
    return table, sources
