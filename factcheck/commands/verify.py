"""``factcheck verify``: a table of claims in, the verdict table out."""

import argparse
import logging
import re
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factcheck.commands.common import (
    Stop,
    add_reading_arguments,
    claims_format,
    count_or_share,
    counted,
    positive,
    probability,
    quiet_libraries,
    stoppable,
    write_json,
)
from factcheck.commands.inputs import check_image_root, check_model
from factcheck.commands.judging import add_judge_arguments, judge_of, price_of, print_dry_run, print_usage
from factcheck.commands.progress import progress_bar
from factcheck.errors import InputError

if TYPE_CHECKING:
    from factcheck.data.claims import ClaimsSource
    from factcheck.data.ocr import ImageTextReader
    from factcheck.verification.cluster import RayCluster
    from factcheck.verification.stream import RunSummary
    from factcheck.verification.verifier import Verifier
    from retrieval.content_cache import ContentCache

__all__ = ["add_arguments", "exit_status", "print_summary", "run"]

logger = logging.getLogger(__name__)

_REASONS_SHOWN = 8
_LINE_BYTES = 4096
_COLUMNS_SHOWN = 10
_EVIDENCE_NAME = re.compile("evidence|document|article|context|passage|body|source|text", re.IGNORECASE)
#: Exit status of a run that finished with more rows in error than allowed.
TOO_MANY_ERRORS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("claims", help="claims table: CSV, TSV, JSONL or Parquet")
    parser.add_argument("--out", required=True, help="verdict table to write: .parquet, .csv, .tsv or .jsonl")
    parser.add_argument("--model", default="bundled", help="model folder, Hugging Face id, or 'bundled' (default)")
    parser.add_argument("--evidence", help="evidence index (a folder) for claims that bring no document")
    parser.add_argument(
        "--photos",
        metavar="ENCODER",
        help="photo encoder of the index, if it moved: 'bundled' or a folder; 'none' leaves its photos unsearched",
    )
    parser.add_argument("--image-root", help="folder that image paths are relative to (default: the table's folder)")
    parser.add_argument("--columns", help="names of columns in the table, as claim=text,document=body")
    add_reading_arguments(parser)
    parser.add_argument("--top-k", type=positive, help="evidence sentences a claim (default: as the model was trained)")
    parser.add_argument(
        "--abstain-below",
        type=probability,
        help="mark verdicts of lower confidence as abstained, in [0, 1]; 'factcheck verdicts threshold' changes it afterwards",
    )
    parser.add_argument(
        "--no-attribution", action="store_true", help="skip the attribution scores (several times faster)"
    )
    parser.add_argument(
        "--photo-attribution",
        action="store_true",
        help="also say how much the stance's probability drops without either photo (column photo_attribution)",
    )
    parser.add_argument(
        "--retrieval-encoder",
        metavar="ENCODER",
        help="text encoder of the evidence selection: 'bundled', 'multilingual' (extra), a folder or a Hugging Face id (default: the "
        "model's own, if it is here)",
    )
    parser.add_argument(
        "--any-language",
        action="store_true",
        help="judge rows in languages that the model does not read, too (else they are marked and abstain)",
    )
    _add_compute_arguments(parser)
    add_judge_arguments(parser)
    _add_run_arguments(parser.add_argument_group("the run"))


def _add_compute_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-size", type=positive, default=32, help="rows a forward pass (default 32)")
    parser.add_argument(
        "--runtime",
        choices=("torch", "int8"),
        default="torch",
        help="how the text models run: 'int8' is faster on a CPU, its probabilities differ slightly",
    )
    parser.add_argument(
        "--cache",
        metavar="FILE",
        help="keep sentence vectors in this file for the next run (2 GiB at most, longest unused first out); what --ocr reads is kept "
        "there, else in the user's cache folder",
    )
    parser.add_argument(
        "--ocr",
        choices=("off", "fill"),
        default="off",
        help="'fill' reads the text in photos whose OCR cells are empty, each photo once (extra ocr; default off)",
    )
    parser.add_argument("--device", help="torch device (default: cpu)")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say how many rows, tokens and seconds it would take, and what it would cost",
    )


def _add_run_arguments(group: Any) -> None:
    group.add_argument("--chunk-size", type=positive, default=256, help="rows in memory at once (default 256)")
    group.add_argument(
        "--fresh",
        action="store_true",
        help="start over instead of finishing an interrupted run, whose verdicts stay as they are (of photos that were missing then, too)",
    )
    group.add_argument("--workers", type=positive, default=1, metavar="N", help="processes that verify (default 1)")
    group.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="verify on a Ray cluster: 'auto' for the one this machine belongs to, HOST:PORT, or none for one on this machine",
    )
    group.add_argument(
        "--ray-actors",
        type=positive,
        metavar="N",
        help="processes that verify on the cluster (default: as many as its CPUs less one, with --device cuda as its GPUs)",
    )
    group.add_argument(
        "--keep",
        metavar="COLUMNS",
        help="columns of the claims table to write beside the verdicts, as claim,url,team; 'all' for all",
    )
    group.add_argument(
        "--since",
        metavar="VERDICTS",
        help="earlier verdict table: rows of which nothing has changed keep their verdicts, others are verified",
    )
    group.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="verify the I-th of N stretches of the rows only, I from 0; writes OUT.I-of-N.parquet for 'factcheck verdicts merge'",
    )
    group.add_argument(
        "--on-error",
        choices=("mark", "fail"),
        default="mark",
        help="bad rows: mark them (default) or stop at the first",
    )
    group.add_argument(
        "--max-errors",
        type=count_or_share,
        metavar="N|SHARE",
        help=f"exit with status {TOO_MANY_ERRORS} if more rows than this are in error (default: if all are)",
    )
    group.add_argument(
        "--metrics",
        action="append",
        default=[],
        metavar="FILE",
        help="figures of the run, as JSON or (FILE.prom) as Prometheus text; may be given twice",
    )


