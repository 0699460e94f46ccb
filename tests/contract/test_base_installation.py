"""What `pip install .` brings: enough to verify a receipt, a membership proof and a log, and little more.

The base is installed from a wheel of this tree into an empty environment. That needs a package registry: where none can be
reached, the tests are skipped and say so; set SLEEVE_TEST_REQUIRE_INSTALL=1 to make that a failure.
"""

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.ingest.manifests.schemas import SealRequest
from services.ingest.manifests.service import build_membership_proof, seal_items
from shared.canonical import sha256_hex
from shared.settings import Settings
from shared.workspace import open_workspace
from tests.support.base_environment import InstallationError, install_base, list_installed_files, run_alone
from tests.support.factories import png, register

# The most that the base may take on disk: what packages ship, not the bytecode that Python writes beside it.
MAX_INSTALLED_BYTES = 40 * 10**6
MAX_RECEIPT_SECONDS = 0.5
RECEIPT_RUNS = 5
# What only ingest, audit, gate or server need.
SERVICE_PACKAGES = {
    *("torch", "numpy", "scipy", "numba", "PIL", "sqlalchemy", "sqlmodel", "alembic", "psycopg"),
    *("fastapi", "starlette", "uvicorn"),
}

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Evidence:
    """What an owner hands to whoever verifies."""

    receipt: Path
    proof: Path
    image: Path
    log: Path
    key: Path


@pytest.fixture(scope="module")
def sleeve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `sleeve` of an environment with the base alone; the workers of one run of the tests share it."""
    folder = tmp_path_factory.getbasetemp()
    if test_run := os.environ.get("PYTEST_XDIST_TESTRUNUID"):
        folder = folder.parent / test_run
    try:
        return install_base(folder / "base") / "sleeve"
    except InstallationError as error:
        if os.environ.get("SLEEVE_TEST_REQUIRE_INSTALL"):
            pytest.fail(str(error))
        pytest.skip(f"the base cannot be installed here: {error}")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """A log of registrations with a sealed manifest, made by the whole installation."""
    folder = tmp_path_factory.mktemp("evidence")
    workspace = open_workspace(Settings(home=folder / "home"))
    items = [register(workspace, f"{number}.png", png(number)) for number in range(3)]
    seal_items(workspace, SealRequest(name="m", purpose="train", dataset="works"))
    found = Evidence(
        folder / "item.tlog-proof", folder / "proof.json", folder / "1.png", workspace.log.folder, folder / "vkey"
    )
    found.receipt.write_text(workspace.log.receipt(items[1].entry_id), encoding="utf-8")
    found.image.write_bytes(png(1))
    found.proof.write_text(build_membership_proof(workspace, "m", sha256_hex(png(1))).model_dump_json(), encoding="utf-8")
    found.key.write_text(workspace.log.vkey, encoding="utf-8")
    yield found
    workspace.engine.dispose()


def test_it_is_small_and_brings_none_of_what_services_need(sleeve: Path) -> None:
    files = list_installed_files(sleeve.parent)
    [packages] = {parent for file in files for parent in file.parents if parent.name == "site-packages"}
    assert not {file.relative_to(packages).parts[0] for file in files} & SERVICE_PACKAGES
    assert 10**7 < sum(file.stat().st_size for file in files) < MAX_INSTALLED_BYTES


def test_a_receipt_is_verified_at_once(sleeve: Path, evidence: Evidence) -> None:
    # Processor time, best of several runs: other tests run beside this one, and a first run may write bytecode.
    seconds = []
    for _ in range(RECEIPT_RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        verified = run_alone(sleeve, "verify", "receipt", evidence.receipt, "--key", evidence.key)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert (verified.returncode, verified.stdout[:6], verified.stderr) == (0, "valid:", "")
    assert min(seconds) < MAX_RECEIPT_SECONDS, seconds


def test_a_log_and_a_membership_proof_are_verified(sleeve: Path, evidence: Evidence) -> None:
    log = run_alone(sleeve, "verify", "log", evidence.log, "--key", evidence.key)
    assert log.stdout.startswith("valid: 4 entries in "), log.stderr
    proof = run_alone(sleeve, "verify", "membership", evidence.proof, "--key", evidence.key, "--image", evidence.image)
    assert " is in manifest m of 3 items" in proof.stdout, proof.stderr


def test_what_does_not_hold_is_refused(sleeve: Path, evidence: Evidence, tmp_path: Path) -> None:
    changed = tmp_path / "changed.tlog-proof"
    changed.write_text(evidence.receipt.read_text(encoding="utf-8").replace("index 1\n", "index 2\n"), encoding="utf-8")
    refused = run_alone(sleeve, "verify", "receipt", changed, "--key", evidence.key)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)


def test_a_log_is_read_from_a_server(sleeve: Path) -> None:
    # Port 9 (discard) answers nobody here: the HTTP client is there, and says so in one line.
    refused = run_alone(sleeve, "verify", "log", "http://127.0.0.1:9/log", "--key", "example.com/log+00000000+AA==")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("gate check --help", "gate"),
        ("gate flags list", "gate"),
        ("ingest add --help", "ingest"),
        ("audit run --help", "audit"),
        ("compare a.png b.png", "audit"),
        ("keys list", "server"),
        ("serve", "server"),
        ("demo --help", "all"),
    ],
)
def test_a_command_of_a_service_names_the_extra_to_install(sleeve: Path, words: str, extra: str) -> None:
    refused = run_alone(sleeve, *words.split())
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert f"pip install 'sleeve[{extra}]'" in refused.stderr


@pytest.mark.parametrize("words", ["--help", "--version", "gate --help", "ingest --help", "audit --help", "verify --help"])
def test_help_needs_no_extra(sleeve: Path, words: str) -> None:
    assert run_alone(sleeve, *words.split()).returncode == 0
