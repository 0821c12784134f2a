"""What a search returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Hit"]


@dataclass(frozen=True)
class Hit:
    """One piece of evidence found for a claim.

    Attributes:
        document_id: the document that holds it.
        sentence: number of the sentence in its document, from 0; -1 for a photo.
        start: first character of the sentence in its document.
        end: one past its last character.
        text: the sentence (of a photo: its caption).
        score: higher is closer to the claim; comparable within one query only.
        metadata: title, date, source and whatever else the store knows of the document, or None.
    """

    document_id: str
    sentence: int
    start: int
    end: int
    text: str
    score: float
    metadata: Mapping[str, Any] | None = None