def run(args: argparse.Namespace) -> int:
    """Verify and print a summary."""
    from factcheck.outputs import check_output_file
    from factcheck.verification.verdict_table import check_output

    # A mistake must show at once, not after everything is loaded.
    out = _shard_name(Path(args.out), args.shard)
    check_output(out, Path(args.claims))
    for path in args.metrics:
        inputs = {"the claims table": args.claims, "the verdict table": out}
        check_output_file("metrics", path, inputs, own=_is_metrics, kind="figures of a run")
    columns = claims_format(args)
    from factcheck.data import open_claims

    _check_evidence(open_claims(args.claims, columns=columns, on_error=args.on_error), args.evidence)
    check_image_root(args.image_root)
    check_model(args.model)
    if args.photos and not args.evidence:
        raise InputError("`photos` names the image encoder of an index", hint="give the index as `evidence`, too")
    cluster = _cluster(args)
    with stoppable("the chunk in hand") as stop:
        # On a cluster it is actors that need the device; here the verifier only tells what verdicts rest on.
        verifier = _verifier(args, on_cpu=cluster is not None)
        if args.dry_run:
            print_dry_run(verifier, open_claims(args.claims, columns=columns, on_error=args.on_error), args.judge_price)
            return 0
        summary = _verify(verifier, args, out, columns, stop, cluster)
    if summary is None:
        return stop.exit_code
    for path in args.metrics:
        _write_metrics(path, summary, price_of(args.judge_price))
    if not summary.rows:
        logger.warning("%s holds 0 rows; so does the verdict table", args.claims)
    print_summary(summary)
    print_usage(summary.judge, args.judge_price)
    return exit_status(summary, args.max_errors)


def _verify(
    verifier: "Verifier",
    args: argparse.Namespace,
    out: Path,
    columns: Mapping[str, str] | None,
    stop: Stop,
    cluster: "RayCluster | None",
) -> "RunSummary | None":
    """The finished run; None where it was stopped, which is said."""
    from factcheck.verification.stream import RunInterrupted, verify_file

    verify: Callable[..., RunSummary] = verify_file
    if cluster is not None:
        from factcheck.verification.cluster import verify_on_ray

        verify = partial(verify_on_ray, cluster=cluster)
    try:
        if stop():
            raise RunInterrupted(0, None)
        with progress_bar("verifying", resumes=True, unit="row") as progress:
            return verify(
                verifier,
                args.claims,
                out,
                columns=columns,
                image_root=args.image_root,
                on_error=args.on_error,
                chunk_size=args.chunk_size,
                fresh=args.fresh,
                since=args.since,
                shard=args.shard,
                keep=[name.strip() for name in (args.keep or "").split(",") if name.strip()],
                workers=args.workers,
                load=partial(_verifier, args),
                progress=progress,
                should_stop=stop,
            )
    except RunInterrupted as stopped:
        of = "" if stopped.total is None else f" of {stopped.total}"
        again = " without --fresh" if args.fresh else ""
        logger.warning("stopped with %d%s rows done; the same command%s goes on from there", stopped.done, of, again)
        return None


def _check_evidence(claims: "ClaimsSource", index: str | None) -> None:
    """Warn where no row can have evidence, as of a table whose column of evidence has a name of its own."""
    if index or claims.columns.keys() & {"document", "document_image", "document_ocr"}:
        return
    told, hint = "", "give an index with --evidence"
    if claims.unused:
        likely = next((name for name in claims.unused if _EVIDENCE_NAME.search(name)), claims.unused[0])
        told = f"; unused are {', '.join(map(repr, claims.unused[:_COLUMNS_SHOWN]))}"
        hint = f"if one holds the evidence, name it: --columns document={shlex.quote(likely)}"
    logger.warning("%s has no column 'document', so that no row has evidence%s; %s", claims.where, told, hint)


def _cluster(args: argparse.Namespace) -> "RayCluster | None":
    if args.ray is None:
        if args.ray_actors is not None:
            raise InputError("`ray_actors` are processes of a cluster", field="ray_actors", hint="give `ray`, too")
        return None
    from factcheck.verification.cluster import RayCluster
    from retrieval.lazy import import_extra

    import_extra("ray", "ray", "a run on a cluster", "ray")  # before the model is loaded
    return RayCluster(address=args.ray, actors=args.ray_actors, cuda=(args.device or "").startswith("cuda"))


