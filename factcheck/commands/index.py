"""``factcheck index``: build, search, measure and inspect an evidence index."""

import argparse
import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factcheck.commands import index_evaluate
from factcheck.commands.common import add_table_arguments, column_mapping, counted, positive, printable, probability
from factcheck.commands.progress import progress_bar
from factcheck.errors import InputError
from factcheck.outputs import check_output_file, check_output_folder
from retrieval.arguments import checked_int
from retrieval.build.corpus import CORPUS_FORMATS

if TYPE_CHECKING:
    from retrieval import Hit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the four actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser(
        "build",
        help="build an index of a corpus; a killed build resumes",
        description="Split a corpus into sentences, encode them, and write an index folder that 'factcheck verify "
        "--evidence' searches. The same command again resumes a build that was killed; an index that is there is replaced "
        "when the new one is complete.",
    )
    _add_build_arguments(build)
    search = actions.add_parser(
        "search",
        help="search an index; one JSON line a hit with --json",
        description="Print the sentences (or photos) of an index that are nearest to each query, best first.",
    )
    _add_search_arguments(search)
    evaluate = actions.add_parser(
        "evaluate",
        help="measure an index on queries with relevance judgements (BEIR format)",
        description="Rank the documents of an index for each judged query, and print recall, nDCG and reciprocal rank for "
        "each search method. Needs the extra 'eval'.",
    )
    index_evaluate.add_arguments(evaluate)
    info = actions.add_parser(
        "info",
        help="say what an index holds, and whether it is whole",
        description="Say what an index holds, and check every file of it against its checksum.",
    )
    info.add_argument("index", metavar="DIR", help="folder that 'factcheck index build' wrote")
    info.add_argument("--json", action="store_true", help="print the manifest")


def _add_build_arguments(build: argparse.ArgumentParser) -> None:
    build.add_argument(
        "corpus",
        nargs="+",
        help="tables (JSONL, JSON, CSV, TSV, Parquet, Excel), folders of tables, BEIR folders or archives, texts or folders of texts",
    )
    build.add_argument("--out", required=True, metavar="DIR", help="folder of the index")
    build.add_argument(
        "--encoder",
        default="bundled",
        help="bundled, multilingual (extra), a folder, or a Hugging Face id (default: bundled)",
    )
    build.add_argument(
        "--runtime",
        default="torch",
        choices=("torch", "int8", "onnx", "onnx-int8"),
        help="what runs the encoder; int8 is faster, its vectors differ slightly (default: torch)",
    )
    build.add_argument(
        "--preset", default="fast", choices=("fast", "small", "exact"), help="speed, memory or exactness"
    )
    build.add_argument("--factory", metavar="STRING", help="FAISS factory string instead of a preset")
    build.add_argument("--format", choices=CORPUS_FORMATS, help="default: found")
    add_table_arguments(build, "text=2,date=1")
    build.add_argument("--columns", metavar="FIELD=COLUMN,…", help="e.g. text=body,date=published")
    build.add_argument(
        "--photos",
        dest="image_encoder",
        metavar="ENCODER",
        help="make photos searchable: 'bundled' or the folder of a photo encoder",
    )
    build.add_argument("--cache", metavar="FILE", help="embedding cache (default: inside the index folder)")
    build.add_argument("--no-cache", action="store_true", help="keep no embeddings between builds")


