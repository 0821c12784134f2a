"""From texts and photos to model tensors: one path, shared by training and verification."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from factcheck.errors import InputError
from factcheck.models.token_relations import TokenRelations, match_words, relate_tokens

if TYPE_CHECKING:
    from PIL import Image
    from transformers import BatchEncoding, PreTrainedTokenizerBase

    from factcheck.data.transforms import ImageTransform
    from factcheck.models.verdict import VerdictModel

__all__ = ["InputBuilder", "TextRow", "input_builder"]

# A fast tokenizer keeps truncation and padding as state, which every call sets. Builders may share a tokenizer, and are
# copied and pickled, which a lock of their own could not be: one for all.
_TOKENIZING = threading.Lock()


@dataclass(frozen=True, slots=True)
class TextRow:
    """The text of one row: claim, selected evidence sentences (best first) and the OCR of both photos, all cleaned.

    ``has_pair`` says whether the row has a photo on both sides: confidences of such rows are calibrated by themselves.
    """

    claim: str
    evidence: Sequence[str] = ()
    claim_ocr: str = ""
    document_ocr: str = ""
    has_pair: bool = False


class InputBuilder:
    """Turns rows into the tensors that :class:`~factcheck.models.verdict.VerdictModel` reads.

    The text is ``claim | claim OCR [SEP] evidence … | document OCR``. Evidence goes best first, so that what does not fit
    is what bears least on the claim. Safe to use from several threads at once.

    Args:
        tokenizer: tokenizer of the text transformer.
        max_length: tokens of both segments with special tokens.
        max_claim_tokens: tokens kept of the first segment.
        transform: photo transform; None for a text-only model.
        token_relations: also say how the tokens of the two segments stand to each other, for a model that reads it: by ``words``, or
            by ``typed`` values too (see :mod:`factcheck.models.token_relations`).

    Raises:
        InputError: a claim of ``max_claim_tokens`` would leave no room for evidence.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        max_length: int,
        max_claim_tokens: int,
        transform: "ImageTransform | None" = None,
        token_relations: TokenRelations | None = None,
    ) -> None:
        special = tokenizer.num_special_tokens_to_add(pair=True)
        if max_claim_tokens + special >= max_length:
            raise InputError(
                f"max_claim_tokens is {max_claim_tokens} of max_length {max_length}, which with {special} special tokens leaves no "
                f"room for evidence; give at most {max_length - special - 1}, or a larger max_length"
            )
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.max_claim_tokens = max_claim_tokens
        self.transform = transform
        self.token_relations = token_relations

    def shorter(self, max_length: int) -> "InputBuilder":
        """A builder of the same inputs, cut at ``max_length`` tokens or its own limit, whichever is less.

        Raises:
            InputError: see :class:`InputBuilder`.
        """
        length = min(max_length, self.max_length)
        return InputBuilder(self.tokenizer, length, self.max_claim_tokens, self.transform, self.token_relations)

    def segments(self, row: TextRow) -> tuple[str, str]:
        """The two text segments of a row."""
        claim = f"{row.claim} | {row.claim_ocr}" if row.claim_ocr else row.claim
        evidence = " ".join(row.evidence)
        return claim, f"{evidence} | {row.document_ocr}" if row.document_ocr else evidence

    def texts(self, rows: Sequence[TextRow]) -> dict[str, Tensor]:
        """``input_ids``, ``attention_mask``, where the tokenizer makes them ``token_type_ids``, ``token_relations`` if asked for.

        Each (B, T) int64.
        """
        pairs = [self.segments(row) for row in rows]
        typed = self.token_relations == "typed"
        encoded, kept = self._encode(pairs, padding=True, return_offsets_mapping=typed)
        names = ("input_ids", "attention_mask", "token_type_ids")
        tensors = {name: torch.tensor(encoded[name]) for name in names if name in encoded}
        if self.token_relations is not None:
            tensors["token_relations"] = relate_tokens(encoded, kept) if typed else match_words(encoded)
        return tensors

    def lengths(self, rows: Sequence[TextRow], chunk: int = 1024) -> list[int]:
        """Tokens of each row as :meth:`texts` would make it, before padding."""
        lengths: list[int] = []
        for start in range(0, len(rows), chunk):
            pairs = [self.segments(row) for row in rows[start : start + chunk]]
            lengths += map(len, self._encode(pairs, return_attention_mask=False)[0]["input_ids"])
        return lengths

    def photos(self, images: "Sequence[Image.Image | None]") -> tuple[Tensor, Tensor]:
        """Pixels (B, 3, S, S) of decoded photos and the mask (B,) of those that are present; absent ones are zeros."""
        if self.transform is None:
            raise InputError("these inputs are made for a model without an image encoder; it reads no images")
        size = self.transform.size
        pixels = torch.zeros(len(images), 3, size, size, dtype=torch.float32)
        mask = torch.zeros(len(images), dtype=torch.bool)
        for i, image in enumerate(images):
            if image is not None:
                pixels[i] = self.transform(image)
                mask[i] = True
        return pixels, mask

    def _encode(
        self, pairs: Sequence[tuple[str, str]], **options: Any
    ) -> "tuple[BatchEncoding, list[tuple[str, str]]]":
        """The tokens of pairs of segments, and what of the segments was tokenized."""
        # A megabyte of OCR must cost no more than what is kept of it; a token is never longer than this many characters on
        # average in any language that the tokenizers cover.
        limit = 16 * self.max_length
        second = [evidence[:limit] for _, evidence in pairs]
        with _TOKENIZING:
            first = [self._clip(claim[:limit]) for claim, _ in pairs]
            encoded = self.tokenizer(first, second, truncation="only_second", max_length=self.max_length, **options)
        return encoded, list(zip(first, second, strict=True))

    def _clip(self, text: str) -> str:
        encoded = self.tokenizer(
            text,
            add_special_tokens=False,
            truncation=True,
            max_length=self.max_claim_tokens,
            return_offsets_mapping=True,
        )
        offsets = encoded["offset_mapping"]
        return text[: offsets[-1][1]] if offsets else ""


def input_builder(model: "VerdictModel", tokenizer: "PreTrainedTokenizerBase") -> InputBuilder:
    """What makes the inputs of ``model``, by its configuration and its image encoder: the one place that knows what it reads."""
    config, transform = model.config, None
    if model.image is not None:
        from factcheck.data.transforms import ImageTransform

        transform = ImageTransform(model.image.input_size, model.image.mean, model.image.std)
    return InputBuilder(tokenizer, config.max_length, config.max_claim_tokens, transform, config.token_relations)
