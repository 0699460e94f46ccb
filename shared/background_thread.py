"""A thread that works beside a server for as long as a block runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def working_beside(work: Callable[[threading.Event], None], name: str) -> Iterator[None]:
    """Run work in a thread until the block ends.

    Args:
        work: told by an event that it is to end; the block's end waits for it.
        name: of the thread.
    """
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
