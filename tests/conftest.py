"""Fixtures of every kind of test: real databases, real workspaces.

PostgreSQL: the tests start a cluster of their own in a temporary folder and stop it at the end. Where its binaries are not
installed, the tests that need it are skipped and say so; set SLEEVE_TEST_REQUIRE_POSTGRES=1 to make that a failure.
"""

import os

# One thread a process: tests run side by side, and two processes with two threads each wait for one another.
# Set before torch and numpy are imported anywhere; child processes inherit it.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from shared.db import migrate, open_engine
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace


def _find_postgres() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _as_postgres(command: list[str]) -> list[str]:
    # initdb refuses to run as root.
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def _run(command: list[str]) -> None:
    subprocess.run(_as_postgres(command), check=True, stdout=subprocess.DEVNULL, cwd="/")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    """The URL of a fresh PostgreSQL cluster's maintenance database."""
    binaries = _find_postgres()
    if binaries is None:
        if os.environ.get("SLEEVE_TEST_REQUIRE_POSTGRES"):
            pytest.fail("PostgreSQL's binaries are required here and not installed")
        pytest.skip("PostgreSQL's binaries (initdb, pg_ctl) are not installed")
    # Not under pytest's own folder, which only root may enter.
    folder = Path(tempfile.mkdtemp(prefix="sleeve-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    port = _free_port()
    _run([f"{binaries}/initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "postgres"])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    control = [f"{binaries}/pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log"]
    _run([*control, "-w", "-o", options, "start"])
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        _run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'sleeve.db'}"
        return
    cluster = request.getfixturevalue("postgres_cluster")
    name = f"sleeve_{uuid.uuid4().hex}"
    maintenance = create_engine(cluster, isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield cluster.rsplit("/", 1)[0] + f"/{name}"
    with maintenance.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    maintenance.dispose()


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    """An empty migrated database."""
    opened = open_engine(database_url)
    migrate(opened, tmp_path)
    yield opened
    opened.dispose()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace on SQLite."""
    opened = open_workspace(Settings(home=tmp_path / "home", database_url=None))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def any_workspace(tmp_path: Path, database_url: str) -> Iterator[Workspace]:
    """An empty workspace, once on SQLite and once on PostgreSQL."""
    opened = open_workspace(Settings(home=tmp_path / "home", database_url=database_url))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def shared_data() -> Path:
    """The real data sets beside the project, for tests that use them."""
    folder = Path(os.environ.get("SLEEVE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not here: {folder} (set SLEEVE_SHARED)")
    return folder
