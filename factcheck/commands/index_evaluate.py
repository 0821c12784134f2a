"""``factcheck index evaluate``: retrieval quality of an index on queries with BEIR judgements."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from factcheck.commands.common import positive
from factcheck.commands.progress import progress_bar
from factcheck.errors import InputError
from factcheck.outputs import check_output_file, is_json_with, refuse_standard_output

if TYPE_CHECKING:
    from retrieval import EvidenceSearch

__all__ = ["METHODS", "add_arguments", "run"]

#: Those of :data:`retrieval.search.search.SEARCH_METHODS`, which takes long to import.
METHODS = ("hybrid", "dense", "bm25")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("index", metavar="DIR", help="folder that 'factcheck index build' wrote")
    parser.add_argument(
        "beir", metavar="BEIR", help="folder, or zip archive of one, with queries.jsonl and qrels/SPLIT.tsv"
    )
    parser.add_argument("--split", default="test", help="which qrels (default: test)")
    parser.add_argument(
        "--method", action="append", choices=METHODS, help="measure this one (may be repeated; default: all three)"
    )
    parser.add_argument(
        "--measures",
        metavar="NAME,…",
        default="R@5,R@10,R@100,nDCG@10,RR",
        help="as ir-measures writes them, e.g. P@5,AP (default: R@5,R@10,R@100,nDCG@10,RR)",
    )
    parser.add_argument("--depth", type=positive, default=100, metavar="N", help="documents a query (default 100)")
    parser.add_argument(
        "--rerank",
        metavar="MODEL",
        help="also the first of the methods re-ranked: 'bundled', a verdict model's folder, or a Hugging Face sequence classifier",
    )
    parser.add_argument("--encoder", help="where the index's encoder is now, if it moved")
    parser.add_argument("--out", metavar="FILE", help="JSON to write")


def run(args: argparse.Namespace) -> int:
    """Measure and print one line a method."""
    from factcheck.commands.common import quiet_libraries
    from retrieval import open_index
    from retrieval.build.corpus import beir_file
    from retrieval.search.evaluation import evaluate_run, rank_documents, read_qrels, read_queries

    beir = Path(args.beir)
    _check_out(args.out, Path(args.index), beir, args.split)
    judgements = beir_file(beir, f"qrels/{args.split}.tsv")
    qrels = read_qrels(judgements)
    if not any(relevance > 0 for documents in qrels.values() for relevance in documents.values()):
        raise InputError(f"{judgements} calls no document relevant (a score above 0), so there is nothing to find")
    texts = read_queries(beir_file(beir, "queries.jsonl"))
    queries = {query: texts[query] for query in qrels if query in texts}
    if not queries:
        raise InputError(f"{beir}: no judged query is in queries.jsonl; are both of one data set?")
    if len(queries) < len(qrels):
        missing = next(query for query in qrels if query not in texts)
        raise InputError(
            f"{beir}: of {len(qrels)} judged queries {len(qrels) - len(queries)} are not in queries.jsonl (first: {missing!r})"
        )
    measures = [name.strip() for name in args.measures.split(",")]
    evaluate_run(qrels, {}, measures)  # a wrong name or a missing package must show before the search
    quiet_libraries()
    methods = list(dict.fromkeys(args.method or METHODS))
    reranker = None
    if args.rerank:
        from factcheck.verification.rerank import load_reranker

        reranker = load_reranker(args.rerank)
    figures: dict[str, dict[str, float]] = {}
    for method, ranker in [*((name, None) for name in methods), *([(methods[0], reranker)] if reranker else [])]:
        index = open_index(
            args.index, encoder=args.encoder, method=method, reranker=ranker, candidates=args.depth, unique=False
        )
        if not figures:
            _check_judged(index, qrels)
        name = f"{method}, re-ranked" if ranker else method
        with progress_bar(name) as update:
            found = rank_documents(index, queries, depth=args.depth, progress=update)
        figures[name] = evaluate_run(qrels, found, measures)
    width = max(map(len, figures))
    print(f"queries: {len(queries)}; up to {args.depth} documents each, ranked by their best sentence")
    print(" " * width + "".join(f"{name:>10}" for name in measures))
    for name, row in figures.items():
        print(f"{name:<{width}}" + "".join(f"{row[measure]:>10.4f}" for measure in measures))
    if args.out:
        text = json.dumps(
            {"queries": len(queries), "depth": args.depth, "split": args.split, "methods": figures}, indent=2
        )
        Path(args.out).write_text(text + "\n", "utf-8")
    return 0


def _check_out(out: str | None, index: Path, beir: Path, split: str) -> None:
    """Refuse an output that could not be written, or that would overwrite the index, the queries or the judgements."""
    refuse_standard_output("out", out)
    inputs = {"the queries": beir / "queries.jsonl", "the judgements": beir / "qrels" / f"{split}.tsv"}
    inputs |= {"the corpus": beir / "corpus.jsonl", "the data set": beir}
    check_output_file("out", out, inputs, own=is_json_with("queries", "depth", "methods"))
    if out and Path(out).resolve().is_relative_to(index.resolve()):
        raise InputError(f"--out {out!r} lies in the index folder; name a file elsewhere")


def _check_judged(index: "EvidenceSearch", qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Refuse an index of another corpus; say how many relevant documents a smaller one lacks."""
    wanted = {document for documents in qrels.values() for document, relevance in documents.items() if relevance > 0}
    allowed = index.store.allowed_documents({"document_id": sorted(wanted)})
    held = 0 if allowed is None else int(allowed.sum())
    if not held:
        raise InputError("none of the relevant documents is in the index; was it built of this data set's corpus?")
    if held < len(wanted):
        print(
            f"factcheck: warning: {len(wanted) - held} of {len(wanted)} relevant documents are not in the index; "
            "they count as not found",
            file=sys.stderr,
        )
