"""Fixtures of every kind of test: real databases, real workspaces.

PostgreSQL: the tests start a cluster of their own in a temporary folder and stop it at the end. Where its binaries are not
installed, the tests that need it are skipped and say so; set SLEEVE_TEST_REQUIRE_POSTGRES=1 to make that a failure.
"""

import os

# One thread a process: tests run side by side, and two processes with two threads each wait for one another.
# Set before torch and numpy are imported anywhere; child processes inherit it.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from shared.db import open_engine
from shared.records.migrations.upgrade import migrate
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.paths import SHARED
from tests.support.postgres import find_postgres, new_database, running_cluster


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    """The URL of a fresh PostgreSQL cluster's maintenance database."""
    binaries = find_postgres()
    if binaries is None:
        if os.environ.get("SLEEVE_TEST_REQUIRE_POSTGRES"):
            pytest.fail("PostgreSQL's binaries are required here and not installed")
        pytest.skip("PostgreSQL's binaries (initdb, pg_ctl) are not installed")
    with running_cluster(binaries) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'sleeve.db'}"
        return
    cluster = request.getfixturevalue("postgres_cluster")
    with new_database(cluster) as url:
        yield url


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
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not here: {folder} (set SLEEVE_SHARED)")
    return folder
