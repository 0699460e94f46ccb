"""The process that disturbs operations at one point after the other; prints a line of JSON for each operation.

It imports everything once, opens nothing, and forks a child for each point and another one that verifies: so a point takes
a moment, and no child inherits a thread, a lock or a connection.
"""

import argparse
import errno
import json
import logging
import os
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from shared.settings import Settings
from shared.workspace import Workspace
from tests.support.faults import disk
from tests.support.faults.database import FaultyDatabase
from tests.support.faults.operations import OPERATIONS, Operation
from tests.support.postgres import new_database

# What happens at a point, by the kind of call.
DISK_ACTIONS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "kill": disk.KILL}
DATABASE_ACTIONS = ("error", "lost answer", "kill")
# A read never finds the disk full, and a process killed at a read leaves what one killed at the write before it leaves.
READS = {"read", "pread"}
CHILD_SECONDS = 120


@dataclass(frozen=True)
class Point:
    """One call that is disturbed in one way."""

    kind: str
    number: int
    action: Any
    call: str


@dataclass
class Driver:
    """Tries the points of one operation on one kind of database.

    Args:
        operation: what is disturbed.
        folder: where homes are made.
        cluster: URL of a PostgreSQL cluster's maintenance database; None for SQLite.
    """

    operation: Operation
    folder: Path
    cluster: str | None

    def run(self, kinds: list[str], sample: int | None) -> dict[str, Any]:
        """Try all points of some kinds, or so many of them, evenly spread; return the figures."""
        with self._database(None) as template:
            if self._fork(lambda: self.operation.prepare(self._settings(self.folder / "template", template))):
                raise RuntimeError("the home that every point begins with could not be made")
            points = [point for kind in kinds for point in self._list_points(kind, template)]
            # So that a sample has its share of every action.
            points.sort(key=lambda point: (point.kind, point.action))
            count = min(sample or len(points), len(points))
            tried = [points[int((place + 0.5) * len(points) / count)] for place in range(count)]
            outcomes: Counter[str] = Counter()
            faults = []
            for point in tried:
                ending, wrong = self._try(point, template)
                outcomes[ending] += 1
                if wrong:
                    faults.append({**vars(point), "ending": ending, "wrong": wrong})
        calls = Counter(f"{point.kind} {point.call.split()[0]} {point.action}" for point in tried)
        return {
            "points": len(points),
            "tried": len(tried),
            "calls": dict(sorted(calls.items())),
            "endings": dict(sorted(outcomes.items())),
            "faults": faults,
        }

    def _list_points(self, kind: str, template: str) -> Iterator[Point]:
        """Run once without a fault, writing down every call."""
        record = self.folder / f"calls.{kind}"
        record.unlink(missing_ok=True)
        ending, wrong = self._try(Point(kind, 0, "kill" if kind == "database" else "EIO", ""), template, record)
        if wrong:
            raise RuntimeError(f"without a fault: {ending}, {wrong}")
        for line in record.read_text(encoding="utf-8").splitlines():
            number, _, call = line.partition(" ")
            for action in DISK_ACTIONS if kind == "disk" else DATABASE_ACTIONS:
                if action == "EIO" or call.split()[0] not in READS:
                    yield Point(kind, int(number), action, call)

    def _try(self, point: Point, template: str, record: Path | None = None) -> tuple[str, list[str]]:
        """Disturb one run over a fresh copy; return how it ended and what is wrong afterwards."""
        home, reports = self.folder / "home", self.folder / "reports"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.folder / "template", home)
        reports.write_bytes(b"")
        with self._database(template) as url:
            settings = self._settings(home, url)
            status = self._fork(lambda: self._disturb(point, settings, reports, record))
            lines = [json.loads(line) for line in reports.read_text(encoding="utf-8").splitlines()]
            if status == -signal.SIGALRM:
                return "hung", [f"no end within {CHILD_SECONDS} s"]
            verdict = self.folder / "verdict"
            verdict.unlink(missing_ok=True)
            status_of_check = self._fork(lambda: self._verify(settings, lines, verdict))
        wrong = json.loads(verdict.read_text(encoding="utf-8")) if verdict.exists() else [f"no verdict: {status_of_check}"]
        if status not in {0, -signal.SIGKILL}:
            wrong.append(f"the disturbed process ended with {status}")
        return _describe_ending(status, lines), wrong

    def _disturb(self, point: Point, settings: Settings, reports: Path, record: Path | None) -> None:
        opened = self.operation.open(settings)
        handle = os.open(reports, os.O_WRONLY | os.O_APPEND)

        def report(line: Mapping[str, Any]) -> None:
            os.write(handle, json.dumps(line).encode() + b"\n")

        disarm = _arm(point, settings, opened, record)
        try:
            self.operation.run(opened, report)
        except Exception as error:
            report({"raised": type(error).__name__})
        count = disarm()
        report({"reached": count >= point.number})
        if point.number:
            self.operation.run(opened, report)

    def _verify(self, settings: Settings, lines: list[dict[str, Any]], verdict: Path) -> None:
        try:
            wrong = self.operation.verify(settings, lines)
        except Exception:
            wrong = [traceback.format_exc()[-1500:]]
        verdict.write_text(json.dumps(wrong), encoding="utf-8")

    def _settings(self, home: Path, url: str) -> Settings:
        return Settings(home=home, database_url=None if url == "sqlite" else url)

    @contextmanager
    def _database(self, template: str | None) -> Iterator[str]:
        if self.cluster is None:
            yield "sqlite"
            return
        with new_database(self.cluster, template and template.rpartition("/")[2]) as url:
            yield url

    @staticmethod
    def _fork(act: Callable[[], None]) -> int:
        """Do something in a child; return its exit status, negative for a signal."""
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        signal.alarm(CHILD_SECONDS)
        try:
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(70)
        os._exit(0)


def _arm(point: Point, settings: Settings, opened: Any, record: Path | None) -> Callable[[], int]:
    if point.kind == "disk":
        disk.arm(settings.home, point.number, DISK_ACTIONS[point.action], record)
        return disk.disarm
    engine = opened.engine if isinstance(opened, Workspace) else opened.workspace.engine
    database = FaultyDatabase(engine, point.number, point.action, record)
    database.arm()

    def disarm() -> int:
        database.disarm()
        return database.counted

    return disarm


def _describe_ending(status: int, lines: list[dict[str, Any]]) -> str:
    if status == -signal.SIGKILL:
        return "killed"
    if any(line.get("reached") is False for line in lines):
        return "not reached"
    for line in lines:
        if "raised" in line:
            return f"raised {line['raised']}"
        if "decision" in line:
            return f"{line['decision']}: {line['reason']}"
    statuses = [line["status"] for line in lines if "status" in line]
    return f"answered {statuses[0]}" if statuses else "done"


def main() -> None:
    """Try the points of the operations that the command line names, and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operation", choices=OPERATIONS, action="append", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--cluster")
    parser.add_argument("--kind", choices=("disk", "database"), action="append", required=True)
    parser.add_argument("--sample", type=int)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for name in options.operation:
        begun = time.monotonic()
        folder = options.folder.resolve() / name
        folder.mkdir(parents=True)
        figures = Driver(OPERATIONS[name], folder, options.cluster).run(options.kind, options.sample)
        figures |= {"operation": name, "seconds": round(time.monotonic() - begun, 1)}
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
