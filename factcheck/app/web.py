"""What every page and endpoint of this package keeps to: bounded bodies, known hosts, strict headers, errors as JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Guard", "json_error", "read_json"]

#: Of every answer: pages run nothing but our own files, are framed by nobody and tell nobody where they were.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware: refuses other hosts (DNS rebinding) and bodies that are too large, and sets :data:`HEADERS`.

    Args:
        app: the application.
        hosts: host names by which it may be called, without port; empty for any.
        max_bytes: largest body, in bytes; counted as it arrives, whatever its header says.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str] = (), max_bytes: int = 2**24) -> None:
        self.app, self.hosts, self.max_bytes = app, frozenset(hosts), max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].strip("[]").lower()
        length = headers.get(b"content-length", b"0")
        if self.hosts and host not in self.hosts:
            await json_error(421, f"this server is not {host!r}")(scope, receive, send)
            return
        if length.isdigit() and int(length) > self.max_bytes:
            await json_error(413, f"the body is larger than {self.max_bytes} bytes")(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise HTTPException(413, f"the body is larger than {self.max_bytes} bytes")
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in known)]
            await send(message)

        await self.app(scope, counted, with_headers)


def json_error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """``{"error": message}``."""
    return JSONResponse({"error": message}, status, headers=dict(headers or {}))


async def read_json(request: Request) -> Any:
    """The body of a request as JSON.

    Raises:
        HTTPException: 415 for another content type (which keeps other sites' forms out), 400 for what is not JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "send application/json")
    body = await request.body()
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
