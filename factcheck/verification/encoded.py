"""Rows with their photos encoded once, and decisions on any variant of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from factcheck.data.images import decode_image
from factcheck.errors import InputError
from factcheck.verification.decisions import Decision, decide_rows
from factcheck.verification.rows import PHOTOS, Row, Variant

if TYPE_CHECKING:
    from PIL import Image

    from factcheck.verification.verifier import Verifier

__all__ = ["EncodedRows"]


class EncodedRows:
    """A batch of rows whose photos have been encoded; evidence can be left out without encoding them again.

    Args:
        verifier: lends model, input builder, calibration, device and batch size.
        rows: the rows, with evidence. A photo that cannot be used adds a reason to its row.
    """

    def __init__(self, verifier: "Verifier", rows: Sequence[Row]) -> None:
        self.verifier, self.rows = verifier, rows
        self._photos: Any = None
        self._masks: Any = None
        model = verifier.model
        transform = verifier.builder.transform
        if model.image is None or transform is None or not any(any(row.has_photos) for row in rows):
            return
        sides = [verifier.builder.photos(_Photos(rows, side, transform.size)) for side in (0, 1)]
        if not any(mask.any() for _, mask in sides):
            return
        photos, masks = [], []
        with torch.inference_mode():
            for pixels, mask in sides:
                mask = mask.to(verifier.device)
                photos.append(model.encode_image(pixels.to(verifier.device), mask))
                masks.append(mask)
        self._photos, self._masks = photos, masks

    def decide(self, variants: Sequence[Variant]) -> list[Decision]:
        """What the model says of each variant, in batches of the verifier's size.

        A row of which no evidence is left is decided like any other here: whether it has any to begin with is the
        caller's knowledge (see :meth:`Decision.without_evidence`).
        """
        decisions: list[Decision] = []
        step = self.verifier.batch_size
        with torch.inference_mode():
            for start in range(0, len(variants), step):
                decisions += self._decide(variants[start : start + step])
        return decisions

    def _decide(self, variants: Sequence[Variant]) -> list[Decision]:
        verifier = self.verifier
        texts = verifier.builder.texts([self.rows[v.row].text(v.sentences) for v in variants])
        inputs = {name: tensor.to(verifier.device) for name, tensor in texts.items()}
        photos: Any = None
        masks: Any = None
        if self._photos is not None:
            index = torch.tensor([v.row for v in variants], device=verifier.device)
            kept = [[getattr(v, side) for v in variants] for side in ("claim_image", "document_image")]
            photos = tuple((tokens[index], vectors[index]) for tokens, vectors in self._photos)
            masks = tuple(
                mask[index] & torch.tensor(keep, device=verifier.device)
                for mask, keep in zip(self._masks, kept, strict=True)
            )
        hidden = verifier.model.encode_text(**inputs)
        output = verifier.model.decide(hidden, inputs["attention_mask"], photos, *(masks or (None, None)))
        return decide_rows(output, verifier.calibration, masks, inputs["attention_mask"].sum(1))


class _Photos(Sequence["Image.Image | None"]):
    """The photos of one side of a batch, each decoded when it is asked for: at full size one takes up to 192 MiB."""

    def __init__(self, rows: Sequence[Row], side: int, min_size: int) -> None:
        self._rows, self._side, self._min_size = rows, side, min_size

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return _decoded(self._rows[index], self._side, self._min_size)


def _decoded(row: Row, side: int, min_size: int) -> "Image.Image | None":
    """The decoded photo of a row, or None and the reason with the row."""
    if not row.has_photos[side]:
        return None
    name = PHOTOS[side]
    data = (row.image(name) or {}).get("bytes")
    try:
        if data is not None:
            return decode_image(data, min_size=min_size)
        reason = "not loaded (factcheck.data.load_images reads files)"
    except InputError as error:
        reason = getattr(error, "reason", str(error))
    if not any(known.startswith(name) for known in row.reasons):
        row.reasons.append(f"{name}: {reason}")
    row.has_photos = (row.has_photos[0] and side != 0, row.has_photos[1] and side != 1)
    return None
