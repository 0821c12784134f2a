"""A Hugging Face encoder: texts to tokens to pooled, L2-normalised vectors."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retrieval.arguments import as_texts, checked_int
from retrieval.encoders.base import TextEncoder
from retrieval.encoders.batching import TOKENS_AT_ONCE, batches_by_length, pad, tokenize
from retrieval.encoders.packed import PackedBert, is_packable
from retrieval.errors import InputError

__all__ = ["TransformersEncoder"]


class TransformersEncoder(TextEncoder):
    """A Hugging Face encoder with mean or CLS pooling; :func:`retrieval.load_encoder` makes one from a folder.

    Texts are sorted by length and batched with their like, so that next to nothing is spent on padding. BERT on the CPU runs
    as :class:`retrieval.encoders.packed.PackedBert`, with the same vectors in a third of the time; with ``int8`` it multiplies in
    8 bits, which moves the vectors a little and so has a fingerprint of its own.

    Args:
        model: gives a ``last_hidden_state`` (B, N, D) for token ids (B, N).
        tokenizer: its tokenizer.
        pooling: ``mean`` or ``cls``.
        max_length: tokens read of a text; longer ones are truncated.
        fingerprint: content hash of the other arguments.
        int8: multiply in 8 bits.
        prompt: what the model wants before each text.

    Raises:
        InputError: ``int8`` for a model other than BERT on the CPU.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        pooling: str,
        max_length: int,
        fingerprint: str,
        int8: bool = False,
        prompt: str = "",
    ) -> None:
        self.model, self.tokenizer, self.pooling, self.max_length = model, tokenizer, pooling, max_length
        self.prompt = prompt
        self._fingerprint, self._int8 = fingerprint + ("-int8-rows" if int8 else ""), int8
        if int8 and not is_packable(model):
            raise InputError(
                f"`runtime` 'int8' reads BERT encoders only, found {type(model).__name__} ({model.config.model_type})",
                field="runtime",
                hint="use `runtime` 'torch' or 'onnx-int8'",
            )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.model.config.hidden_size)

    @property
    def fingerprint(self) -> str:
        """Content hash of weights, tokenizer and pooling."""
        return self._fingerprint

    def encode(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Encode texts; see :meth:`TextEncoder.encode`."""
        texts, batch_size = as_texts(texts, "texts"), checked_int("batch_size", batch_size, 1)
        numbers = tokenize(self.tokenizer, [self.prompt + text for text in texts], self.max_length)
        largest, known = max((max(row) for row in numbers if row), default=0), self.model.get_input_embeddings()
        if largest >= known.num_embeddings:
            raise InputError(
                f"the encoder's tokenizer gives token {largest}, its model knows {known.num_embeddings}",
                hint="fetch the model again: files of two models are mixed, or damaged",
            )
        if is_packable(self.model):  # asked anew: whoever holds the model may move it
            return self._packed.encode(numbers, self.pooling, batch_size=batch_size)
        vectors = np.empty((len(texts), self.dimension), np.float32)
        device = next(self.model.parameters()).device
        bound = TOKENS_AT_ONCE if device.type == "cpu" else None
        with torch.inference_mode():
            for rows, ids in batches_by_length(numbers, batch_size, bound):
                padded, real = pad(ids, self.tokenizer.pad_token_id or 0)
                tokens, mask = torch.from_numpy(padded).to(device), torch.from_numpy(real).to(device)  # (B, N)
                # Without padding no mask is passed, which lets attention take its fastest kernel.
                given = None if real.all() else mask
                hidden = self.model(input_ids=tokens, attention_mask=given).last_hidden_state  # (B, N, D)
                vectors[rows] = _pool(hidden, mask, self.pooling).cpu().numpy()  # (B, D)
        return vectors

    @cached_property
    def _packed(self) -> PackedBert:
        """Made at the first use: an encoder that is only exported or measured needs none."""
        return PackedBert(self.model, int8=self._int8)


def _pool(hidden: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """States (B, N, D) and their mask (B, N) to vectors (B, D) of length 1."""
    if pooling == "cls":
        pooled = hidden[:, 0]  # (B, D)
    else:
        weights = mask.unsqueeze(-1).to(hidden.dtype)  # (B, N, 1)
        pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)  # (B, D)
    return torch.nn.functional.normalize(pooled.float(), dim=-1)
