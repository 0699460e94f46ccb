"""A process that does not outlive the one that started it, however that one ends.

What a `finally` or `daemon=True` does for a parent that ends in order, nothing does after SIGKILL: its processes would go on,
and hold the folders that the next run needs.
"""

import multiprocessing
import multiprocessing.connection
import os
import threading


def end_with_parent() -> None:
    """End this process, at once, when the process that started it has ended; for processes of `multiprocessing`."""
    threading.Thread(target=_wait, name="parent", daemon=True).start()


def _wait() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
