"""What a search returns, and what happens to a ranking afterwards: duplicates, diversity."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Candidate", "Hit", "distinct_texts", "maximal_marginal_relevance"]


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


@dataclass(frozen=True)
class Candidate:
    """A hit and its row in the store."""

    row: int
    hit: Hit

    def with_score(self, score: float) -> "Candidate":
        """The same candidate with another score."""
        return Candidate(self.row, replace(self.hit, score=score))


#: Signs that say what punctuation does not: -5 is not 5, C# not C, 5% not 5, p < 0.05 not p > 0.05 (but a tag is no sign).
_SIGNS = re.compile(r"(?<![\w-])-(?=\s?[\d.])|(?<=\w)#|[%‰°]|[<>](?=\s*[\d.=])|(?<=\s)[<>](?=\s)")
#: A sign and the space around it: 50 % is 50%.
_SPACED_SIGN = re.compile(r"\s*([^\w\s])\s*")


def distinct_texts(texts: Iterable[str]) -> list[int]:
    """Positions of the first of texts whose words and signs are equal, whatever their case, punctuation and spacing."""
    seen: set[str] = set()
    kept = []
    for position, text in enumerate(texts):
        key = _folded(text) or text
        if key not in seen:
            seen.add(key)
            kept.append(position)
    return kept


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\N{MINUS SIGN}", "-")
    signs = {match.start() for match in _SIGNS.finditer(folded)}
    kept = "".join(c if i in signs or _tells(c) else " " for i, c in enumerate(folded))
    return " ".join(_SPACED_SIGN.sub(lambda m: m[0] if unicodedata.category(m[1])[0] == "M" else m[1], kept).split())


def _tells(char: str) -> bool:
    """Whether a character belongs to a word (vowel signs of Indic scripts do) or is a sign of its own."""
    if char.isalnum():
        return True
    if char.isascii():
        return char in "$+="
    kind = unicodedata.category(char)
    return kind[0] == "M" or kind in ("Sc", "Sm")  # bullets and trade marks are other symbols (So)


def maximal_marginal_relevance(scores: np.ndarray, vectors: np.ndarray, top_k: int, diversity: float) -> list[int]:
    """Pick candidates that are relevant and unlike those picked before (Carbonell & Goldstein 1998).

    Args:
        scores: (n,), any scale: it is brought to 0 … 1.
        vectors: (n, D) of length 1.
        top_k: how many to pick.
        diversity: 0 ranks by score alone, 1 by difference alone.

    Returns:
        Positions in the order picked.
    """
    if not len(scores):
        return []
    spread = scores.max() - scores.min()
    relevance = (scores - scores.min()) / spread if spread > 0 else np.ones(len(scores))
    likeness = np.zeros(len(scores))
    left = np.ones(len(scores), bool)
    picked: list[int] = []
    for _ in range(min(top_k, len(scores))):
        gain = np.where(left, (1 - diversity) * relevance - diversity * likeness, -np.inf)
        choice = int(gain.argmax())
        picked.append(choice)
        left[choice] = False
        likeness = np.maximum(likeness, vectors @ vectors[choice])
    return picked
