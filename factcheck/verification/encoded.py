"""Rows with their photos encoded once, and decisions on any variant of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from factcheck.verification.decisions import Decision, decide_rows
from factcheck.verification.rows import Row, Variant

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["EncodedRows"]


class EncodedRows:
    """A batch of rows whose photos have been encoded; evidence can be left out without encoding them again.

    Args:
        verifier: lends model, input builder, calibration, device and batch size.
        rows: the rows, with evidence and photos.
    """

    def __init__(self, verifier: "Verifier", rows: Sequence[Row]) -> None:
        self.verifier, self.rows = verifier, rows
        self._photos: Any = None
        self._masks: Any = None
        model = verifier.model
        if model.image is None or not any(photo for row in rows for photo in row.photos):
            return
        photos, masks = [], []
        with torch.inference_mode():
            for side in (0, 1):
                pixels, mask = verifier.builder.photos([row.photos[side] for row in rows])
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
