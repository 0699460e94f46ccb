"""One database call of this process fails with the driver's own error, before or after it was carried out, or kills it.

Counted are statements, commits and rollbacks of every engine of a dialect.
"""

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine

Action = Literal["error", "lost answer", "kill"]
# How SQLAlchemy's dialects call their driver: https://docs.sqlalchemy.org/en/20/core/internals.html
STATEMENTS = ("do_execute", "do_executemany", "do_execute_no_params")
CALLS = (*STATEMENTS, "do_commit", "do_rollback")


class FaultyDatabase:
    """Counts a dialect's calls and disturbs one of them.

    Args:
        engine: any engine of the dialect.
        number: which call is disturbed, from 1; 0 for none.
        action: `error` instead of the call, `lost answer` after it (on PostgreSQL with the connection), or `kill` before it.
        record: a file that gets a line for each call: number, name and the statement's first words.
    """

    def __init__(self, engine: Engine, number: int, action: Action, record: Path | None = None) -> None:
        self._error = engine.dialect.loaded_dbapi.OperationalError
        self._number, self._action, self._record = number, action, record
        self._numbers = itertools.count(1)
        self.counted = 0
        self._dialect = type(engine.dialect)
        self._calls = {name: getattr(self._dialect, name) for name in CALLS}

    def arm(self) -> None:
        """Begin to count."""
        for name, call in self._calls.items():
            setattr(self._dialect, name, self._disturb(name, call))

    def disarm(self) -> None:
        """Let every call through again."""
        for name, call in self._calls.items():
            setattr(self._dialect, name, call)

    def _disturb(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def disturbed(dialect: Any, target: Any, *arguments: Any, **more: Any) -> Any:
            number = next(self._numbers)
            self.counted = max(self.counted, number)
            if self._record is not None:
                statement = " ".join(str(arguments[0]).split()[:3]) if arguments else ""
                with self._record.open("a") as lines:
                    lines.write(f"{number} {name} {statement}\n")
            if number != self._number:
                return call(dialect, target, *arguments, **more)
            if self._action == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self._action == "lost answer":
                call(dialect, target, *arguments, **more)
                if dialect.name == "postgresql":
                    (target.connection if name in STATEMENTS else target).close()
            raise self._error(f"injected fault at call {number}: {name}")

        return disturbed
