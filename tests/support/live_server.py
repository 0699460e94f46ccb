"""A real server on a free loopback port, for tests of what goes over the wire."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from services.ingest.log.endpoints import router
from shared.http.problems import add_problem_handlers
from shared.workspace import Workspace

STARTUP_SECONDS = 20


def build_log_app(workspace: Workspace) -> FastAPI:
    """The log alone, without what the services put around it."""
    app = FastAPI()
    app.state.workspace = workspace
    add_problem_handlers(app)
    app.include_router(router)
    return app


@contextmanager
def serve(app: FastAPI) -> Iterator[str]:
    """Serve an app; yield its URL without a slash at the end."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + STARTUP_SECONDS
        while not server.started:
            assert thread.is_alive(), "the server ended before it was up"
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
