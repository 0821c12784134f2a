"""Similarity features into a random forest: the baseline that came second on Factify 2 (0.808 weighted F1).

After INO (shared task findings, arXiv 2307.10475), with this project's encoders in place of CLIP, SBERT and ResNet-50.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from factcheck.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from factcheck.verification.verifier import Verifier

__all__ = ["IMAGE_FEATURES", "TEXT_FEATURES", "similarity_features"]

TEXT_FEATURES = (
    "best_cosine",
    "second_cosine",
    "mean_cosine",
    "best_overlap",
    "document_overlap",
    "claim_words",
    "best_words",
    "document_words",
    "claim_negations",
    "best_negations",
    "number_overlap",
)
IMAGE_FEATURES = ("photo_cosine", "colour_correlation", "has_pair")

_WORD = re.compile(r"\w+")
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|without|n't|cannot|false|fake|hoax)\b|n't\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def similarity_features(table: "pa.Table", verifier: "Verifier") -> np.ndarray:
    """Hand-made features of a canonical claims table with photos loaded.

    Args:
        table: n rows (see :func:`factcheck.records.claims_schema`).
        verifier: lends its text encoder, evidence selection and photo encoder; its heads are not used.

    Returns:
        (n, 14) float64, columns ``TEXT_FEATURES + IMAGE_FEATURES``; a row without a pair of photos has zeros in the last three.
    """
    from factcheck.data import clean_text, document_sentences
    from retrieval import select_evidence

    if table.num_rows == 0:
        raise InputError("features of an empty table were asked for; give at least one row")
    items = table.to_pylist()
    claims = [clean_text(item["claim"] or "") for item in items]
    documents = [document_sentences(item["document"] or "", item["document_spans"]) for item in items]
    ids = [item["id"] for item in items]
    hits = select_evidence(claims, documents, ids, verifier.encoder, top_k=3, method="dense")
    text = [
        _text_features(claim, [sentence.text for sentence in document], found)
        for claim, document, found in zip(claims, documents, hits, strict=True)
    ]
    return np.hstack([np.array(text), _image_features(items, verifier)])


def _text_features(claim: str, document: Sequence[str], hits: Sequence) -> list[float]:
    scores = [hit.score for hit in hits] or [0.0]
    best = hits[0].text if hits else ""
    whole = " ".join(document)
    words = set(_WORD.findall(claim.lower()))
    numbers = set(_NUMBER.findall(claim))
    return [
        scores[0],
        scores[1] if len(scores) > 1 else 0.0,
        float(np.mean(scores)),
        _share(words, set(_WORD.findall(best.lower()))),
        _share(words, set(_WORD.findall(whole.lower()))),
        len(claim.split()),
        len(best.split()),
        len(whole.split()),
        len(_NEGATION.findall(claim)),
        len(_NEGATION.findall(best)),
        _share(numbers, set(_NUMBER.findall(whole))) if numbers else 1.0,
    ]


def _share(part: set[str], whole: set[str]) -> float:
    return len(part & whole) / len(part) if part else 0.0


def _image_features(items: list[dict], verifier: "Verifier") -> np.ndarray:
    import torch

    from factcheck.data.images import decode_image

    features = np.zeros((len(items), len(IMAGE_FEATURES)))
    transform, image = verifier.builder.transform, verifier.model.image
    if image is None or transform is None:
        return features
    for i, item in enumerate(items):
        try:
            # As verification decodes them: JPEGs read at another size give other pixels.
            sides = ("claim_image", "document_image")
            pair = [decode_image(item[side]["bytes"], min_size=transform.size) for side in sides]
        except (InputError, TypeError):  # missing (None) or broken: no pair
            continue
        with torch.inference_mode():
            embedded = image.embed(torch.stack([transform(photo) for photo in pair]).to(verifier.device))
        histograms = [_histogram(photo) for photo in pair]
        features[i] = float(embedded[0] @ embedded[1]), float(np.corrcoef(*histograms)[0, 1]), 1.0
    return features


def _histogram(photo) -> np.ndarray:
    """64-bin joint RGB histogram, square root of shares."""
    pixels = np.asarray(photo.resize((64, 64))).reshape(-1, 3) // 64
    counts = np.bincount(pixels @ np.array([16, 4, 1]), minlength=64)
    return np.sqrt(counts / counts.sum())
