"""The recount: what the log's own entries say of checks and flags. No table is read.

Rules, in order:

1. Each check has exactly one decision. A decision to flag, and a reviewer's confirmation, is followed by one flag, and by as
   many more as it says (`further_flags`); no other flag is raised.
2. A flag has one outcome (overturned, paid, waived) or is open, with the time at which it was raised.
3. What is kept in memory grows with open flags and gaps, not with the log: entries are counted once, in the log's order.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Types that are read whole; canonical JSON spells them so.
_READ = (b'"type":"check.', b'"type":"flag.')


@dataclass(frozen=True)
class Gap:
    """Something that is missing or doubled: of which check or flag, and at which entry, where it has one."""

    kind: str
    subject: str
    index: int | None
    detail: str


@dataclass
class OpenFlag:
    """A flag without an outcome."""

    check: str
    raised_at: str
    state: str = "raised"


@dataclass
class Recount:
    """What the first `size` entries come to."""

    size: int = 0
    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    raised: int = 0
    open_flags: dict[str, OpenFlag] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    # By check: the index of the entry that calls for flags, with how many are still missing; and flags, each by its index,
    # that nothing called for so far.
    _called: dict[str, tuple[int, int]] = field(default_factory=dict)
    _uncalled: dict[str, list[int]] = field(default_factory=dict)

    def take(self, index: int, data: bytes) -> dict[str, Any] | None:
        """Count one entry; return it where it is about a check or a flag."""
        self.size = index + 1
        if not any(mark in data for mark in _READ):
            return None
        entry: dict[str, Any] = json.loads(data)
        if entry["type"] == "check.decided":
            self._decide(index, entry)
        elif entry["type"] == "check.reviewed":
            if entry["body"]["verdict"] == "confirm":
                self._call(index, entry)
        elif entry["type"] == "flag.raised":
            self._raise(index, entry)
        elif entry["type"].startswith("flag."):
            self._step(index, entry)
        else:
            return None
        return entry

    def list_gaps(self) -> list[Gap]:
        """Return what is missing or doubled in the log so far, by index."""
        unanswered = [
            Gap("flag_missing", check, index, f"flags that do not follow: {missing}")
            for check, (index, missing) in self._called.items()
        ]
        unasked = [
            Gap("flag_uncalled", check, index, "no decision calls for it")
            for check, indices in self._uncalled.items()
            for index in indices
        ]
        return sorted([*self.gaps, *unanswered, *unasked], key=lambda gap: gap.index or 0)

    def _decide(self, index: int, entry: dict[str, Any]) -> None:
        body = entry["body"]
        self.decisions[body["decision"], body["reason"] or ""] += 1
        if body["decision"] == "flag":
            self._call(index, entry)

    def _call(self, index: int, entry: dict[str, Any]) -> None:
        check, called = entry["subject"]["check"], 1 + (entry["body"].get("further_flags") or 0)
        early = self._uncalled.pop(check, [])
        if len(early) < called:
            self._called[check] = (index, called - len(early))
        elif early[called:]:
            self._uncalled[check] = early[called:]

    def _raise(self, index: int, entry: dict[str, Any]) -> None:
        flag, check = entry["subject"]["flag"], entry["subject"]["check"]
        self.raised += 1
        called_at, missing = self._called.pop(check, (index, 0))
        if missing == 0:
            self._uncalled.setdefault(check, []).append(index)
        elif missing > 1:
            self._called[check] = (called_at, missing - 1)
        if flag in self.open_flags or flag in self.ended:
            self.gaps.append(Gap("flag_doubled", flag, index, "raised before"))
        self.open_flags[flag] = OpenFlag(check, entry["at"])

    def _step(self, index: int, entry: dict[str, Any]) -> None:
        flag, body = entry["subject"]["flag"], entry["body"]
        open_flag = self.open_flags.get(flag)
        if open_flag is None:
            kind = "outcome_doubled" if flag in self.ended else "flag_unknown"
            self.gaps.append(Gap(kind, flag, index, f"{entry['type']} on a flag that is not open"))
            return
        outcome = _outcome_of(entry["type"], body)
        if outcome is not None:
            del self.open_flags[flag]
            self.ended.add(flag)
            self.outcomes[outcome] += 1
        elif entry["type"] == "flag.reviewed":
            open_flag.state = "reviewed"
        elif entry["type"] == "flag.notified":
            open_flag.state = "notified"
        elif entry["type"] == "flag.answered":
            open_flag.state = body["answer"]


def _outcome_of(entry_type: str, body: dict[str, Any]) -> str | None:
    """Return the outcome that a step gives a flag, if it ends it."""
    if entry_type == "flag.resolved":
        return str(body["outcome"])
    return "overturned" if entry_type == "flag.reviewed" and body["verdict"] == "overturn" else None
