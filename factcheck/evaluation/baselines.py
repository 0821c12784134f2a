"""Baselines beside a model: trained on the same rows, scored on the same rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from factcheck.errors import InputError
from factcheck.evaluation.metrics import Classification, classification
from factcheck.labels import FACTIFY_LABELS, STANCE_LABELS
from factcheck.models.baseline import IMAGE_FEATURES, TEXT_FEATURES, similarity_features

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["score_baselines"]


def score_baselines(
    train: str | Path, test: str | Path, verifier: "Verifier", *, columns: Mapping[str, str] | None = None
) -> dict[str, Classification]:
    """Train every baseline on ``train`` and score it on ``test``.

    ``majority``; ``claim only`` (words of the claim, which shows what can be guessed without evidence); ``photos only``; ``text
    only``; ``similarity + random forest`` (all features).

    Args:
        train, test: labelled claims tables; photos are looked for beside each.
        verifier: lends its encoders (see :func:`factcheck.models.baseline.similarity_features`).
        columns: names of columns in the tables.

    Raises:
        InputError: a table cannot be read, has no labels, or ``train`` has a single class.
    """
    x, claims, y = _features(train, verifier, columns)
    x_test, claims_test, y_test = _features(test, verifier, columns)
    if len(set(y)) < 2:
        raise InputError(f"{train}: all rows have the label {y[0]!r}; baselines need at least two classes")
    known = [label.value for label in FACTIFY_LABELS] + list(STANCE_LABELS.values())
    labels = [label for label in dict.fromkeys(known) if label in set(y) | set(y_test)]
    text = slice(0, len(TEXT_FEATURES))
    photos = slice(len(TEXT_FEATURES), len(TEXT_FEATURES) + len(IMAGE_FEATURES))

    def forest() -> RandomForestClassifier:
        return RandomForestClassifier(400, min_samples_leaf=2, random_state=0, n_jobs=-1)

    words = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), min_df=2), LogisticRegression(max_iter=2000, C=3.0))
    guesses = {
        "majority": DummyClassifier().fit(x, y).predict(x_test),
        "claim only (words, logistic regression)": words.fit(claims, y).predict(claims_test),
        "photos only (random forest)": forest().fit(x[:, photos], y).predict(x_test[:, photos]),
        "text only (random forest)": forest().fit(x[:, text], y).predict(x_test[:, text]),
        "similarity + random forest": forest().fit(x, y).predict(x_test),
    }
    return {name: classification(y_test, list(map(str, guess)), labels) for name, guess in guesses.items()}


def _features(
    path: str | Path, verifier: "Verifier", columns: Mapping[str, str] | None
) -> tuple[np.ndarray, list[str], list[str]]:
    from factcheck.data import load_images, open_claims

    features, claims, labels = [], [], []
    for table in open_claims(path, columns=columns, on_error="mark").batches(256):
        keep = [i for i, (label, status) in enumerate(_pairs(table)) if label and status != "error"]
        if keep:
            table = load_images(table.take(keep), Path(path).parent)
            features.append(similarity_features(table, verifier))
            claims += table["claim"].to_pylist()
            labels += table["label"].to_pylist()
    if not labels:
        raise InputError(f"{path}: no row has a label; baselines are trained and scored on labelled rows")
    return np.vstack(features), claims, labels


def _pairs(table) -> zip:
    return zip(table["label"].to_pylist(), table["status"].to_pylist(), strict=True)
