"""Baselines beside a model: trained on the same rows, scored on the same rows.

The strongest, similarity features into a random forest, came second on Factify 2 (0.808 weighted F1): after INO (shared task
findings, arXiv 2307.10475), with this project's encoders in place of CLIP, SBERT and ResNet-50.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from factcheck.data import open_claims
from factcheck.data.claims import check_labels
from factcheck.errors import InputError
from factcheck.evaluation.metrics import Classification, classification
from factcheck.labels import FACTIFY_LABELS, STANCE_LABELS, parse_label, stance_of

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL import Image

    from factcheck.verification.verifier import Verifier

__all__ = [
    "IMAGE_FEATURES",
    "TEXT_FEATURES",
    "BaselinePredictions",
    "check_training_table",
    "predict_baselines",
    "score_baselines",
    "similarity_features",
]

#: Fewest labelled rows that baselines are trained on: below, words that two claims share may be lacking.
MIN_ROWS = 10

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
IMAGE_FEATURES = ("image_cosine", "colour_correlation", "has_pair")

_WORD = re.compile(r"\w+")
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|without|n't|cannot|false|fake|hoax)\b|n't\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class BaselinePredictions:
    """What the baselines say of N labelled rows.

    Attributes:
        gold: N labels.
        sources: the data set each row comes from (a field of JSONL tables); None without one.
        guesses: N labels by baseline.
        seen: how many of the N rows the baselines were trained on, too (claim, document and images are the same).
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
            f"least {MIN_ROWS}, of two classes",
            hint="give the table that the model was trained on",
        )
    if len(set(labels)) < 2:
        raise InputError(f"{path}: all rows have the label {labels[0]!r}; baselines need at least two classes")


def predict_baselines(
    train: str | Path, test: str | Path, verifier: "Verifier", *, columns: Mapping[str, str] | None = None
) -> BaselinePredictions:
    """Train every baseline on ``train`` and let it label ``test``.

    ``majority``; ``claim only`` (words of the claim, which shows what can be guessed without evidence: the hypothesis-only
    shortcut of Gururangan et al., arXiv 1803.02324); ``images only``; ``text only``; ``similarity + random forest`` (all
    features).

    Args:
        train, test: labelled claims tables; images are looked for beside each.
        verifier: lends its encoders (see :func:`factcheck.evaluation.baselines.similarity_features`).
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
    images = slice(len(TEXT_FEATURES), len(TEXT_FEATURES) + len(IMAGE_FEATURES))

    def forest() -> RandomForestClassifier:
        return RandomForestClassifier(400, min_samples_leaf=2, random_state=0, n_jobs=-1)

    words = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), min_df=2), LogisticRegression(max_iter=2000, C=3.0))
    guesses = {
        "majority": DummyClassifier().fit(x, y).predict(x_test),
        "claim only (words, logistic regression)": _fitted(words, claims, y, train).predict(claims_test),
        "photos only (random forest)": forest().fit(x[:, images], y).predict(x_test[:, images]),
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
    images: tuple[bytes, ...]


_CONTENT = ["claim", "document", "claim_image", "document_image"]


def _content(row: dict[str, Any]) -> _Content:
    images = ((row[name] or {}).get("bytes") or b"" for name in ("claim_image", "document_image"))
    return _Content(row["claim"], " ".join(row["document"] or ()), tuple(sha256(image).digest() for image in images))


def _features(
    path: str | Path, verifier: "Verifier", columns: Mapping[str, str] | None
) -> tuple[NDArray[np.float64], list[_Content], list[str], tuple[str, ...] | None]:
    """Features, contents, labels and sources of a table's labelled rows."""
    source = open_claims(path, columns=columns, on_error="mark")
    sources = source.fields("source")
    contents: list[_Content] = []
    features, labels, kept, first = [], [], [], 0
    for table in source.batches(256, images=True):
        check_labels(table, str(path), first)
        keep = [i for i, (label, status) in enumerate(_pairs(table)) if label and status != "error"]
        kept += [first + i for i in keep]
        first += table.num_rows
        if keep:
            table = table.take(keep)
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


def _pairs(table: "pa.Table") -> Iterator[tuple[str | None, str]]:
    return zip(table["label"].to_pylist(), table["status"].to_pylist(), strict=True)


def similarity_features(table: "pa.Table", verifier: "Verifier") -> NDArray[np.float64]:
    """Hand-made features of a canonical claims table with images loaded.

    Args:
        table: n rows (see :func:`factcheck.records.claims_schema`).
        verifier: lends its text encoder, evidence selection and image encoder; its heads are not used.

    Returns:
        (n, 14) float64, columns ``TEXT_FEATURES + IMAGE_FEATURES``; a row without a pair of images has zeros in the last three.
    """
    from factcheck.data import clean_claim, document_sentences
    from retrieval import select_evidence

    if table.num_rows == 0:
        raise InputError("the table has no rows", hint="give at least one")
    items = table.to_pylist()
    claims = [clean_claim(item["claim"] or "") for item in items]
    documents = [document_sentences(item["document"] or "", item["document_spans"]) for item in items]
    ids = [item["id"] for item in items]
    hits = select_evidence(claims, documents, ids, verifier.encoder, top_k=3, method="dense")
    text = [
        _text_features(claim, [sentence.text for sentence in document], found)
        for claim, document, found in zip(claims, documents, hits, strict=True)
    ]
    return np.hstack([np.array(text), _image_features(items, verifier)])


def _text_features(claim: str, document: Sequence[str], hits: Sequence[Any]) -> list[float]:
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


def _image_features(items: list[dict[str, Any]], verifier: "Verifier") -> NDArray[np.float64]:
    import torch

    from factcheck.data.images import decode_image

    features = np.zeros((len(items), len(IMAGE_FEATURES)))
    transform = verifier.builder.transform
    encoder: Any = verifier.model.image
    if encoder is None or transform is None:
        return features
    for i, item in enumerate(items):
        try:
            # As verification decodes them: JPEGs read at another size give other pixels.
            sides = ("claim_image", "document_image")
            pair = [decode_image(item[side]["bytes"], min_size=transform.size) for side in sides]
        except (InputError, TypeError):  # missing (None) or broken: no pair
            continue
        with torch.inference_mode():
            embedded = encoder.embed(torch.stack([transform(image) for image in pair]).to(verifier.device))
        colours = np.corrcoef(_histogram(pair[0]), _histogram(pair[1]))[0, 1]
        features[i] = float(embedded[0] @ embedded[1]), float(colours), 1.0
    return features


def _histogram(image: "Image.Image") -> NDArray[np.float64]:
    """64-bin joint RGB histogram, square root of shares."""
    pixels = np.asarray(image.resize((64, 64))).reshape(-1, 3) // 64
    counts = np.bincount(pixels @ np.array([16, 4, 1]), minlength=64)
    return np.sqrt(counts / counts.sum())
