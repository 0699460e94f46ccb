"""Audits by Ray find what the plain path finds, byte for byte; nobody else can reach it; what fails there fails clearly."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.audit.audits.audit import audit_model
from services.audit.comparison.ray_matcher import open_matcher
from services.audit.sampling.samples import sample_model
from shared.errors import InputError
from shared.workspace import Workspace
from tests.e2e.conftest import STEPS, audit_context

INSTALLED = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not INSTALLED, reason="Ray is not installed (pip install 'sleeve[ray]')")
# Enough for two parts.
GENERATIONS = 37
# The command, which says so where it starts Ray.
RUN = """
import sys
from services.audit.comparison import ray_matcher
start = ray_matcher._start
def announce(*arguments):
    print("Ray is started", file=sys.stderr)
    start(*arguments)
ray_matcher._start = announce
from services.commands.main import main
sys.argv[0] = "sleeve"
main()
"""


def run(workspace: Workspace, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    settings = {"SLEEVE_HOME": str(workspace.home), "SLEEVE_EMBEDDER": "pixels:16", **more}
    return subprocess.run(
        [sys.executable, *arguments], env=os.environ | settings, capture_output=True, text=True, check=False, timeout=240
    )


@pytest.fixture
def plain(audited_workspace: Workspace) -> tuple[Path, str]:
    """Samples, and the digest of their audit by the plain path, whose folder is moved away."""
    samples = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    recorded, _ = audit_model(audit_context(audited_workspace), "model-a", samples)
    (audited_workspace.home / recorded.folder).rename(audited_workspace.home / "by-the-plain-path")
    return samples, recorded.report_sha256


@needs_ray
def test_the_command_finds_the_same_bytes(audited_workspace: Workspace, plain: tuple[Path, str]) -> None:
    drawn = ("--count", str(GENERATIONS), "--steps", str(STEPS))
    done = run(audited_workspace, "-c", RUN, "audit", "run", "model-a", "--control", "small-control", *drawn, "--ray")
    assert done.returncode in {0, 5}, done.stderr
    assert "Ray is started" in done.stderr
    expected = audited_workspace.home / "by-the-plain-path"
    found = audited_workspace.home / "audits" / "model-a" / plain[1][:16]
    for name in ("audit.json", "results.parquet"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name


@needs_ray
def test_what_dies_or_fails_ends_clearly_and_loses_nothing(audited_workspace: Workspace, plain: tuple[Path, str]) -> None:
    before = len(list(audited_workspace.home.glob("audits/*/*")))
    done = run(audited_workspace, str(Path(__file__).with_name("ray_driver.py")), str(audited_workspace.home), str(plain[0]))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["failing"]["error"] == "ray_task_failed"
    assert "ZeroDivisionError" in told["failing"]["message"]
    assert told["deadly"]["error"] == "ray_failed"
    assert (told["audits"], told["samples"]) == (before, GENERATIONS)
    # One that dies is begun again elsewhere, and the result is the same.
    assert told["killed"] == 1
    assert told["one_killed"] == {"report_sha256": plain[1]}
    # A network's vectors are made in the main process.
    assert told["embedded_here"] == {"report_sha256": plain[1]}
    # 127.0.0.1, for IPv4 and as an IPv6 address.
    assert told["listening"]
    assert set(told["listening"]) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert told["left"] == []
    assert told["folder"]
    assert not any(Path(folder).exists() for folder in told["folder"])


@needs_ray
def test_a_cluster_that_does_not_answer_is_told_at_once(audited_workspace: Workspace) -> None:
    drawn = ("--count", str(GENERATIONS), "--steps", str(STEPS))
    command = ("-c", RUN, "audit", "run", "model-a", "--control", "small-control", *drawn, "--ray")
    done = run(audited_workspace, *command, RAY_ADDRESS="127.0.0.1:9")
    assert done.returncode not in {0, 5}
    assert "Ray failed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(INSTALLED, reason="Ray is installed")
def test_a_missing_package_says_how_to_install_it() -> None:
    with pytest.raises(InputError, match="pip install") as refused, open_matcher(by_ray=True):
        pass
    assert refused.value.code == "ray_not_installed"
