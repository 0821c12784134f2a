"""Real servers on the loopback address, in a thread of the test's process."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from factcheck.commands.serve import bind


@contextlib.contextmanager
def running(app: Any) -> Iterator[str]:
    """The base address of an ASGI application while it is served."""
    import uvicorn

    sock, port = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    for _ in range(400):
        if server.started:
            break
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
