"""A workspace knows its whole database."""

import subprocess
import sys

from shared.records.tables import ALL_TABLES
from tests.support.paths import ROOT


def test_whoever_opens_a_workspace_can_write_to_every_table() -> None:
    # A process of its own, as a command is one: this one has long imported everything.
    script = "import shared.workspace, sqlmodel; print(*(t.name for t in sqlmodel.SQLModel.metadata.sorted_tables))"
    printed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(printed.split()) == {table.__tablename__ for table in ALL_TABLES}
