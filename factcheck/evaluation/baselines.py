"""Baselines beside a model: trained on the same rows, scored on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from factcheck.data import open_claims
from factcheck.data.reasons import check_labels
from factcheck.errors import InputError
from factcheck.evaluation.baseline_model import IMAGE_FEATURES, TEXT_FEATURES, similarity_features
from factcheck.evaluation.metrics import Classification, classification
from factcheck.labels import FACTIFY_LABELS, STANCE_LABELS, parse_label, stance_of

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["BaselinePredictions", "check_training_table", "predict_baselines", "score_baselines"]

#: Fewest labelled rows that baselines are trained on: below, words that two claims share may be lacking.
MIN_ROWS = 10


@dataclass(frozen=True)
class BaselinePredictions:
    """What the baselines say of N labelled rows.

    Attributes:
        gold: N labels.
        sources: the data set each row comes from (a field of JSONL tables); None without one.
        guesses: N labels by baseline.
        seen: how many of the N rows the baselines were trained on, too (claim, document and photos are the same).
    """

    gold: tuple[str, ...]
    sources: tuple[str, ...] | None
    guesses: Mapping[str, tuple[str, ...]]
    seen: int = 0

    def scores(self) -> dict[str, Classification]:
        """Figures of each baseline over all rows."""
        known = [label.value for label in FACTIFY_LABELS] + list(STANCE_LABELS.values())
        present = set(self.gold).union(*self.guesses.values())
        labels = [label for label in dict.fromkeys(known) if label in present]
        return {name: classification(self.gold, guess, labels) for name, guess in self.guesses.items()}

    def by_source(self) -> dict[str, dict[str, float]]:
        """Accuracy of the stance, in [0, 1], by source and baseline; empty without sources."""
        result: dict[str, dict[str, float]] = {}
        for source in sorted(set(self.sources or ())):
            rows = [i for i, other in enumerate(self.sources or ()) if other == source]
            gold = [stance_of(parse_label(self.gold[i])) for i in rows]
            result[source] = {
                name: float(np.mean([stance_of(parse_label(guess[i])) == g for i, g in zip(rows, gold, strict=True)]))
                for name, guess in self.guesses.items()
            }
        return result


def score_baselines(
    train: str | Path, test: str | Path, verifier: "Verifier", *, columns: Mapping[str, str] | None = None
) -> dict[str, Classification]:
    """Train every baseline on ``train`` and score it on ``test``; see :func:`predict_baselines`."""
    return predict_baselines(train, test, verifier, columns=columns).scores()


def check_training_table(path: str | Path, *, columns: Mapping[str, str] | None = None) -> None:
    """Refuse a table that baselines cannot be trained on, by its labels alone, before the long work.

    Raises:
        InputError: the table cannot be read, has a label that is none, too few labelled rows, or a single class.
    """
    labels, first = [], 0
    for table in open_claims(path, columns=columns, on_error="mark").batches(2048):
        check_labels(table, str(path), first)
        first += table.num_rows
        labels += [label for label, status in _pairs(table) if label and status != "error"]
    if len(labels) < MIN_ROWS:
        raise InputError(
            f"{path}: the training table has {len(labels)} labelled row{'s' if len(labels) != 1 else ''}; baselines need at "
            f"least {MIN_ROWS}, of two classes. Give the table that the model was trained on"
        )
    if len(set(labels)) < 2:
        raise InputError(f"{path}: all rows have the label {labels[0]!r}; baselines need at least two classes")


def predict_baselines(
    train: str | Path, test: str | Path, verifier: "Verifier", *, columns: Mapping[str, str] | None = None
) -> BaselinePredictions:
    """Train every baseline on ``train`` and let it label ``test``.

    ``majority``; ``claim only`` (words of the claim, which shows what can be guessed without evidence: the hypothesis-only
    shortcut of Gururangan et al., arXiv 1803.02324); ``photos only``; ``text only``; ``similarity + random forest`` (all
    features).

    Args:
        train, test: labelled claims tables; photos are looked for beside each.
        verifier: lends its encoders (see :func:`factcheck.evaluation.baseline_model.similarity_features`).
        columns: names of columns in the tables.

    Raises:
        InputError: a table cannot be read or has no labels, or ``train`` has too few rows or a single class.
    """
    check_training_table(train, columns=columns)
    x, contents, y, _ = _features(train, verifier, columns)
    x_test, contents_test, y_test, sources = _features(test, verifier, columns)
    claims, claims_test = ([content.claim for content in some] for some in (contents, contents_test))
    known = set(contents)
    text = slice(0, len(TEXT_FEATURES))
    photos = slice(len(TEXT_FEATURES), len(TEXT_FEATURES) + len(IMAGE_FEATURES))

    def forest() -> RandomForestClassifier:
        return RandomForestClassifier(400, min_samples_leaf=2, random_state=0, n_jobs=-1)

    words = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), min_df=2), LogisticRegression(max_iter=2000, C=3.0))
    guesses = {
        "majority": DummyClassifier().fit(x, y).predict(x_test),
        "claim only (words, logistic regression)": _fitted(words, claims, y, train).predict(claims_test),
        "photos only (random forest)": forest().fit(x[:, photos], y).predict(x_test[:, photos]),
        "text only (random forest)": forest().fit(x[:, text], y).predict(x_test[:, text]),
        "similarity + random forest": forest().fit(x, y).predict(x_test),
    }
    return BaselinePredictions(
        tuple(y_test),
        sources,
        {name: tuple(map(str, guess)) for name, guess in guesses.items()},
        seen=sum(content in known for content in contents_test),
    )


class _Content(NamedTuple):
    """What a row says: equal for copies of a row, whatever their ids and paths."""

    claim: str
    document: str
    photos: tuple[bytes, ...]


_CONTENT = ["claim", "document", "claim_image", "document_image"]


def _content(row: dict[str, Any]) -> _Content:
    photos = ((row[name] or {}).get("bytes") or b"" for name in ("claim_image", "document_image"))
    return _Content(row["claim"], " ".join(row["document"] or ()), tuple(sha256(photo).digest() for photo in photos))


def _features(
    path: str | Path, verifier: "Verifier", columns: Mapping[str, str] | None
) -> tuple[np.ndarray, list[_Content], list[str], tuple[str, ...] | None]:
    """Features, contents, labels and sources of a table's labelled rows."""
    from factcheck.data import load_images, row_fields

    sources = row_fields(path, "source", columns=columns)
    contents: list[_Content] = []
    features, labels, kept, first = [], [], [], 0
    for table in open_claims(path, columns=columns, on_error="mark").batches(256):
        check_labels(table, str(path), first)
        keep = [i for i, (label, status) in enumerate(_pairs(table)) if label and status != "error"]
        kept += [first + i for i in keep]
        first += table.num_rows
        if keep:
            table = load_images(table.take(keep), Path(path).parent)
            features.append(similarity_features(table, verifier))
            contents += map(_content, table.select(_CONTENT).to_pylist())
            labels += table["label"].to_pylist()
    if not labels:
        raise InputError(f"{path}: no row has a label; baselines are trained and scored on labelled rows")
    return np.vstack(features), contents, labels, tuple(str(sources[i]) for i in kept) if sources else None


def _fitted(words: Pipeline, claims: list[str], labels: list[str], where: str | Path) -> Pipeline:
    try:
        return words.fit(claims, labels)
    except ValueError:
        raise InputError(
            f"{where}: no word occurs in two claims, so nothing can be learnt from them; give more rows"
        ) from None


def _pairs(table) -> zip:
    return zip(table["label"].to_pylist(), table["status"].to_pylist(), strict=True)
