"""Another implementation reads our log: the `fsck` of Tessera, in Go, over HTTP.

It is built once a run from the Go module proxy or cache. Where Go or the module is not to be had the tests are skipped and say
so; set SLEEVE_TEST_REQUIRE_FSCK=1 to make that a failure.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy.orm import Session

from shared.ledger.repository import insert_entries
from shared.workspace import Workspace
from tests.support.live_server import build_log_app, serve

# The newest release of 2026-07; raised with the other pins.
MODULE = "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4"
# The first build fetches and compiles some dozens of modules.
BUILD_SECONDS = 240
FSCK_SECONDS = 60

pytestmark = pytest.mark.timeout(BUILD_SECONDS + 2 * FSCK_SECONDS)


def give_up(reason: str) -> NoReturn:
    """Skip, or fail where the program is required."""
    if os.environ.get("SLEEVE_TEST_REQUIRE_FSCK"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def fsck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the compiled program."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        give_up("Tessera's fsck: Go is not installed")
    folder = tmp_path_factory.mktemp("gobin")
    command = [str(go), "install", MODULE]
    try:
        built = subprocess.run(
            command,
            check=False,
            env={**os.environ, "GOBIN": str(folder)},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        give_up(f"Tessera's fsck: not built within {BUILD_SECONDS} s")
    if built.returncode:
        give_up(f"Tessera's fsck cannot be built: {(built.stderr.strip().splitlines() or ['no message'])[-1]}")
    return folder / "fsck"


def grow(workspace: Workspace, *counts: int) -> None:
    """Append short entries and publish, once for each count."""
    for count in counts:
        with Session(workspace.engine) as session:
            insert_entries(session, [f"entry {number}".encode() for number in range(count)])
            session.commit()
        workspace.log.integrate()


def run_fsck(fsck: Path, workspace: Workspace) -> str:
    """Serve the log, let the program check it, and return what it reports: its exit status is 0 whatever it finds."""
    with serve(build_log_app(workspace)) as url:
        # As many workers as there are files in the small log below: a worker ends at the first difference that it meets, and
        # the program waits for ever once all have.
        command = [str(fsck), f"--storage_url={url}/", f"--public_key={workspace.home / 'log.vkey'}", "--ui=false", "--N=8"]
        return subprocess.run(command, capture_output=True, text=True, timeout=FSCK_SECONDS, check=True).stderr


def test_tesseras_fsck_accepts_our_log(fsck: Path, workspace: Workspace) -> None:
    grow(workspace, 65_536, 1, 300, 200)  # three levels of tiles, unfinished ones of several sizes
    root = workspace.log.checkpoint().root.hex()
    said = run_fsck(fsck, workspace)
    assert "Successfully fsck'd log with size 66037 and root" in said
    assert root in said


def test_tesseras_fsck_finds_a_flipped_bit_in_our_log(fsck: Path, workspace: Workspace) -> None:
    grow(workspace, 600)
    bundle = workspace.log.folder / "tile/entries/001"
    data = bundle.read_bytes()
    bundle.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    said = run_fsck(fsck, workspace)
    assert "fsck failed" in said
    assert "Successfully" not in said