def _verifier(args: argparse.Namespace, *, on_cpu: bool = False) -> "Verifier":
    manifest = None
    if args.evidence:
        from retrieval.manifest import read_manifest

        manifest = read_manifest(Path(args.evidence))
    quiet_libraries()
    from factcheck.judges.device import find_device
    from factcheck.verification.verifier import Verifier
    from retrieval.content_cache import ContentCache

    device = None if on_cpu else args.device
    find_device(device)  # before an index is opened, which may take a while
    cache = ContentCache(args.cache) if args.cache else None
    ocr = _ocr_reader(cache) if args.ocr == "fill" else "off"
    judge = judge_of(args)  # before an index is opened and the model loaded: its server or its package may be missing
    evidence = None
    if manifest is not None:
        from factcheck.verification.image_vectors import image_vectors_of
        from retrieval import open_index

        images = None if args.photos == "none" else image_vectors_of(manifest, args.photos)
        evidence = open_index(args.evidence, image_encoder=images)
    return Verifier.load(
        args.model,
        judge=judge,
        top_k=args.top_k,
        abstain_below=args.abstain_below,
        attribution=not args.no_attribution,
        photo_attribution=args.photo_attribution,
        batch_size=args.batch_size,
        runtime=args.runtime,
        cache=cache,
        ocr=ocr,
        any_language=args.any_language,
        retrieval_encoder=args.retrieval_encoder,
        evidence=evidence,
        device=device,
    )


def _ocr_reader(cache: "ContentCache | None") -> "ImageTextReader":
    from factcheck.data.ocr import ImageTextReader
    from retrieval.content_cache import ContentCache, cache_folder

    return ImageTextReader(cache or ContentCache(cache_folder("ocr") / "texts.sqlite"))


def print_summary(summary: "RunSummary") -> None:
    """A few lines on standard output: rows, statuses, labels, and what the reasons are, most frequent first."""
    resumed = f" ({summary.resumed} of them from an interrupted run)" if summary.resumed else ""
    taken = f" ({summary.taken_over} of them taken over)" if summary.taken_over else ""
    print(f"{counted(summary.rows, 'row')}{resumed}{taken} -> {summary.out}")
    for title, counts in (("status", summary.statuses), ("label", summary.labels)):
        if counts:
            print(f"  {title}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))
    if summary.differing:
        print(f"  differences: in {counted(summary.differing, 'row')} the evidence says otherwise than the claim")
    if summary.duplicate_ids:
        print(f"  {counted(summary.duplicate_ids, 'row')} with an id that an earlier row has")
    for reason, count in summary.reasons.most_common(_REASONS_SHOWN):
        print(f"  {count} x {reason}")
    if len(summary.reasons) > _REASONS_SHOWN:
        print(f"  and {len(summary.reasons) - _REASONS_SHOWN} more kinds of reason; each row has its own in the table")


def exit_status(summary: "RunSummary", most: int | float | None) -> int:
    """0, or :data:`TOO_MANY_ERRORS`, which is said."""
    errors = summary.statuses["error"]
    allowed = most * summary.rows if isinstance(most, float) else most
    if summary.rows and errors == summary.rows:
        logger.error("every row is in error; the reasons are in %s", summary.out)
        return TOO_MANY_ERRORS
    if allowed is not None and errors > allowed:
        logger.error("%d of %d rows are in error, more than --max-errors allows", errors, summary.rows)
        return TOO_MANY_ERRORS
    return 0


def _write_metrics(path: str, summary: "RunSummary", price: tuple[float, float] | None) -> None:
    from factcheck.judges.usage import cost_of
    from factcheck.verification.metrics import prometheus_text, run_metrics
    from retrieval.durable import replacing

    metrics = run_metrics(summary)
    if summary.judge and (cost := cost_of(summary.judge, price)) is not None:
        metrics["judge"]["cost"] = cost
    if not path.endswith(".prom"):
        write_json(path, metrics)
        return
    with replacing(path) as partial:  # a node exporter may read the folder at any moment
        partial.write_text(prometheus_text(metrics), "utf-8")


def _is_metrics(path: Path) -> bool:
    """Whether a file holds figures of an earlier run, in either format."""
    from factcheck.outputs import is_json_with

    if path.suffix != ".prom":
        return is_json_with("rows", "seconds_by_stage")(path)
    with path.open("rb") as file:
        return file.readline(_LINE_BYTES).startswith(b"# HELP factcheck_")


def _shard(text: str) -> tuple[int, int]:
    number, slash, count = text.partition("/")
    if not (slash and number.isdigit() and count.isdigit() and int(number) < int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 0 to N - 1, such as 0/4, found {text!r}")
    return int(number), int(count)


def _shard_name(out: Path, shard: tuple[int, int] | None) -> Path:
    """``V.parquet`` as ``V.00002-of-00008.parquet``, so that all shards may be given one name."""
    return out if shard is None else out.with_name(f"{out.stem}.{shard[0]:05d}-of-{shard[1]:05d}{out.suffix}")
