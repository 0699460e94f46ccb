"""A PostgreSQL cluster of the tests' own, in a temporary folder, stopped and removed at the end."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import create_engine, text


def find_postgres() -> Path | None:
    """The folder of the newest installed server binaries; None where there are none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if installed:
        return installed[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def running_cluster(binaries: Path) -> Iterator[str]:
    """Start a fresh cluster; yield the URL of its maintenance database."""
    # Not under pytest's own folder, which only root may enter.
    folder = Path(tempfile.mkdtemp(prefix="sleeve-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    port = free_port()
    _run([f"{binaries}/initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "postgres"])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    control = [f"{binaries}/pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log"]
    _run([*control, "-w", "-o", options, "start"])
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        _run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(cluster: str, template: str | None = None) -> Iterator[str]:
    """Make a database in a cluster, empty or a copy of the one named; yield its URL, and drop it at the end."""
    name = f"sleeve_{uuid.uuid4().hex}"
    maintenance = create_engine(cluster, isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else "")))
    try:
        yield cluster.rsplit("/", 1)[0] + f"/{name}"
    finally:
        with maintenance.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        maintenance.dispose()


@contextmanager
def frozen(cluster: str) -> Iterator[None]:
    """Stop every process of a cluster for the block, as a machine that is starved does: connections stay, nobody answers."""
    maintenance = create_engine(cluster)
    with maintenance.connect() as connection:
        folder = Path(connection.scalar(text("SHOW data_directory")))
    maintenance.dispose()
    server = int((folder / "postmaster.pid").read_text(encoding="ascii").split()[0])
    # The server first: it starts no more.
    stopped = [server]
    os.kill(server, signal.SIGSTOP)
    try:
        for child in _children_of(server):
            with suppress(ProcessLookupError):  # it had just ended
                os.kill(child, signal.SIGSTOP)
                stopped.append(child)
        yield
    finally:
        for process in stopped:
            with suppress(ProcessLookupError):  # a connection's process ends when its client gives up
                os.kill(process, signal.SIGCONT)


def _children_of(process: int) -> list[int]:
    # proc(5): the parent is the second field after the name, which may hold anything but the last parenthesis.
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            stats.append(path.read_text(encoding="utf-8"))
    return [int(stat.split(" ", 1)[0]) for stat in stats if int(stat.rpartition(")")[2].split()[1]) == process]


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[str]) -> None:
    # initdb refuses to run as root.
    whole = ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command
    subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def empty_postgres() -> Iterator[str | None]:
    """The URL of an empty database, or None where there is no PostgreSQL."""
    binaries = find_postgres()
    if binaries is None:
        yield None
        return
    with running_cluster(binaries) as cluster, new_database(cluster) as url:
        yield url
