"""A connection to PostgreSQL that never waits for ever: neither for a server that is slow, nor for one that is frozen.

Rules, in order:

1. The server ends a statement, and the wait for a lock, after the time set (`statement_timeout`, `lock_timeout`).
2. A server that is frozen ends nothing, while its machine still answers for it. So the client gives up as well, some
   seconds later, and closes the connection: whoever used it learns that it is lost.
3. A machine that is gone is found by TCP: keepalives where nothing is under way, `tcp_user_timeout` where something is.
4. Where a connection timed out, whoever else wants one at that moment is told so at once.

Source: PostgreSQL's manual, "Client Connection Defaults" and "Database Connection Control Functions".
"""

from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Self, TypeVar

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.errors import ConnectionTimeout, _WaitTimeout  # the one that `Connection.wait` is documented to raise

T = TypeVar("T")
# How long the client waits beyond the server's own limit; not longer than for that.
GRACE_SECONDS = 5.0
# How long nobody connects to a server that let a connection time out.
PAUSE_SECONDS = 1.0
# Idle seconds before the first probe, seconds between probes, probes; milliseconds that what was sent may be unacknowledged.
TCP = {
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


@dataclass(frozen=True)
class DatabaseTimeouts:
    """How long a database may take, in seconds.

    Attributes:
        connect_seconds: to accept a connection, and to say that an idle one still works; at least 2, by libpq.
        statement_seconds: for one statement; 0 sets no limit.
        lock_seconds: for a lock that another transaction holds; 0 sets no limit.
    """

    connect_seconds: int = 5
    statement_seconds: int = 60
    lock_seconds: int = 30


class TimedConnection(Connection[Any]):
    """A connection whose every wait has an end."""

    timeouts = DatabaseTimeouts()
    limit_seconds: float | None = None

    @classmethod
    def open(cls, timeouts: DatabaseTimeouts, *arguments: Any, **options: Any) -> Self:
        """Connect.

        Args:
            timeouts: what to hold to.
            arguments: of `Connection.connect`.
            options: of libpq; they go before what is set here.

        Raises:
            OperationalError: the server cannot be reached, or does not answer in time.
        """
        connection = cls.connect(*arguments, **{"connect_timeout": timeouts.connect_seconds} | TCP | options)
        connection.timeouts = timeouts
        connection.go_idle()
        connection.execute(
            "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)",
            [f"{timeouts.statement_seconds}s", f"{timeouts.lock_seconds}s"],
        )
        connection.commit()
        connection.go_to_work()
        return connection

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for the server; see rule 2.

        Raises:
            OperationalError: it did not answer in time; the connection is closed.
        """
        if timeout is not None or self.limit_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.limit_seconds)
        except _WaitTimeout as error:
            self.close()
            raise OperationalError(f"no answer within {self.limit_seconds:g} s") from error

    def go_idle(self) -> None:
        """Expect an answer soon from now on: the next statement only asks whether the server is there."""
        self.limit_seconds = self.timeouts.connect_seconds

    def go_to_work(self) -> None:
        """Give statements the time that is set for them."""
        seconds = self.timeouts.statement_seconds
        self.limit_seconds = seconds + min(seconds, GRACE_SECONDS) if seconds else None

    def lift_limits(self) -> None:
        """Set no limit to statements and locks from now on."""
        self.limit_seconds = None
        self.execute("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)")
        self.commit()


class Connector:
    """Connects to one server; while it lets connections time out, those who queue for one do not each wait that long.

    Args:
        timeouts: what each connection holds to.
    """

    def __init__(self, timeouts: DatabaseTimeouts) -> None:
        self._timeouts = timeouts
        self._timed_out_at = -inf

    def connect(self, *arguments: Any, **options: Any) -> TimedConnection:
        """Connect; see `TimedConnection.open`.

        Raises:
            OperationalError: the server cannot be reached, does not answer in time, or just did not.
        """
        if monotonic() - self._timed_out_at < PAUSE_SECONDS:
            raise ConnectionTimeout("another connection just timed out")
        try:
            return TimedConnection.open(self._timeouts, *arguments, **options)
        except ConnectionTimeout:
            self._timed_out_at = monotonic()
            raise
