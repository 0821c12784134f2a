"""A claims table made ready for the models: what takes none of them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from factcheck.data import clean_claim, clean_text
from factcheck.errors import InputError
from factcheck.verification.once import SplitDocuments, image_key
from factcheck.verification.rows import IMAGES, ClaimRow
from factcheck.verification.verdict_rows import VerdictRow, error_row

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Prepared", "claim_rows", "content_hash"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A claims table made ready for the models: what takes no model is done.

    Attributes:
        rows: how many rows the table has.
        claims: those that can be verified, with the sentences of their documents.
        results: the verdicts of the others, by number.
        contents: the ``content_hash`` of each row.
        decoded: pixels of the photos that are not encoded yet, by key, or why there are none; used up on the way.
    """

    rows: int
    claims: tuple[ClaimRow, ...]
    results: Mapping[int, VerdictRow]
    contents: tuple[str, ...]
    decoded: "dict[bytes, Tensor | InputError]"


def content_hash(salt: bytes, row: dict[str, Any]) -> str:
    """A hash of a row's cells and of what else its verdict rests on."""
    digest = hashlib.blake2b(salt, digest_size=16)
    # Without paths: the same photo in another folder is the same photo, and of one that is not there the reasons tell.
    for name in IMAGES:
        image = row.pop(name) or {}
        digest.update(b"|" + hashlib.blake2b(image.get("bytes") or b"", digest_size=16).digest())
    digest.update(json.dumps(row, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def claim_rows(
    table: pa.Table,
    sources: Mapping[str, Sequence[str | None]],
    *,
    reads_images: bool,
    model: str,
    split: SplitDocuments,
) -> tuple[list[ClaimRow], dict[int, VerdictRow]]:
    """The rows of a canonical table that can be verified, and the results of the others by number.

    Args:
        table: with its images loaded.
        sources: where each row's OCR text comes from, see :func:`factcheck.data.ocr.ocr_sources`.
        reads_images: whether the model does.
        model: fingerprint of what will decide.
        split: a document's sentences.
    """
    images = {name: table[name] for name in IMAGES}
    given = list(zip(*(_given(column, reads_images) for column in images.values()), strict=True))
    rows: list[ClaimRow] = []
    results: dict[int, VerdictRow] = {}
    for number, item in enumerate(table.drop_columns(list(IMAGES)).to_pylist()):
        claim = clean_claim(item["claim"] or "")
        reasons = tuple(item["reasons"])
        if item["status"] == "error" or not claim:
            if item["status"] != "error" or not reasons:
                reasons += ("unreadable row" if claim else "claim: empty",)
            results[number] = error_row(item["id"], reasons, model)
            continue
        ocr = (clean_text(item["claim_ocr"] or ""), clean_text(item["document_ocr"] or ""))
        text = item["document"]
        rows.append(
            ClaimRow(
                number,
                item,
                claim,
                ocr,
                images,
                given[number],
                _keys(images, number) if any(given[number]) else (None, None),
                None if text is None else split(text, item["document_spans"]),
                reasons,
                (sources["claim_ocr"][number], sources["document_ocr"][number]),
            )
        )
    return rows, results


def _keys(images: Mapping[str, pa.ChunkedArray], number: int) -> tuple[bytes | None, bytes | None]:
    """What the photos of a row are known by."""
    keys = []
    for column in images.values():
        data = (column[number].as_py() or {}).get("bytes")
        keys.append(None if data is None else image_key(data))
    return keys[0], keys[1]


def _given(column: pa.ChunkedArray, reads_images: bool) -> list[bool]:
    """Which cells of a column of photos hold bytes or a path; none counts for a model that reads no photos."""
    if not reads_images:
        return [False] * len(column)
    parts = [pc.is_valid(pc.struct_field(column, name)) for name in ("bytes", "path")]
    return list(pc.or_(*parts).to_pylist())