def _add_search_arguments(search: argparse.ArgumentParser) -> None:
    search.add_argument("index", metavar="DIR", help="folder that 'factcheck index build' wrote")
    search.add_argument("query", nargs="*", help="one or more queries, each quoted")
    search.add_argument(
        "--photo", action="append", metavar="FILE", help="find this photo in the index (may be repeated)"
    )
    search.add_argument(
        "--captions", action="store_true", help="find photos by what stands under and around them, not sentences"
    )
    search.add_argument("--top-k", type=positive, default=10, metavar="K", help="hits a query (default 10)")
    search.add_argument(
        "--photos", dest="image_encoder", metavar="ENCODER", help="where the index's photo encoder is now, if it moved"
    )
    search.add_argument(
        "--method",
        default="hybrid",
        choices=index_evaluate.METHODS,
        help="meaning (dense), words (bm25), or both (hybrid, the default)",
    )
    search.add_argument("--encoder", help="where the index's encoder is now, if it moved")
    search.add_argument(
        "--rerank",
        metavar="MODEL",
        help="score the hits again: 'bundled', a verdict model's folder, or a Hugging Face sequence classifier",
    )
    search.add_argument("--window", type=int, default=0, metavar="N", help="neighbouring sentences shown on each side")
    search.add_argument("--diversity", type=probability, metavar="P", help="0 … 1, maximal marginal relevance")
    search.add_argument("--date-before", metavar="DATE", help="only documents published before DATE, or undated")
    search.add_argument("--date-after", metavar="DATE", help="only documents published after DATE, or undated")
    search.add_argument("--source", action="append", help="only this source (may be repeated)")
    search.add_argument("--language", action="append", help="only this language (may be repeated)")
    search.add_argument("--json", action="store_true", help="print JSON lines")


def run(args: argparse.Namespace) -> int:
    """Run the action."""
    actions = {"build": _build, "search": _search, "evaluate": index_evaluate.run, "info": _info}
    return actions[args.action](args)


def _build(args: argparse.Namespace) -> int:
    from factcheck.commands.common import quiet_libraries
    from retrieval.build.corpus import CorpusFormat, read_corpus
    from retrieval.build.folder import check_index_folder

    columns = column_mapping(args.columns)
    # A mistake must show at once, not after the encoder is loaded.
    check_output_folder("out", args.out, "an index")
    check_index_folder(Path(args.out))
    for corpus in args.corpus:
        check_output_file("cache", args.cache, {"the corpus": corpus})
    how = CorpusFormat(columns or {}, args.format, args.quoting, args.header, args.date_order, args.delimiter)
    if next(read_corpus(args.corpus, format=how), None) is None:
        raise InputError(f"corpus {' '.join(args.corpus)} holds no document; an index needs at least one")
    from factcheck.verification.image_vectors import ImageVectors
    from retrieval import build_index

    quiet_libraries()
    with _logged() as messages, contextlib.ExitStack() as stack:
        bars: dict[str, Any] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in bars:
                stack.close()
                bars.clear()
                bars[stage] = stack.enter_context(
                    progress_bar(f"{stage} documents" if stage in ("checking", "encoding") else stage)
                )
            bars[stage](done, total)

        manifest = build_index(
            args.corpus,
            args.out,
            encoder=args.encoder,
            preset=args.preset,
            factory=args.factory,
            image_encoder=ImageVectors(args.image_encoder) if args.image_encoder else None,
            format=how,
            cache=False if args.no_cache else args.cache or True,
            runtime=args.runtime,
            progress=report,
        )
    for message in dict.fromkeys(messages):
        print(f"factcheck: warning: {message}", file=sys.stderr)
    counts = manifest["counts"]
    print(
        f"{args.out}: {', '.join(counted(counts[what + 's'], what) for what in ('document', 'sentence', 'photo'))} "
        f"({manifest['encoded']} texts encoded, {manifest['reused']} known), FAISS {manifest['factory']}"
    )
    if counts["unreadable"]:
        print(f"left out, as they could not be read: {counted(counts['unreadable'], 'photo')}", file=sys.stderr)
    return 0


@contextlib.contextmanager
def _logged() -> Iterator[list[str]]:
    """What the library logs as warnings meanwhile, to be printed once the progress bars are gone."""
    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    log, handler = logging.getLogger("retrieval"), Keep(logging.WARNING)
    log.addHandler(handler)
    try:
        yield messages
    finally:
        log.removeHandler(handler)


