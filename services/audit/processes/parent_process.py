"""A process that does not outlive its parent, however the parent ends.

`finally` and `daemon=True` end the children of a parent that ends in order. After SIGKILL neither does: the children would go
on and hold the folders that the next run needs.
"""

import multiprocessing
import multiprocessing.connection
import os
import threading


def end_with_parent() -> None:
    """End this process at once when its parent has ended; for processes of `multiprocessing`."""
    threading.Thread(target=_wait, name="parent", daemon=True).start()


def _wait() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
