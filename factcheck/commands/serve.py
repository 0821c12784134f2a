"""``factcheck serve``: a JSON endpoint for verdicts."""

import argparse
import socket
from typing import Any

from factcheck.commands.common import positive, probability, quiet_libraries
from factcheck.commands.inputs import check_model
from factcheck.commands.judging import add_judge_arguments, judge_of
from factcheck.errors import InputError
from retrieval.lazy import need_extra

__all__ = ["add_arguments", "bind", "run", "run_server"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", default="bundled", help="model folder, Hugging Face id, or 'bundled' (default)")
    parser.add_argument("--evidence", help="evidence index (a folder) for claims that bring no document")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8000, help="port (default 8000; 0 takes a free one)")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which clients may call it",
    )
    parser.add_argument(
        "--batch-size", type=positive, default=32, help="rows that requests share a batch of (default 32)"
    )
    parser.add_argument("--max-rows", type=positive, default=64, help="claims in one request (default 64)")
    parser.add_argument("--max-bytes", type=positive, default=2**24, help="bytes of one request (default 16 MiB)")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds until a request is given up (default 120)"
    )
    parser.add_argument(
        "--abstain-below", type=probability, help="mark verdicts of lower confidence as abstained, in [0, 1]"
    )
    parser.add_argument(
        "--no-attribution", action="store_true", help="skip the attribution scores (several times faster)"
    )
    parser.add_argument("--device", help="torch device (default: cpu)")
    add_judge_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    check_model(args.model)
    sock, port = bind(args.host, args.port)
    quiet_libraries()
    from factcheck.app.serve import verdict_server
    from factcheck.verification.verifier import Verifier

    evidence = None
    if args.evidence:
        from retrieval import open_index

        evidence = open_index(args.evidence)
    verifier = Verifier.load(
        args.model,
        judge=judge_of(args),
        evidence=evidence,
        abstain_below=args.abstain_below,
        attribution=not args.no_attribution,
        batch_size=args.batch_size,
        device=args.device,
    )
    local = ("127.0.0.1", "localhost", "::1")
    # Behind a public address names are the proxy's business; on this machine alone a foreign name is an attack (DNS rebinding).
    hosts = (*local, *args.allow_host) if args.host in local else tuple(args.allow_host)
    app = verdict_server(
        verifier.verify_batch,
        model=verifier.fingerprint,
        batch_size=args.batch_size,
        max_rows=args.max_rows,
        max_bytes=args.max_bytes,
        timeout=args.timeout,
        hosts=hosts,
    )
    print(f"listening on http://{args.host}:{port}/ (POST /verify, /docs, /health, /metrics; Ctrl-C ends)", flush=True)
    run_server(app, sock)
    return 0


def bind(host: str, port: int) -> tuple[socket.socket, int]:
    """A listening socket and its port, before anything is loaded.

    Raises:
        InputError: the extra is not installed, or the address cannot be had.
    """
    need_extra("app", "starlette", "uvicorn", what="a page or an endpoint")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot listen on {host}, port {port}: {reason}", field="port", hint="choose another `port`"
        ) from None
    return sock, sock.getsockname()[1]


def run_server(app: Any, sock: socket.socket) -> None:
    """Serve an ASGI application on a bound socket until Ctrl-C or SIGTERM; requests in hand are finished."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=20, server_header=False)
    uvicorn.Server(config).run(sockets=[sock])
