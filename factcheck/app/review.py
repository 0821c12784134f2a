"""A local page on which people decide what verdicts are worth, and try claims of their own (extra ``app``)."""

import asyncio
import re
import secrets
from collections.abc import Callable
from importlib import resources
from typing import Any

import pyarrow as pa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from factcheck.app.decisions import Decision, DecisionLog, agreement
from factcheck.app.queue import ReviewQueue, progress
from factcheck.app.requests import claims_of
from factcheck.app.web import Guard, json_error, read_json
from factcheck.errors import InputError
from factcheck.evaluation.report.cases import case_of
from factcheck.evaluation.report.images import ImageStore, SmallImage
from factcheck.labels import ImageRelation, Stance

__all__ = ["review_app"]

_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
#: Address within the page to the file that it is.
_ASSETS = {
    "": ("factcheck.app", "assets/review.html"),
    "review.js": ("factcheck.app", "assets/review.js"),
    "review.css": ("factcheck.app", "assets/review.css"),
    "case.js": ("factcheck.evaluation.report", "assets/case.js"),
    "case.css": ("factcheck.evaluation.report", "assets/case.css"),
}
_LISTED = 200
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,60}")


def review_app(
    queue: ReviewQueue,
    log: DecisionLog,
    *,
    token: str,
    verify: Callable[[pa.Table], pa.Table] | None = None,
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1"),
) -> Guard:
    """An ASGI application whose pages lie under ``/TOKEN/``; any other address is not found.

    Args:
        queue: what there is to review.
        log: where decisions go.
        token: random text in the address, which other programs and pages on this machine do not know.
        verify: claims table to verdict table, for claims that reviewers try; None leaves that out.
        hosts: names by which it may be called.
    """
    trying = asyncio.Lock()

    async def asset(request: Request) -> Response:
        package, path = _ASSETS[request.path_params.get("name", "")]
        text = resources.files(package).joinpath(path).read_text("utf-8")
        return Response(text, media_type=_KINDS[path.rpartition(".")[2]])

    async def state(request: Request) -> Response:
        overview = _overview(queue, log, _reviewer(request.query_params.get("reviewer")))
        return JSONResponse({**overview, "can_try": verify is not None})

    async def case(request: Request) -> Response:
        n = int(request.path_params["n"])
        if n >= len(queue):
            raise HTTPException(404, "no such row")
        reviewer = _reviewer(request.query_params.get("reviewer"))
        shown, images = await asyncio.to_thread(queue.case, n)
        said = _sayings([d for d in log.current().values() if d.id == queue.ids[n]], reviewer)
        return JSONResponse({"n": n, "case": shown, "images": images, **said})

    async def decide(request: Request) -> Response:
        body = await read_json(request)
        decision = _decision(body, queue)
        await asyncio.to_thread(log.add, decision)
        return JSONResponse(progress(log, queue, decision.reviewer))

    async def undo(request: Request) -> Response:
        body = await read_json(request)
        reviewer = _reviewer(body.get("reviewer") if isinstance(body, dict) else None)
        taken = await asyncio.to_thread(log.undo, reviewer)
        n = None if taken is None else queue.number_of(taken.id)
        return JSONResponse({**progress(log, queue, reviewer), "n": n})

    async def try_claim(request: Request) -> Response:
        if verify is None:
            raise HTTPException(404, "no model was loaded to try claims with")
        table = await asyncio.to_thread(claims_of, [await read_json(request)])
        async with trying:  # one at a time: they share the model's threads
            verdicts = await asyncio.to_thread(verify, table)
        return JSONResponse(_tried(table.to_pylist()[0], verdicts.to_pylist()[0]))

    routes = [
        Route("/", asset),
        *(Route(f"/{name}", asset_of(asset, name)) for name in _ASSETS if name),
        Route("/api/state", state),
        Route("/api/case/{n:int}", case),
        Route("/api/decide", decide, methods=["POST"]),
        Route("/api/undo", undo, methods=["POST"]),
        Route("/api/try", try_claim, methods=["POST"]),
    ]
    handlers: Any = {HTTPException: _http_error, InputError: _input_error, OSError: _disk_error}
    app = Starlette(routes=[Mount(f"/{token}", routes=routes)], exception_handlers=handlers)
    return Guard(app, hosts=hosts)


def asset_of(asset: Callable[[Request], Any], name: str) -> Callable[[Request], Any]:
    """The endpoint of one file."""

    async def serve(request: Request) -> Response:
        request.scope["path_params"]["name"] = name
        return await asset(request)

    return serve


def new_token() -> str:
    """Random text for an address: 128 bits."""
    return secrets.token_urlsafe(16)


def _reviewer(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or not _NAME.fullmatch(name.strip()):
        raise InputError("a `reviewer` has a name of 1 to 60 characters", field="reviewer")
    return name.strip()


def _overview(queue: ReviewQueue, log: DecisionLog, reviewer: str) -> dict[str, Any]:
    """How far the review is, and what this reviewer is to look at next."""
    decisions = list(log.current().values())
    listed = queue.order(decisions, reviewer)[:_LISTED]
    summaries = [queue.summary(n) for n in listed]
    return {**progress(log, queue, reviewer), "queue": summaries, "agreement": agreement(decisions)}


def _sayings(decisions: list[Decision], reviewer: str) -> dict[str, Any]:
    """What the reviewer has said of a case, and what others have."""
    mine = next((_said(d) for d in decisions if d.reviewer == reviewer), None)
    # What others said is shown only when one has said something oneself: it would lead.
    others = (
        [_said(d) for d in decisions if d.reviewer != reviewer] if mine else len([d for d in decisions if d.stance])
    )
    return {"mine": mine, "others": others}


def _tried(row: dict[str, Any], verdict: dict[str, Any]) -> dict[str, Any]:
    """A claim that a reviewer tried, with its verdict, as the page shows it."""
    images: dict[str, Any] = {}
    store = ImageStore(most=2)
    for side in ("claim", "document"):
        data = (row.pop(f"{side}_image") or {}).get("bytes")
        found = store.shrink(data) if data else "no image"
        images[side] = found.uri if isinstance(found, SmallImage) else {"note": found}
    return {"case": case_of(verdict, row), "images": images}


def _decision(body: Any, queue: ReviewQueue) -> Decision:
    if not isinstance(body, dict):
        raise InputError("a decision is an object", field="stance")
    identifier = body.get("id")
    if not isinstance(identifier, str) or queue.number_of(identifier) is None:
        raise InputError(f"there is no row {str(identifier)[:60]!r}", field="id")
    note = body.get("note") or ""
    if not isinstance(note, str):
        raise InputError("a `note` is text", field="note")
    try:
        stance = None if body.get("stance") is None else Stance(body["stance"])
        relation = None if body.get("image_relation") is None else ImageRelation(body["image_relation"])
    except ValueError as error:
        raise InputError(str(error), field="stance") from None
    return Decision(
        id=identifier, reviewer=_reviewer(body.get("reviewer")), stance=stance, image_relation=relation, note=note
    )


def _said(decision: Decision) -> dict[str, Any]:
    return {
        "reviewer": decision.reviewer,
        "stance": decision.stance,
        "image_relation": decision.image_relation,
        "note": decision.note,
    }


async def _http_error(request: Request, error: HTTPException) -> Response:
    return json_error(error.status_code, error.detail)


async def _input_error(request: Request, error: InputError) -> Response:
    return json_error(422, str(error))


async def _disk_error(request: Request, error: OSError) -> Response:
    return json_error(507, f"not saved: {error.strerror or error}")
