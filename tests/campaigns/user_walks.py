"""One user's steps: the lines of a page of `docs/use`, run as they stand there by the real `sleeve`.

Rules, in order:

1. A line is run as the page has it. What it leaves open (an id) and what only costs hours (a number of updates) is exchanged,
   word for word; both lines are on record.
2. Steps that a page describes without a line are run beside it.
3. Each step states its exit status. One that comes out otherwise, or that does not say what it should, is a fault; the walk
   goes on as far as it can.
4. A page whose lines were not all run is a fault.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tests.support.paths import ROOT

PAGES = ROOT / "docs" / "use"
STEP_SECONDS = 900


class StepError(Exception):
    """The walk cannot go on."""


def list_lines(page: str) -> list[str]:
    """The `sleeve` lines of a page: in its fenced blocks and in its tables."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    fenced = re.findall(r"^sleeve [^#\n]*?(?=\s*(?:#.*)?$)", text, flags=re.MULTILINE)
    tables = re.findall(r"^\|.*`(sleeve [^`]+)`", text, flags=re.MULTILINE)
    return fenced + tables


@dataclass
class Walk:
    """Steps of one user.

    Attributes:
        page: of `docs/use`, without suffix.
        folder: where the user stands; the state is in `sleeve-data` there.
        settings: further environment variables.
        steps: what was run, and what came of it.
        faults: what came out otherwise than it should.
        waiting: lines of the page that were not run yet.
    """

    page: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    waiting: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = list_lines(self.page)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of every step."""
        kept = {
            name: os.environ[name] for name in ("PATH", "HOME", "OMP_NUM_THREADS", "NUMBA_CACHE_DIR") if name in os.environ
        }
        own = {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "LANG": "C.UTF-8", "SLEEVE_HOME": "./sleeve-data"}
        return kept | own | self.settings

    def line(self, start: str, *more: str, exits: int = 0, says: str = "", **instead: str) -> str:
        """Run the page's next line that begins so.

        Args:
            start: its first words.
            more: words that are added.
            exits: exit status that it must have.
            says: what its output must hold.
            instead: what stands for a word of the line; `_` in a name is `-` there, and a number's word is `n<number>`.

        Returns:
            What it printed on standard output.
        """
        found = next((line for line in self.waiting if line.startswith(start)), None)
        if found is None:
            raise StepError(f"docs/use/{self.page}.md has no further line {start!r}")
        self.waiting.remove(found)
        exchanged = {re.sub(r"^n(?=\d)", "", name).replace("_", "-"): word for name, word in instead.items()}
        words = [exchanged.get(word, word) for word in shlex.split(found)]
        if missing := exchanged.keys() - set(shlex.split(found)):
            raise StepError(f"{found!r} has none of {sorted(missing)}")
        return self._run([*words, *more], exits, says, line=found)

    def step(self, command: str, *more: str, exits: int = 0, says: str = "") -> str:
        """Run a command that the page has no line for."""
        return self._run([*shlex.split(command), *more], exits, says)

    def answer(self, command: str, *more: str, exits: int = 0) -> Any:
        """Run a command that prints JSON; return it."""
        printed = self.step(command, *more, exits=exits)
        try:
            return json.loads(printed)
        except ValueError as error:
            raise StepError(f"{command} printed no JSON: {self.faults}") from error

    def note(self, what: str, *, holds: bool = True, **figures: Any) -> None:
        """Record figures, and whether they are as they should be."""
        self._record({"compared": what, **figures}, holds, f"{what}: {figures}")

    def record(self) -> dict[str, Any]:
        """Return what came of the walk; a line of the page that was not run is a fault."""
        page = f"docs/use/{self.page}.md"
        left = [f"{page} has a line that was not run: {line}" for line in self.waiting]
        return {"page": page, "faults": self.faults + left, "steps": self.steps}

    def _run(self, words: list[str], exits: int, says: str, line: str | None = None) -> str:
        begun = monotonic()
        command = [str(Path(sys.executable).with_name("sleeve")), *words[1:]]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
        )
        held = done.returncode == exits and says in done.stdout + done.stderr and "Traceback" not in done.stderr
        printed = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        step = {"command": shlex.join(words), "exit_status": done.returncode, "seconds": round(monotonic() - begun, 1)}
        step |= ({"line": line} if line else {}) | ({"says": says} if says else {})
        self._record(step, held, f"{shlex.join(words)}: expected {exits} and {says!r}, got {done.returncode}\n{printed}")
        return done.stdout

    def _record(self, step: dict[str, Any], held: bool, fault: str) -> None:
        self.steps.append(step | {"holds": held})
        print(json.dumps(self.steps[-1]), flush=True)  # noqa: T201 - what is being walked, as it comes
        if not held:
            self.faults.append(fault)
