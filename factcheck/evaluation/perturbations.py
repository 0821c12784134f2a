"""Changes to a claims table that should not change a verdict, or should in a known way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from factcheck.data import document_sentences
from factcheck.records import claims_schema

__all__ = ["LONG_DOCUMENT", "PERTURBATIONS", "Perturbation", "perturb"]

#: Characters to which ``long document`` fills documents up.
LONG_DOCUMENT = 100_000
_ADDED_SENTENCES = 5

Item = dict[str, Any]
#: Changes one row: its cells, the document's sentences, those of the other rows' documents, a random generator. Returns the
#: cells that change; ``document`` may be a list of sentences.
Perturbation = Callable[[Item, list[str], Sequence[str], np.random.Generator], Item]


def perturb(table: pa.Table, change: Perturbation, *, seed: int = 0) -> pa.Table:
    """The table with every usable row changed.

    Args:
        table: of :func:`factcheck.records.claims_schema`, with photos loaded.
        change: one of :data:`PERTURBATIONS`, or a function like them.
        seed: of random choices; a row's depend on the seed and its place.

    Returns:
        A table of the same schema with the same rows. Rows with the status ``error`` are left as they are.
    """
    rows = table.to_pylist()
    documents = [_sentences(row) for row in rows]
    changed = []
    for number, (row, sentences) in enumerate(zip(rows, documents, strict=True)):
        if row["status"] != "error":
            cells = change(row, sentences, _Others(documents, number), np.random.default_rng((seed, number)))
            row = {**row, **cells}
            if isinstance(row["document"], list):
                row["document"], row["document_spans"] = _joined(row["document"])
            elif "document" in cells:
                row["document_spans"] = None
        changed.append(row)
    return pa.Table.from_pylist(changed, schema=claims_schema())


class _Others(Sequence[str]):
    """Sentences of the rows after one, round to the row before it, without those of its own document."""

    def __init__(self, documents: list[list[str]], number: int) -> None:
        self._sentences: list[str] | None = None
        self._documents, self._number = documents, number

    def _all(self) -> list[str]:
        if self._sentences is None:
            own = set(self._documents[self._number])
            after = self._documents[self._number + 1 :] + self._documents[: self._number]
            # Rows may share a document; each sentence comes once, in order.
            texts = dict.fromkeys(text for document in after for text in document)
            self._sentences = [text for text in texts if text not in own]
        return self._sentences

    def __len__(self) -> int:
        return len(self._all())

    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]


def _sentences(row: Item) -> list[str]:
    text = row["document"]
    return [] if text is None else [text[s.start : s.end] for s in document_sentences(text, row["document_spans"])]


def _joined(sentences: list[str]) -> tuple[str, list[dict[str, int]]]:
    spans, position = [], 0
    for text in sentences:
        spans.append({"start": position, "end": position + len(text)})
        position += len(text) + 1
    return " ".join(sentences), spans


def _reordered(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    shuffled = [sentences[i] for i in rng.permutation(len(sentences))]
    return {"document": shuffled if shuffled != sentences else shuffled[::-1]} if sentences else {}


def _repeated(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    return {"document": sentences * 2} if sentences else {}


def _irrelevant(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    if not sentences or not len(others):
        return {}
    added = rng.choice(len(others), min(_ADDED_SENTENCES, len(others)), replace=False)
    mixed = list(sentences)
    for i in added:
        mixed.insert(int(rng.integers(len(mixed) + 1)), others[int(i)])
    return {"document": mixed}


def _cased(change: Callable[[str], str]) -> Perturbation:
    def apply(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
        cells: Item = {"claim": change(row["claim"])}
        return {**cells, "document": [change(text) for text in sentences]} if sentences else cells

    return apply


def _noisy(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    cells: Item = {"claim": _noise(row["claim"], rng)}
    return {**cells, "document": [_noise(text, rng) for text in sentences]} if sentences else cells


def _noise(text: str, rng: np.random.Generator) -> str:
    """Other white space between words, typographic quotes, the final stop lost or doubled: no word changes."""
    gaps = ("  ", "\t", " \u00a0", "\n", " ", " ", " ")
    words = text.split(" ")
    text = "".join(word + gaps[int(rng.integers(len(gaps)))] for word in words).strip()
    text = text.replace("'", "\u2019").replace(' "', " \u201c").replace('"', "\u201d")
    stop = ("", ".", "..", " .")[int(rng.integers(4))]
    return text[:-1] + stop if text.endswith(".") else text


def _long(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    if not sentences or not len(others):
        return {}
    added: list[str] = []
    size = sum(len(text) + 1 for text in sentences)
    while size < LONG_DOCUMENT:
        # Numbered from the second round on, so that they are other sentences and not repetitions.
        turn, place = divmod(len(added), len(others))
        added.append(others[place] if turn == 0 else f"{others[place]} ({turn})")
        size += len(added[-1]) + 1
    middle = len(added) // 2
    return {"document": [*added[:middle], *sentences, *added[middle:]]}


def _empty(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    return {"document": ""}


def _claim_as_document(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    return {"document": row["claim"]}


def _swapped(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    return {"claim_image": row["document_image"], "document_image": row["claim_image"]}


def _dropped(row: Item, sentences: list[str], others: Sequence[str], rng: np.random.Generator) -> Item:
    return {"claim_image": None, "document_image": None}


#: By name. Expected: no flip for the first four, next to none up to ``long document``, ``insufficient`` for an empty document,
#: ``support`` for the claim as its own document, the same image relation for swapped photos, the same stance without photos.
PERTURBATIONS: Mapping[str, Perturbation] = {
    "sentences reordered": _reordered,
    "sentences repeated": _repeated,
    "lower case": _cased(str.lower),
    "white space and punctuation": _noisy,
    "upper case": _cased(str.upper),
    "irrelevant sentences added": _irrelevant,
    "long document": _long,
    "empty document": _empty,
    "claim as document": _claim_as_document,
    "photos swapped": _swapped,
    "photos dropped": _dropped,
}
