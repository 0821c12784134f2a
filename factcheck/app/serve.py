"""A JSON endpoint: claims in, verdicts out (extra ``app``)."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from importlib import resources
from typing import Any

import pyarrow as pa
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from factcheck._version import __version__
from factcheck.app.batching import BatchQueue, QueueFull
from factcheck.app.requests import CLAIM_SCHEMA, claims_of, verdict_json
from factcheck.app.web import Guard, json_error, read_json
from factcheck.errors import InputError

__all__ = ["verdict_server"]

logger = logging.getLogger(__name__)


class _Metrics:
    """What Prometheus is told."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("factcheck_requests", "Requests by HTTP status", ["status"], registry=self.registry)
        self.rows = Counter("factcheck_rows", "Verdicts by status", ["status"], registry=self.registry)
        self.seconds = Histogram("factcheck_request_seconds", "Time from request to answer", registry=self.registry)
        self.waiting = Gauge("factcheck_rows_waiting", "Rows that wait for a batch", registry=self.registry)
        self.batches = Gauge("factcheck_batches", "Batches that have run", registry=self.registry)


def verdict_server(
    verify: Callable[[pa.Table], pa.Table],
    *,
    model: str = "",
    batch_size: int = 32,
    max_rows: int = 64,
    max_bytes: int = 2**24,
    most_waiting: int = 512,
    timeout: float = 120.0,
    hosts: tuple[str, ...] = (),
) -> Guard:
    """An ASGI application with ``POST /verify``, ``/openapi.json``, ``/docs``, ``/health`` and ``/metrics``.

    Args:
        verify: claims table to verdict table (:meth:`factcheck.Verifier.verify_batch`), called from one thread.
        model: what ``/health`` says of it.
        batch_size: rows that requests share a batch of.
        max_rows: claims in one request.
        max_bytes: bytes of one request.
        most_waiting: rows waiting before requests are turned down with 503.
        timeout: seconds until a request is given up with 504.
        hosts: names by which it may be called; empty for any.
    """
    metrics = _Metrics()
    queue: BatchQueue | None = None

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        nonlocal queue
        async with BatchQueue(verify, batch_size=batch_size, most_waiting=most_waiting) as queue:
            yield

    async def answer(request: Request) -> Response:
        items, single = _items(await read_json(request), max_rows)
        table = await asyncio.to_thread(claims_of, items)  # images are decoded there
        if single and table["status"][0].as_py() == "error":  # among several it is a row like the others
            raise InputError("; ".join(table["reasons"][0].as_py()), field="claim")
        assert queue is not None
        verdicts = await asyncio.wait_for(queue.submit(table), timeout)
        rows = [verdict_json(row) for row in verdicts.to_pylist()]
        for row in rows:
            metrics.rows.labels(row["status"]).inc()
        return JSONResponse(rows[0] if single else {"verdicts": rows})

    async def verify_claims(request: Request) -> Response:
        start = time.perf_counter()
        response = await _answered(answer, request)
        metrics.seconds.observe(time.perf_counter() - start)
        metrics.requests.labels(str(response.status_code)).inc()
        return response

    async def health(request: Request) -> Response:
        waiting = 0 if queue is None else queue.rows_waiting
        return JSONResponse({"status": "ok", "version": __version__, "model": model, "rows_waiting": waiting})

    async def prometheus(request: Request) -> Response:
        if queue is not None:
            metrics.waiting.set(queue.rows_waiting)
            metrics.batches.set(queue.batches)
        return PlainTextResponse(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    description = _openapi(max_rows)
    page = resources.files(__package__).joinpath("assets/docs.html").read_text("utf-8")

    async def openapi(request: Request) -> Response:
        return JSONResponse(description)

    async def docs(request: Request) -> Response:
        return HTMLResponse(page)

    routes = [
        Route("/verify", verify_claims, methods=["POST"]),
        Route("/health", health),
        Route("/metrics", prometheus),
        Route("/openapi.json", openapi),
        Route("/docs", docs),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _http_error})
    return Guard(app, hosts=hosts, max_bytes=max_bytes)


async def _answered(answer: Callable[[Request], Any], request: Request) -> Response:
    """The answer, or what went wrong as JSON."""
    try:
        return await answer(request)
    except InputError as error:
        return json_error(422, str(error))
    except HTTPException as error:
        return json_error(error.status_code, error.detail)
    except QueueFull:
        return json_error(503, "too many claims are waiting", {"Retry-After": "5"})
    except TimeoutError:
        return json_error(504, "the verdict took too long")
    except Exception:
        logger.exception("a request failed")
        return json_error(500, "an internal error; the server's log says more")


async def _http_error(request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "internal error")
    return json_error(status, detail)


def _items(body: Any, max_rows: int) -> tuple[list[Any], bool]:
    """The claims of a request, and whether it was one alone."""
    if not isinstance(body, dict):
        raise InputError(f"the body is {type(body).__name__}, expected an object", field="claims")
    if "claims" not in body:
        return [body], True
    items = body["claims"]
    if set(body) != {"claims"} or not isinstance(items, list):
        raise InputError("the body has other fields than a list of claims", field="claims")
    if not 1 <= len(items) <= max_rows:
        raise InputError(f"claims has {len(items)} entries, expected 1 to {max_rows}", field="claims")
    return items, False


def _openapi(max_rows: int) -> dict[str, Any]:
    from factcheck.records import verdict_schema

    verdict = {
        "type": "object",
        "description": "a row of the verdict table",
        "properties": {field.name: {"description": str(field.type)} for field in verdict_schema()},
    }
    claims = {
        "type": "object",
        "required": ["claims"],
        "properties": {"claims": {"type": "array", "minItems": 1, "maxItems": max_rows, "items": CLAIM_SCHEMA}},
    }
    verdicts = {"type": "object", "properties": {"verdicts": {"type": "array", "items": verdict}}}

    def content(*schemas: dict[str, Any]) -> dict[str, Any]:
        return {"application/json": {"schema": {"oneOf": list(schemas)}}}

    problem = {"description": "what was wrong, as {error: text}"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "factcheck", "version": __version__, "description": "Claims against evidence."},
        "paths": {
            "/verify": {
                "post": {
                    "summary": "The verdict on a claim, or on several",
                    "requestBody": {"required": True, "content": content(CLAIM_SCHEMA, claims)},
                    "responses": {
                        "200": {
                            "description": "a verdict for each claim, in order; of several, one that cannot be read has the status error",
                            "content": content(verdict, verdicts),
                        },
                        **dict.fromkeys(("400", "413", "415", "503", "504"), problem),
                        "422": {
                            "description": "claims that are not of the schema, or a single one that cannot be read: {error: text}"
                        },
                    },
                }
            },
            "/health": {"get": {"summary": "Whether the server is up", "responses": {"200": {"description": "it is"}}}},
            "/metrics": {"get": {"summary": "Figures for Prometheus", "responses": {"200": {"description": "text"}}}},
        },
    }
