"""What test_audit_by_ray runs in a process of its own: a comparison by Ray, watched and disturbed; prints JSON.

Not in the process of the tests: Ray reads its settings when it is imported, once a process.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.audit.audits.audit import audit_model
from services.audit.comparison.context import AuditContext
from services.audit.comparison.matching import Matcher
from services.audit.comparison.ray_matcher import open_matcher
from services.audit.sampling.sample_shards import load_samples
from shared.errors import SleeveError
from shared.settings import Settings
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.embedding import Embedder
from shared.workspace import Workspace, open_workspace

DRIVER = os.getpid()
CONTROL, NEIGHBOURS, RATE = "small-control", 1000, 0.001


class DeadlyEmbedder(PixelEmbedder):
    """Kills every process that uses it, this one apart."""

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        if os.getpid() != DRIVER:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(images)


class FailingEmbedder(PixelEmbedder):
    """Raises in every process, this one apart."""

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        if os.getpid() != DRIVER:
            raise ZeroDivisionError("no such number")
        return super().embed(images)


class OwnEmbedder:
    """The pixel embedder as one that Ray's tasks must not use: what a network is to them."""

    def __init__(self, side_px: int) -> None:
        self._deadly = DeadlyEmbedder(side_px)
        self.name, self.dimensions, self.sha256 = self._deadly.name, self._deadly.dimensions, self._deadly.sha256
        self.embed, self.prepare, self.embed_prepared = self._deadly.embed, self._deadly.prepare, self._deadly.embed_prepared


def descendants() -> dict[int, str]:
    """The processes below this one, and what they call themselves."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = folder.joinpath("cmdline").read_text().replace("\0", " ").strip()
        except (OSError, IndexError):
            continue

    def is_below(pid: int) -> bool:
        while pid in parents and pid != DRIVER:
            pid = parents[pid]
        return pid == DRIVER

    return {pid: names[pid] for pid in parents if pid != DRIVER and pid in names and is_below(pid)}


def listening() -> list[str]:
    """The addresses, in hexadecimal, at which this process and those below it listen for TCP."""
    inodes = set()
    for pid in (DRIVER, *descendants()):
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(str(link.readlink()))
            except OSError:
                continue
    addresses = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in inodes:
                addresses.append(columns[1].rpartition(":")[0])
    return addresses


def kill_one_worker(killed: list[int]) -> None:
    """Kill the first process that is seen at a task."""
    until = time.monotonic() + 60
    while not killed and time.monotonic() < until:
        for pid, name in descendants().items():
            if name.startswith("ray::_match_part"):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return
        time.sleep(0.005)


def audit(workspace: Workspace, samples: Path, embedder: Embedder, matcher: Matcher) -> dict[str, Any]:
    """Audit, and tell what came of it."""
    try:
        recorded, _ = audit_model(
            AuditContext(workspace, CONTROL, embedder, NEIGHBOURS, RATE, matcher=matcher), "model-a", samples
        )
    except SleeveError as error:
        return {"error": error.code, "message": str(error)}
    return {"report_sha256": recorded.report_sha256}


def main() -> None:
    """Run everything on the workspace and samples that the command line names."""
    workspace = open_workspace(Settings(home=Path(sys.argv[1]), database_url=None))
    samples = Path(sys.argv[2])
    outcome: dict[str, Any] = {}
    with open_matcher(by_ray=True) as matcher:
        outcome["failing"] = audit(workspace, samples, FailingEmbedder(16), matcher)
        outcome["listening"] = listening()
        outcome["deadly"] = audit(workspace, samples, DeadlyEmbedder(16), matcher)
        outcome["audits"] = len(list(Path(sys.argv[1]).glob("audits/*/*")))
        outcome["samples"] = len(load_samples(samples).images)
        killed: list[int] = []
        killer = threading.Thread(target=kill_one_worker, args=(killed,))
        killer.start()
        outcome["one_killed"] = audit(workspace, samples, PixelEmbedder(16), matcher)
        killer.join()
        outcome["killed"] = len(killed)
        outcome["embedded_here"] = audit(workspace, samples, OwnEmbedder(16), matcher)
        outcome["folder"] = [
            name.split("--temp-dir=")[1].split()[0] for name in descendants().values() if "--temp-dir=" in name
        ]
    outcome["left"] = [name for name in descendants().values() if name]
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
