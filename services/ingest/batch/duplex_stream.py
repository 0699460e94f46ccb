"""A request and its answer as two streams that run at once, with the work between them on a thread of its own.

Rules, in order:

1. The body is read a message at a time and only when the work asks for the next: the server stops reading the socket, and
   so the client sending, as long as the work is behind.
2. The answer goes through a `Spool`, so the work never waits for a client that is not reading yet.
3. The answer begins with the first bytes of the work. What fails before them is an error answer like any other; what fails
   after them cuts the answer off, unless the work itself has a word for it.
4. When the client goes away the work is told so at its next reading, and its end is waited for.

Starlette's own StreamingResponse reads the request's messages away while it waits for a disconnect; hence this one.
Source: ASGI specification 2.5, HTTP "Request" and "Response Body".
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from pathlib import Path

from fastapi.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.ingest.batch.spool import Spool
from services.ingest.bulk.rows import Pause
from shared.errors import SleeveError

# How long a stream may keep rows waiting for more to go with them: long beside the gap between two packets, short for a
# person or a program that waits for the answer before it sends on.
PAUSE_SECONDS = 0.3

Chunks = Iterator[bytes | Pause]
Write = Callable[[bytes], None]


class DisconnectedError(SleeveError):
    """The client went away; there is nobody left to tell."""

    code = "client_disconnected"


class StreamedAnswer(Response):
    """An answer made while the request is read.

    Args:
        work: given the body's chunks and what writes the answer; runs on a thread of its own.
        media_type: of the answer.
        folder: where the answer waits for its reader.
    """

    def __init__(self, work: Callable[[Chunks, Write], None], media_type: str, folder: Path) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]  # nobody knows it yet
        self._work = work
        self._folder = folder

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Run the work and send what it writes."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        # Not the loop's own few threads: a stream may last for hours.
        thread = ThreadPoolExecutor(1, thread_name_prefix="stream")
        with Spool(self._folder) as spool:
            body = _Body(receive, loop)

            def write(data: bytes) -> None:
                spool.write(data)
                loop.call_soon_threadsafe(news.set)

            run = loop.run_in_executor(thread, copy_context().run, self._work, body.chunks(), write)
            run.add_done_callback(lambda _run: news.set())
            try:
                await self._send(run, news, spool, send)
            finally:
                body.stop()
                await asyncio.wait([run])
                thread.shutdown()

    async def _send(self, run: asyncio.Future[None], news: asyncio.Event, spool: Spool, send: Send) -> None:
        has_begun = False
        while True:
            await news.wait()
            news.clear()
            is_done = run.done()
            while data := spool.read():
                if not has_begun:
                    await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                    has_begun = True
                await send({"type": "http.response.body", "body": data, "more_body": True})
            if is_done:
                break
        try:
            run.result()
        except DisconnectedError:
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Body:
    """The body of a request, for a thread that is not the loop's."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._loop = receive, loop
        self._coming: Future[Message] | None = None
        self._is_stopped = False

    def stop(self) -> None:
        """Let nobody wait for more of it."""
        self._is_stopped = True
        if self._coming is not None:
            self._coming.cancel()

    def chunks(self) -> Chunks:
        """Yield what comes, and a pause where nothing does.

        Raises:
            DisconnectedError: the client went away before the end.
        """
        more = True
        while more:
            self._coming = coming = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
            if not wait([coming], PAUSE_SECONDS).done:
                yield Pause()
            message = _result(coming)
            if message["type"] == "http.disconnect":
                raise DisconnectedError("the client closed the connection before the end of its request")
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def _next(self) -> Message:
        if self._is_stopped:
            return {"type": "http.disconnect"}
        return await self._receive()


def _result(coming: Future[Message]) -> Message:
    try:
        return coming.result()
    except CancelledError as error:
        raise DisconnectedError("the request was given up") from error
