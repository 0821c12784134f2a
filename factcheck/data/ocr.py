"""Text in images, read where a claims table has none: a stage between reading files and inference.

Needs the extra ``ocr`` (RapidOCR; its wheel carries PaddleOCR's networks, so that nothing is fetched).
"""

import importlib.metadata
import importlib.util
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from factcheck.data.images import decode_image
from factcheck.errors import InputError
from retrieval.arguments import checked_int
from retrieval.content_cache import ContentCache, content_key
from retrieval.errors import first_line
from retrieval.lazy import need_extra

__all__ = ["GIVEN", "OCR_COLUMNS", "READ", "ImageTextReader", "fill_ocr", "ocr_sources"]

#: Where a row's OCR text comes from: the table, or the image.
GIVEN, READ = "given", "read"

#: Column of the text to the column of the image that it was read in.
OCR_COLUMNS = {"claim_ocr": "claim_image", "document_ocr": "document_image"}

# Lines that the recogniser is less sure of, or that are shorter, are texture taken for letters: of 74 photos without text it finds some
# in 14, of at most two letters all of them.
_LEAST_SCORE = 0.8
_FEWEST_LETTERS = 3
# Larger photos are read at this size of their longer side, in pixels: time grows with the area.
_LONGEST_SIDE = 1600
# Texts held in memory; with a cache those beyond are looked up there.
_MOST_HELD = 2**16


class ImageTextReader:
    """Reads the text in images, each image once.

    Args:
        cache: where texts are kept across runs, by the image's content; None keeps them in memory only.
        threads: processor threads of the networks, at least 1.

    Raises:
        InputError: the extra is not installed, or ``threads`` is below 1.
    """

    def __init__(self, cache: ContentCache | None = None, threads: int = 1) -> None:
        checked_int("threads", threads, 1)
        need_extra("ocr", "rapidocr", what="reading text in images", field="ocr")
        self.cache, self.threads = cache, threads
        #: Changes with whatever changes what is read.
        self.fingerprint = (
            f"rapidocr {importlib.metadata.version('rapidocr')} {_LEAST_SCORE} {_FEWEST_LETTERS} {_LONGEST_SIDE}"
        )
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._engine: Any = None
        self._lock = threading.Lock()

    def read(self, images: Sequence[bytes | None]) -> list[str | InputError | None]:
        """The text in each encoded image, lines joined by a space, empty where there is none.

        None for an image that is None or cannot be decoded, and why where the networks fail on one.
        """
        with self._lock:  # the networks are one engine
            keys = [None if image is None else content_key(self.fingerprint, image) for image in images]
            found = self._looked_up({key for key in keys if key is not None})
            new: dict[bytes, bytes] = {}
            texts: list[str | InputError | None] = []
            for key, image in zip(keys, images, strict=True):
                if key is None or image is None:
                    texts.append(None)
                    continue
                if key not in found:
                    found[key] = self._read(image)
                    if isinstance(text := found[key], str):
                        new[key] = text.encode("utf-8")
                texts.append(found[key])
            if new and self.cache is not None:
                self.cache.put(new)
            self._hold({key: text for key, text in found.items() if isinstance(text, str)})
        return texts

    def _looked_up(self, keys: set[bytes]) -> dict[bytes, str | InputError | None]:
        found: dict[bytes, str | InputError | None] = {key: self._known[key] for key in keys if key in self._known}
        missing = sorted(keys - found.keys())
        if missing and self.cache is not None:
            for key, value in zip(missing, self.cache.get(missing), strict=True):
                if value is not None:
                    found[key] = value.decode("utf-8")
        return found

    def _hold(self, texts: dict[bytes, str]) -> None:
        for key, text in texts.items():
            self._known[key] = text
            self._known.move_to_end(key)
        while len(self._known) > _MOST_HELD:
            self._known.popitem(last=False)

    def _read(self, image: bytes) -> str | InputError | None:
        try:
            picture = decode_image(image)
        except InputError:
            return None  # the stage that reads files has said so
        if max(picture.size) > _LONGEST_SIDE:
            picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        pixels = np.asarray(picture.convert("RGB"))[:, :, ::-1]  # (H, W, 3) in OpenCV's order, blue first
        try:
            found = self._networks()(np.ascontiguousarray(pixels))
        except Exception as error:  # one image that the networks cannot take must not end a run
            return InputError(f"text could not be read ({type(error).__name__}: {first_line(error)})")
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


def ocr_sources(table: pa.Table) -> dict[str, list[str | None]]:
    """For ``claim_ocr`` and ``document_ocr`` of a canonical claims table: :data:`GIVEN` or None, for each row."""
    return {
        column: [GIVEN if (text or "").strip() else None for text in table.column(column).to_pylist()]
        for column in OCR_COLUMNS
    }


def fill_ocr(table: pa.Table, reader: ImageTextReader) -> tuple[pa.Table, dict[str, list[str | None]]]:
    """A canonical claims table with loaded images whose empty OCR cells are filled with what is read in the images.

    Args:
        table: see :func:`factcheck.data.load_images`. Text that is given stays. A row with an image that cannot be read is
            ``degraded``, with the reason.
        reader: reads each image once.

    Returns:
        The table, and :func:`ocr_sources` with :data:`READ` where the text is read.
    """
    status, reasons = table.column("status").to_pylist(), table.column("reasons").to_pylist()
    sources = ocr_sources(table)
    for column, image_column in OCR_COLUMNS.items():
        texts: list[str | None] = table.column(column).to_pylist()
        images = table.column(image_column)
        empty = [i for i, source in enumerate(sources[column]) if source is None and status[i] != "error"]
        found = reader.read([(images[i].as_py() or {}).get("bytes") for i in empty])
        for i, text in zip(empty, found, strict=True):
            if isinstance(text, InputError):
                status[i] = "degraded"
                reasons[i].append(f"{column}: {text}")
            elif text:
                texts[i], sources[column][i] = text, READ
        table = _with(table, column, texts)
    return _with(_with(table, "status", status), "reasons", reasons), sources


def _with(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    field = table.schema.field(name)
    return table.set_column(table.column_names.index(name), field, pa.array(values, field.type))
