"""A sample of the points at which an operation can be disturbed; `python -m tests.campaigns.faults` tries all of them."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults.disk import build_library, find_compiler
from tests.support.faults.run import inject_faults

OPERATIONS = ["append", "registration", "key", "check"]
# Points tried of each operation: enough that every kind of call is among them.
ON_DISK, IN_DATABASE = 8, 4


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that lets calls of the file system fail."""
    compiler = find_compiler()
    if compiler is None:
        if os.environ.get("SLEEVE_TEST_REQUIRE_CC"):
            pytest.fail("a C compiler is required here and not installed")
        pytest.skip("no C compiler (cc) is installed: calls of the file system cannot be made to fail")
    return build_library(tmp_path_factory.mktemp("faults"), compiler)


def test_a_failing_file_system_loses_nothing(tmp_path: Path, library: Path) -> None:
    assert_nothing_is_lost(list(inject_faults(OPERATIONS, tmp_path, library, kinds=("disk",), sample=ON_DISK)))


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_failing_database_loses_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, library: Path, database: str
) -> None:
    cluster = request.getfixturevalue("postgres_cluster") if database == "postgresql" else None
    figures = inject_faults(OPERATIONS, tmp_path, library, kinds=("database",), cluster=cluster, sample=IN_DATABASE)
    assert_nothing_is_lost(list(figures))


def assert_nothing_is_lost(figures: list[dict[str, Any]]) -> None:
    assert [outcome["operation"] for outcome in figures] == OPERATIONS
    for outcome in figures:
        assert outcome["faults"] == []
        assert outcome["endings"]["killed"] > 0
        assert sum(outcome["endings"].values()) == outcome["tried"] > outcome["endings"]["killed"]
