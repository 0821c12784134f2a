"""The contract of every text encoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

__all__ = ["TextEncoder"]


class TextEncoder(ABC):
    """Turns texts into vectors whose inner product is their similarity.

    The vector of a text does not depend on the texts encoded with it (to rounding), so vectors may be cached by content.
    """

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length D of a vector."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Content hash of weights, tokenizer and pooling: equal fingerprints give equal vectors, whatever the path."""

    @abstractmethod
    def encode(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Encode texts.

        Args:
            texts: n texts; an empty one is allowed.
            batch_size: texts in one forward pass; changes speed and memory, not the result.

        Returns:
            float32 (n, D), each row of length 1, in the order of ``texts``.
        """
