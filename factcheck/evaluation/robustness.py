"""How far verdicts withstand changes of their input that should not matter, in the manner of CheckList's invariance tests.

Ribeiro et al. 2020 (arXiv 2005.04118): behaviour is stated (no verdict flips when sentences change places) and counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from factcheck.data import document_sentences
from factcheck.errors import InputError
from factcheck.labels import STANCES, FactifyLabel, parse_label, stance_of
from factcheck.records import claims_schema

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["LONG_DOCUMENT", "PERTURBATIONS", "Perturbation", "Robustness", "compare_verdicts", "perturb", "robustness"]

#: Characters to which ``long document`` fills documents up.
LONG_DOCUMENT = 100_000
_ADDED_SENTENCES = 5

Item = dict[str, Any]
#: Changes one row: its cells, the document's sentences, those of the other rows' documents, a random generator. Returns the
#: cells that change; ``document`` may be a list of sentences.
Perturbation = Callable[[Item, list[str], Sequence[str], np.random.Generator], Item]


@dataclass(frozen=True)
class Robustness:
    """What one perturbation did to the verdicts of a table.

    Attributes:
        name: of the perturbation.
        rows: rows with a verdict before and after that the perturbation changed.
        verdict_flips: share of them with another label; with another stance where only one of the two verdicts has an image
            relation.
        stance_flips: share with another stance.
        image_flips: share with another image relation, of the rows that have one before and after; None without such rows.
        mean_change: mean |change| of the first verdict's probability (of its stance's, where only one has five classes).
        stances: stances after the perturbation, counted.
        statuses: statuses after the perturbation, counted.
        accuracy_before, accuracy_after: share of labelled rows whose verdict (or stance, as above) is right; None without
            labels.
    """

    name: str
    rows: int
    verdict_flips: float
    stance_flips: float
    image_flips: float | None
    mean_change: float
    stances: Mapping[str, int]
    statuses: Mapping[str, int]
    accuracy_before: float | None
    accuracy_after: float | None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def robustness(
    verifier: "Verifier",
    claims: str | Path,
    *,
    image_root: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = 200,
    seed: int = 0,
    names: tuple[str, ...] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[Robustness]:
    """Verify a table as it is and under each perturbation of :data:`~factcheck.evaluation.robustness.PERTURBATIONS`.

    Args:
        verifier: the model; attribution is not computed.
        claims: claims table with documents; labels are used where it has them.
        image_root: folder that image paths are relative to; by default the table's.
        columns: names of columns in the table.
        limit: rows taken, from the first: the table is held in memory. None for all.
        seed: of the random choices.
        names: perturbations to apply; None for all.
        progress: called with the number of runs done and of all runs.

    Returns:
        One entry a perturbation that changes any row, in their order.

    Raises:
        InputError: the table cannot be read, it has no usable row, or a perturbation is unknown.
    """
    from factcheck.data import open_claims

    if unknown := sorted(set(names or ()) - set(PERTURBATIONS)):
        raise InputError(f"unknown perturbation {unknown[0]!r}; known are {', '.join(PERTURBATIONS)}")
    path = Path(claims)
    source = open_claims(path, columns=columns, on_error="mark")
    tables = list(source.batches(limit=limit, images=image_root or True))
    if not tables:
        raise InputError(f"{path}: no rows; robustness is measured on at least one")
    table = pa.concat_tables(tables)
    chosen = [name for name in PERTURBATIONS if names is None or name in names]
    verifier = verifier.replace(attribution=False, photo_attribution=False)
    before = _verify(verifier, table)
    results = []
    for done, name in enumerate(chosen):
        if progress:
            progress(done + 1, len(chosen) + 1)
        changed = perturb(table, PERTURBATIONS[name], seed=seed)
        rows = [i for i, (a, b) in enumerate(zip(table.to_pylist(), changed.to_pylist(), strict=True)) if a != b]
        if rows:
            after = _verify(verifier, changed.take(rows))
            labels = table["label"].take(rows).to_pylist()
            results.append(compare_verdicts(name, [before[i] for i in rows], after, labels))
    if progress:
        progress(len(chosen) + 1, len(chosen) + 1)
    return [result for result in results if result.rows]


def compare_verdicts(
    name: str, before: list[dict[str, Any]], after: list[dict[str, Any]], labels: list[str | None]
) -> Robustness:
    """The figures of one perturbation, from the rows of two verdict tables in the same order and their gold labels."""
    pairs = [
        (a, b, parse_label(label) if label else None)
        for a, b, label in zip(before, after, labels, strict=True)
        if a["status"] != "error" and b["status"] != "error"
    ]
    views = [(_answer(a, b), _answer(b, a)) for a, b, _ in pairs]
    related = [(a, b) for a, b, _ in pairs if a["image_relation"] and b["image_relation"]]
    judged = [(_right(a, b, gold), _right(b, a, gold)) for a, b, gold in pairs if gold is not None]
    changes = [abs(old[1][old[0]] - new[1][old[0]]) for old, new in views]

    def share(values: list[bool]) -> float:
        return float(np.mean(values)) if values else 0.0

    return Robustness(
        name=name,
        rows=len(pairs),
        verdict_flips=share([old[0] != new[0] for old, new in views]),
        stance_flips=share([a["stance"] != b["stance"] for a, b, _ in pairs]),
        image_flips=share([a["image_relation"] != b["image_relation"] for a, b in related]) if related else None,
        mean_change=float(np.mean(changes)) if changes else 0.0,
        stances=dict(Counter(b["stance"] for _, b, _ in pairs)),
        statuses=dict(Counter(b["status"] for b in after)),
        accuracy_before=share([a for a, _ in judged]) if judged else None,
        accuracy_after=share([b for _, b in judged]) if judged else None,
    )


def _verify(verifier: "Verifier", table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    # Few rows at a time: documents of 100,000 characters and images are kept for as many as are under way.
    for start in range(0, table.num_rows, 64):
        rows += verifier.verify_batch(table.slice(start, 64)).to_pylist()
    return rows


def _answer(row: dict[str, Any], other: dict[str, Any]) -> tuple[str, dict[str, float]]:
    """The verdict and its probabilities at the level at which both rows can be compared: five classes, else stances."""
    if row["probabilities"] and other["probabilities"]:
        return row["label"], row["probabilities"]
    return row["stance"], row["stance_probabilities"]


def _right(row: dict[str, Any], other: dict[str, Any], gold: Any) -> bool:
    if row["probabilities"] and other["probabilities"] and isinstance(gold, FactifyLabel):
        return row["label"] == gold.value
    return row["stance"] == STANCES[STANCES.index(stance_of(gold))].value


def perturb(table: pa.Table, change: Perturbation, *, seed: int = 0) -> pa.Table:
    """The table with every usable row changed.

    Args:
        table: of :func:`factcheck.records.claims_schema`, with images loaded.
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
#: ``support`` for the claim as its own document, the same image relation for swapped images, the same stance without images.
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
