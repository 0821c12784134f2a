"""Does a verdict rest on the sentences that attribution names? Comprehensiveness, sufficiency, and gold evidence.

After ERASER (DeYoung et al. 2020, arXiv 1911.03429): taking the named sentences away should cost the verdict its
probability (comprehensiveness, higher is better), and leaving nothing else should not (sufficiency, lower is better).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from factcheck.errors import InputError
from factcheck.verification.decide import DecidedRows, Decision, attribute_sentences
from factcheck.verification.rows import Row, Variant
from retrieval.arguments import checked_int

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["ORDERS", "AttributionQuality", "Faithfulness", "GoldAgreement", "attribution_quality"]

#: What names sentences: the attribution scores; the retrieval scores; chance, which both have to beat.
ORDERS = ("attribution", "retrieval", "random")


@dataclass(frozen=True)
class Faithfulness:
    """What happens to the verdict's probability p when some of its n evidence sentences are taken away.

    Attributes:
        size: sentences taken, k.
        rows: rows with more than k sentences.
        comprehensiveness: by order, the mean of p(all) − p(all but the first k), in [−1, 1]; higher is better. At k = 1
            attribution has the highest value there can be, as it ranks by just this drop.
        sufficiency: by order, the mean of p(all) − p(the first k alone), in [−1, 1]; lower is better.
        comprehensiveness_gain, sufficiency_gain: attribution's advantage over random sentences, positive where it is
            better, and the half-width of its 95% interval (1.96 standard errors over rows).
    """

    size: int
    rows: int
    comprehensiveness: Mapping[str, float]
    sufficiency: Mapping[str, float]
    comprehensiveness_gain: tuple[float, float]
    sufficiency_gain: tuple[float, float]


@dataclass(frozen=True)
class GoldAgreement:
    """Whether the sentences named are those that people marked as evidence.

    Attributes:
        rows: rows with gold evidence.
        found: share of them with a gold sentence among those selected.
        choices: rows with both gold and other sentences among those selected: the rest of the figures is over these.
        precision_at_1: by order, the share of rows in which the first sentence is gold.
        average_precision: by order, the mean average precision.

    For random sentences both are what is expected over all orders, exactly.
    """

    rows: int
    found: float
    choices: int
    precision_at_1: Mapping[str, float]
    average_precision: Mapping[str, float]


@dataclass(frozen=True)
class AttributionQuality:
    """Figures on the attribution of one model over one table.

    Attributes:
        faithfulness: one entry a size, smallest first.
        gold: agreement with gold evidence, None where the table has none.
    """

    faithfulness: tuple[Faithfulness, ...]
    gold: GoldAgreement | None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def attribution_quality(
    verifier: "Verifier",
    claims: str | Path,
    *,
    image_root: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    gold: str | Path | None = None,
    sizes: Sequence[int] = (1, 2),
    draws: int = 10,
    seed: int = 0,
    limit: int | None = None,
) -> AttributionQuality:
    """Comprehensiveness and sufficiency of the sentence attribution, against random sentences and the most similar ones.

    Args:
        verifier: the model; its own ``attribution`` option does not matter.
        claims: claims table with documents.
        image_root: folder that image paths are relative to; by default the table's.
        columns: names of columns in the table.
        gold: JSONL file, a line a row of the table, with ``evidence`` (indexes of the gold sentences) or
            ``evidence_sentence`` (one index); by default the table itself is looked into.
        sizes: numbers of sentences to take away or to leave, each at least 1.
        draws: random choices a row and size; where there are no more than this, all of them are taken and chance is exact.
        seed: of the random choices.
        limit: rows to read, from the first; None for all.

    Raises:
        InputError: the table cannot be read, an option is out of range, or no row has more sentences than the smallest size.
    """
    for name, value in (("draws", draws), ("sizes", min(sizes, default=0))):
        checked_int(name, value, 1)
    marked = row_marks(claims if gold is None else gold)
    drops: dict[int, list[tuple[list[float], list[float]]]] = {size: [] for size in sorted(set(sizes))}
    agreements: list[_Agreement] = []
    for first, decided in _decided(verifier, Path(claims), image_root, columns, limit):
        scores = attribute_sentences(decided)
        for size, found in _drops(decided, scores, tuple(drops), draws, seed + first).items():
            drops[size] += found
        for row, row_scores in zip(decided.rows, scores, strict=True):
            wanted = marked[first + row.number] if marked and first + row.number < len(marked) else None
            if wanted and row.item["document"] is not None:
                agreements.append(_agreement(row, row_scores, set(wanted)))
    results = tuple(_summary(size, found) for size, found in drops.items() if found)
    if not results:
        raise InputError(
            f"{claims}: no row has more than {min(sizes)} evidence sentences; there is nothing to choose from"
        )
    return AttributionQuality(results, _gold_summary(agreements) if agreements else None)


def row_marks(path: str | Path) -> list[list[int] | None] | None:
    """The gold evidence of each row: indexes of sentences in its document, None where unknown; None if none is marked.

    Raises:
        InputError: ``evidence`` is neither an index nor a list of them.
    """
    from factcheck.data.claims import table_fields
    from retrieval.tables import Content, TableOptions, open_table

    values = table_fields(open_table(Content(Path(path)), TableOptions(), len), "evidence_sentence", "evidence")
    if values is None:
        return None
    marks: list[list[int] | None] = []
    for number, value in enumerate(values):
        indexes = [value] if isinstance(value, int) else value
        if indexes is not None and not (isinstance(indexes, list) and all(isinstance(i, int) for i in indexes)):
            raise InputError(
                f"{path}, row {number}, 'evidence': expected indexes of sentences in the document, found {str(value)[:60]!r}"
            )
        marks.append(indexes)
    return marks


def _decided(
    verifier: "Verifier",
    claims: Path,
    image_root: str | Path | None,
    columns: Mapping[str, str] | None,
    limit: int | None,
) -> Iterator[tuple[int, DecidedRows]]:
    from factcheck.data import open_claims

    first = 0
    source = open_claims(claims, columns=columns, on_error="mark")
    for table in source.batches(images=image_root or True, limit=limit):
        for decided in verifier.decided_rows(table):
            yield first, decided
        first += table.num_rows


def _drops(
    decided: DecidedRows, scores: Sequence[Sequence[float] | None], sizes: Sequence[int], draws: int, seed: int
) -> dict[int, list[tuple[list[float], list[float]]]]:
    """By size, for each row: comprehensiveness and sufficiency of each of ``ORDERS``. Each subset is decided once."""
    chosen: dict[tuple[int, int], list[list[tuple[int, ...]]]] = {}
    variants: dict[tuple[int, tuple[int, ...]], Variant] = {}
    for i, row in enumerate(decided.rows):
        n = len(row.cleaned)
        if not decided.decisions[i].is_judged:
            continue
        for size in sizes:
            if n <= size:
                continue
            orders = [
                [_first(scores[i] or [], size)],
                [tuple(range(size))],
                _random(n, size, draws, seed + row.number),
            ]
            chosen[i, size] = orders
            for subset in (subset for order in orders for subset in order):
                for kept in (subset, _without(n, subset)):
                    variants.setdefault((i, kept), Variant(i, kept))
    decisions = dict(zip(variants, decided.encoded.decide(list(variants.values())), strict=True))
    found: dict[int, list[tuple[list[float], list[float]]]] = {size: [] for size in sizes}
    for (i, size), orders in chosen.items():
        whole = decided.decisions[i]

        def drop(kept: tuple[int, ...], whole: Decision = whole, i: int = i) -> float:
            return whole.confidence - decisions[i, kept].probability_of(whole)

        n = len(decided.rows[i].cleaned)
        comprehensive = [float(np.mean([drop(_without(n, subset)) for subset in order])) for order in orders]
        sufficient = [float(np.mean([drop(subset) for subset in order])) for order in orders]
        found[size].append((comprehensive, sufficient))
    return found


def _first(scores: Sequence[float], size: int) -> tuple[int, ...]:
    """The ``size`` highest scores, ties to the earlier one, in ascending order of position."""
    return tuple(sorted(sorted(range(len(scores)), key=lambda i: -scores[i])[:size]))


def _without(n: int, subset: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i for i in range(n) if i not in subset)


def _random(n: int, size: int, draws: int, seed: int) -> list[tuple[int, ...]]:
    if math.comb(n, size) <= draws:
        return list(combinations(range(n), size))
    rng = np.random.default_rng(seed)
    return [tuple(sorted(rng.choice(n, size, replace=False).tolist())) for _ in range(draws)]


def _summary(size: int, rows: list[tuple[list[float], list[float]]]) -> Faithfulness:
    figures = np.array(rows)  # (rows, comprehensiveness or sufficiency, order)
    means = figures.mean(0)
    attribution, chance = ORDERS.index("attribution"), ORDERS.index("random")
    gains = [sign * (figures[:, part, attribution] - figures[:, part, chance]) for part, sign in ((0, 1), (1, -1))]
    intervals = [(float(g.mean()), float(1.96 * g.std(ddof=1) / len(g) ** 0.5) if len(g) > 1 else 0.0) for g in gains]
    taken, left = (dict(zip(ORDERS, map(float, mean), strict=True)) for mean in means)
    return Faithfulness(size, len(rows), taken, left, intervals[0], intervals[1])


@dataclass(frozen=True)
class _Agreement:
    found: bool
    first: tuple[float, ...] = ()
    precision: tuple[float, ...] = ()


def _agreement(row: Row, scores: Sequence[float] | None, gold: set[int]) -> _Agreement:
    marks = [hit.sentence in gold for hit in row.evidence]
    if not any(marks) or all(marks) or scores is None:
        return _Agreement(any(marks))
    share = sum(marks) / len(marks)
    by_attribution = [marks[i] for i in sorted(range(len(marks)), key=lambda i: -scores[i])]
    return _Agreement(
        True,
        (float(by_attribution[0]), float(marks[0]), share),
        (_average_precision(by_attribution), _average_precision(marks), _expected_precision(sum(marks), len(marks))),
    )


def _average_precision(marks: Sequence[bool]) -> float:
    hits = np.cumsum(marks)
    return float(np.mean([hits[i] / (i + 1) for i, mark in enumerate(marks) if mark]))


def _expected_precision(gold: int, n: int) -> float:
    """Average precision of a random order of n ≥ 2 sentences, in the mean over all orders."""
    return sum((1 + (rank - 1) * (gold - 1) / (n - 1)) / rank for rank in range(1, n + 1)) / n


def _gold_summary(rows: list[_Agreement]) -> GoldAgreement:
    open_rows = [row for row in rows if row.first]
    figures = [
        dict(zip(ORDERS, map(float, np.mean([getattr(row, name) for row in open_rows], axis=0)), strict=True))
        if open_rows
        else {}
        for name in ("first", "precision")
    ]
    return GoldAgreement(len(rows), float(np.mean([row.found for row in rows])), len(open_rows), *figures)
