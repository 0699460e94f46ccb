"""`sleeve` as a process of its own session, killed with SIGKILL: alone or with everything that it started.

Rules, in order:

1. A command is started as a user starts it, by `sleeve`, over the code beside these checks, as the leader of a new session,
   so that whatever it starts is found by the session's id, also when the leader is dead (proc(5), `/proc/PID/stat`).
2. A killed command's children must end by themselves; those that are there after `ORPHAN_SECONDS` are orphans.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.paths import ROOT

ORPHAN_SECONDS = 10
# Commands import what they need first; on a machine shared with other work that takes several times as long.
START_SECONDS = 120


def start(arguments: list[str], home: Path, database_url: str) -> subprocess.Popen[bytes]:
    """Start `sleeve` with its state in a folder; what it prints goes to `<home>.output`."""
    environment = {**os.environ, "SLEEVE_HOME": str(home), "SLEEVE_DATABASE_URL": database_url, "COLUMNS": "200"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [str(Path(sys.executable).with_name("sleeve")), *arguments]
    with home.with_suffix(".output").open("ab") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def output_of(home: Path) -> str:
    """The last lines that the commands on a home printed."""
    return home.with_suffix(".output").read_text(encoding="utf-8", errors="replace")[-2000:]


def members(session: int) -> list[int]:
    """The living processes of a session."""
    process_ids = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # Zombies are dead; whoever adopted them has only not looked yet.
        if int(fields[3]) == session and fields[0] not in {"Z", "X"}:
            process_ids.append(int(path.parent.name))
    return process_ids


def kill(process: subprocess.Popen[bytes], *, group: bool) -> int:
    """Kill a command, and return how many orphans it left.

    Args:
        process: leader of its session.
        group: kill everything that it started at the same moment; otherwise its children are left to notice.
    """
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    deadline = time.monotonic() + ORPHAN_SECONDS
    while orphans := members(process.pid):
        if time.monotonic() > deadline:
            for orphan in orphans:
                os.kill(orphan, signal.SIGKILL)
            return len(orphans)
        time.sleep(0.02)
    return 0


def holds_open(process: subprocess.Popen[bytes], path: Path) -> bool:
    """Say whether a process has a file open."""
    wanted = str(path)
    for link in Path(f"/proc/{process.pid}/fd").glob("*"):
        try:
            if str(link.readlink()) == wanted:
                return True
        except (FileNotFoundError, PermissionError):
            continue
    return False