def _search(args: argparse.Namespace) -> int:
    from factcheck.commands.common import quiet_libraries
    from retrieval.manifest import read_manifest

    manifest = read_manifest(Path(args.index))
    checked_int("window", args.window, 0)
    photos = [(name, _read(name)) for name in args.photo or ()]
    if not args.query and not photos:
        raise InputError("index search found neither a query nor --photo; give at least one")
    if any(not query.strip() for query in args.query):
        raise InputError("index search found an empty query; write what to look for")
    from factcheck.verification.image_vectors import image_vectors_of
    from retrieval import open_index

    quiet_libraries()
    reranker = None
    if args.rerank:
        from factcheck.verification.rerank import load_reranker

        reranker = load_reranker(args.rerank)
    index = open_index(
        args.index,
        encoder=args.encoder,
        image_encoder=image_vectors_of(manifest, args.image_encoder) if photos else None,
        method=args.method,
        reranker=reranker,
        window=args.window,
        diversity=args.diversity,
    )
    filters = {
        "date_before": args.date_before,
        "date_after": args.date_after,
        "source": args.source,
        "language": args.language,
    }
    results: list[tuple[str, list[Hit]]] = []
    if args.query:
        search = index.images.search_captions if args.captions else index.search
        results += zip(args.query, search(args.query, top_k=args.top_k, filters=filters), strict=True)
    if photos:
        found = index.images.search([data for _, data in photos], top_k=args.top_k, filters=filters)
        results += zip([name for name, _ in photos], found, strict=True)
    for query, hits in results:
        if args.json:
            for hit in hits:
                row = {key: getattr(hit, key) for key in ("document_id", "sentence", "start", "end", "text", "score")}
                line = json.dumps({"query": query} | row | {"metadata": dict(hit.metadata or {})}, ensure_ascii=False)
                # A lone surrogate fits no stream; written as \ud800 it is JSON's own escape.
                print(line.encode("utf-8", "backslashreplace").decode("utf-8"))
            continue
        print(printable(query))
        for rank, hit in enumerate(hits, 1):
            shown = ("title", "source", "date", "photo")
            about = ", ".join(str(v) for k, v in (hit.metadata or {}).items() if k in shown and v)
            text = " ".join(hit.text.split())
            place = f"{hit.document_id} #{hit.sentence}" if hit.sentence >= 0 else f"{hit.document_id} photo"
            print(printable(f"{rank:3}. {hit.score:.4f}  [{place}] {text}" + (f"  ({about})" if about else "")))
        if not hits:
            print("     nothing found")
    return 0


def _read(photo: str) -> bytes:
    from factcheck.data.images import check_image

    data = b""
    try:
        data = Path(photo).read_bytes()
        reason = check_image(data)
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise InputError(f"--photo {photo}: {reason}; name a photo file")
    return data


def _info(args: argparse.Namespace) -> int:
    from retrieval.manifest import read_manifest, verify_files

    folder = Path(args.index)
    manifest = read_manifest(folder)
    verify_files(folder / manifest["data"], manifest["files"], contents=True)
    if args.json:
        print(json.dumps(manifest, indent=2, ensure_ascii=False))
        return 0
    encoder, counts = manifest["encoder"], manifest["counts"]
    size = sum(file["bytes"] for file in manifest["files"].values())
    vectors = manifest["files"]["index/dense/vectors.faiss"]["bytes"]
    print(f"documents     {counts['documents']}")
    if "dated" in counts:  # indexes of earlier versions do not say
        print(f"dated         {counts['dated']}")
    if counts.get("unreadable_dates"):  # nor do some of these
        print(f"unread dates  {counts['unreadable_dates']} (found by no search with a date; write dates as 2020-12-31)")
    print(f"sentences     {counts['sentences']}")
    print(f"photos        {counts['photos']}")
    print(
        f"encoder       {encoder['name'] or 'object'} ({encoder['dimension']} dimensions, {encoder['fingerprint']}"
        + (")" if encoder.get("runtime") in (None, "torch") else f", runtime {encoder['runtime']})")
    )
    print(f"FAISS         {manifest['factory']} ({vectors / max(1, counts['sentences']):.1f} bytes a vector)")
    print(f"size          {size / 2**20:.1f} MiB, all checksums match")
    return 0
