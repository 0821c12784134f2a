"""``factcheck review``: a local page for people's decisions, and what becomes of them."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from factcheck.commands.common import column_mapping, counted, quiet_libraries
from factcheck.commands.inputs import check_image_root, check_model
from factcheck.errors import InputError
from retrieval.errors import as_input_error

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("verdicts", help="verdict table, or 'export' or 'import' followed by one")
    parser.add_argument("rest", nargs="?", metavar="VERDICTS", help=argparse.SUPPRESS)
    parser.add_argument("--claims", required=True, help="claims table that was verified")
    parser.add_argument("--decisions", help="file of decisions, JSONL (default: beside the verdict table)")
    parser.add_argument("--columns", help="names of columns in the table, as claim=text,document=body")
    parser.add_argument("--image-root", help="folder that image paths are relative to (default: the table's folder)")
    parser.add_argument(
        "--model", default="bundled", help="model for claims that are tried on the page; 'none' leaves that out"
    )
    parser.add_argument("--evidence", help="evidence index for tried claims without a document")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument(
        "--out", help="export: corrections to write (.parquet, .jsonl, .csv), or tasks of Label Studio (.json)"
    )
    parser.add_argument(
        "--all", action="store_true", help="export: also rows that nobody decided, without a label, to evaluate against"
    )
    parser.add_argument("--tasks", help="import: an export of Label Studio, JSON")


def run(args: argparse.Namespace) -> int:
    """Serve the page, or export or import decisions."""
    action = args.verdicts if args.verdicts in ("export", "import") and args.rest else "serve"
    verdicts = args.rest if action != "serve" else args.verdicts
    if action == "serve" and args.rest:
        raise InputError(
            f"unknown argument {args.rest!r}", hint="write 'review export VERDICTS' or 'review import VERDICTS'"
        )
    check_image_root(args.image_root)
    from factcheck.app.decisions import DecisionLog
    from factcheck.app.queue import ReviewQueue

    queue = ReviewQueue(verdicts, args.claims, columns=column_mapping(args.columns), image_root=args.image_root)
    log = DecisionLog(args.decisions or f"{verdicts}.decisions.jsonl")
    return {"serve": _serve, "export": _export, "import": _import}[action](args, queue, log)


def _serve(args: argparse.Namespace, queue: Any, log: Any) -> int:
    from factcheck.commands.serve import bind, run_server

    check_model(args.model) if args.model != "none" else None
    socket, port = bind("127.0.0.1", args.port)  # first: it says in a line which packages are missing
    from factcheck.app.review import new_token, review_app

    verify = None
    if args.model != "none":
        quiet_libraries()
        from factcheck.verification.verifier import Verifier

        evidence = None
        if args.evidence:
            from retrieval import open_index

            evidence = open_index(args.evidence)
        verify = Verifier.load(args.model, evidence=evidence).verify_batch
    token = new_token()
    print(f"{counted(len(queue), 'row')}, decisions in {log.path}")
    print(f"open http://127.0.0.1:{port}/{token}/ (this address alone works; Ctrl-C ends)", flush=True)
    run_server(review_app(queue, log, token=token, verify=verify), socket)
    return 0


def _export(args: argparse.Namespace, queue: Any, log: Any) -> int:
    from factcheck.app.corrections import corrections, is_export, to_label_studio, write_corrections
    from factcheck.outputs import check_output_file
    from retrieval.durable import replacing

    if not args.out:
        raise InputError("review export needs `out`", field="out")
    inputs = {"the verdict table": args.rest, "the claims table": args.claims, "the file of decisions": log.path}
    check_output_file("out", args.out, inputs, own=is_export, kind="an earlier export")
    if Path(args.out).suffix.lower() == ".json":
        tasks = to_label_studio(queue, log)
        with replacing(args.out) as partial:
            partial.write_text(json.dumps(tasks, ensure_ascii=False, indent=1), "utf-8")
        print(f"{counted(len(tasks), 'task')} -> {args.out}")
        return 0
    table, disputed = corrections(queue, log, every_row=args.all)
    write_corrections(table, args.out)
    labels = zip(table["label"].to_pylist(), table["verdict"].to_pylist(), strict=True)
    changed = sum(label is not None and label != verdict for label, verdict in labels)
    print(f"{counted(len(table), 'row')} -> {args.out}: {changed} with another label than the verdict's")
    if disputed:
        print(
            f"factcheck: warning: {counted(len(disputed), 'row')} without a label, on which reviewers do not agree",
            file=sys.stderr,
        )
    return 0


def _import(args: argparse.Namespace, queue: Any, log: Any) -> int:
    from factcheck.app.corrections import from_label_studio

    if not args.tasks:
        raise InputError("review import needs `tasks`", field="tasks")
    with as_input_error(f"{args.tasks!r} cannot be read", OSError, ValueError, field="tasks"):
        tasks = json.loads(Path(args.tasks).read_text("utf-8"))
    decisions = from_label_studio(tasks, queue.ids)
    standing = log.current()
    new = [d for d in decisions if (known := standing.get((d.id, d.reviewer))) is None or _differ(known, d)]
    for decision in new:
        log.add(decision)
    print(f"{counted(len(new), 'decision')} added to {log.path}, {len(decisions) - len(new)} were there already")
    return 0


def _differ(one: Any, other: Any) -> bool:
    return (one.stance, one.image_relation, one.note) != (other.stance, other.image_relation, other.note)
