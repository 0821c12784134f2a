"""Retrieval quality from BEIR-format judgements, by ir-measures (extra ``eval``)."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.arguments import checked_file, checked_int
from retrieval.errors import InputError
from retrieval.lazy import import_extra
from retrieval.tables.content import Content, reading
from retrieval.tables.jsonl import JsonTable

if TYPE_CHECKING:
    from retrieval.search.search import EvidenceSearch

__all__ = ["MEASURES", "evaluate_run", "rank_documents", "read_qrels", "read_queries"]

MEASURES = ("R@5", "R@10", "nDCG@10", "RR")

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]


def read_qrels(path: str | Path | Content) -> dict[str, dict[str, int]]:
    """Judgements of a BEIR ``qrels/*.tsv`` (query-id, corpus-id, score; with or without a header line).

    Raises:
        InputError: no such file, or a row that is not three fields with a whole number last.
    """
    content = path if isinstance(path, Content) else Content(Path(path))
    checked_file(f"qrels {path}", content.path)
    qrels: dict[str, dict[str, int]] = {}
    with content.open() as file, reading(content), io.TextIOWrapper(file, "utf-8-sig", newline="") as stream:
        for number, row in enumerate(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            if not row or (number == 1 and row[-1] == "score"):
                continue
            try:
                query, document, score = row
                qrels.setdefault(query, {})[document] = int(score)
            except ValueError:
                raise InputError(
                    f"qrels {path}, line {number}: expected query-id, corpus-id and a whole number, tab-separated, found {row}"
                ) from None
    return qrels


def read_queries(path: str | Path | Content) -> dict[str, str]:
    """Queries of a BEIR ``queries.jsonl``, by id.

    Raises:
        InputError: no such file, or a row without an id and a text.
    """
    content = path if isinstance(path, Content) else Content(Path(path))
    checked_file(f"queries {path}", content.path)
    queries: dict[str, str] = {}
    for row in JsonTable(content).rows():
        identifier, text = row.values.get("_id", row.values.get("id")), row.values.get("text")
        if row.fault is not None or identifier is None or not isinstance(text, str):
            found = "an object without them" if row.fault is None else row.fault.text
            raise InputError(f"{content}, line {row.line}: expected _id and text, found {found}")
        queries[str(identifier)] = text
    return queries


def rank_documents(
    index: "EvidenceSearch",
    queries: Mapping[str, str],
    *,
    depth: int = 100,
    filters: Mapping[str, Any] | None = None,
    batch_size: int = 64,
    progress: Callable[[int, int | None], None] | None = None,
) -> dict[str, dict[str, float]]:
    """The documents of an index for each query, ranked by their best sentence.

    Args:
        index: opened with ``unique=False``: of two documents with one sentence both may be judged.
        queries: id → text. A document with the id of its query is left out, as BEIR does.
        depth: documents a query, at least 1; fewer where the index holds fewer.
        filters: as for :meth:`retrieval.search.search.EvidenceSearch.search`.
        batch_size: queries searched at once; bounds memory, changes no result.
        progress: called with the number of queries done, and of all.

    Returns:
        Query → document → score, for :func:`evaluate_run`.

    Raises:
        InputError: ``depth`` is below 1, or a bad filter.
    """
    depth = checked_int("depth", depth, 1)
    run: dict[str, dict[str, float]] = {}
    ids = list(queries)
    for start in range(0, len(ids), batch_size):
        left, wide = ids[start : start + batch_size], 3 * depth
        while left:
            found = index.search([queries[query] for query in left], top_k=wide, filters=filters)
            short = []
            for query, hits in zip(left, found, strict=True):
                best: dict[str, float] = {}
                for hit in hits:
                    if hit.document_id != query:
                        best.setdefault(hit.document_id, hit.score)
                run[query] = dict(list(best.items())[:depth])
                if len(best) < depth and len(hits) >= wide:
                    short.append(query)  # a few long documents took all places: search deeper
            left, wide = short, 4 * wide
        if progress is not None:
            progress(min(start + batch_size, len(ids)), len(ids))
    return run


def evaluate_run(qrels: Qrels, run: Run, measures: Sequence[str] = MEASURES) -> dict[str, float]:
    """Means over the judged queries; a query without results counts as 0.

    Args:
        qrels: query → document → relevance (> 0 is relevant).
        run: query → document → score.
        measures: names as ir-measures writes them (``R@10``, ``nDCG@10``, ``RR``, ``P@5`` …).

    Raises:
        InputError: the extra is missing, or a measure is unknown.
    """
    ir_measures = import_extra("ir_measures", "eval", "a score of rankings")
    try:
        parsed = [ir_measures.parse_measure(name) for name in measures]
    except (ValueError, NameError, SyntaxError) as error:
        raise InputError(f"unknown measure among {', '.join(measures)}: {error}") from None
    found = ir_measures.calc_aggregate(
        parsed, {q: dict(d) for q, d in qrels.items()}, {q: dict(run.get(q, {})) for q in qrels}
    )
    return {name: float(found[measure]) for name, measure in zip(measures, parsed, strict=True)}
