"""The recount of the log's own entries."""

import json
from typing import Any

from services.output_gate.completeness.recount import Recount


def entry(kind: str, subject: dict[str, str], **body: Any) -> bytes:
    fields = {"at": "2026-01-31T12:00:00Z", "body": body, "subject": subject, "type": kind}
    return json.dumps(fields, separators=(",", ":")).encode()


def count(*entries: bytes) -> Recount:
    recount = Recount()
    for index, data in enumerate(entries):
        recount.take(index, data)
    return recount


DECIDED = entry("check.decided", {"check": "c"}, decision="flag", reason="above")
RAISED = entry("flag.raised", {"check": "c", "flag": "f"})
PAID = entry("flag.resolved", {"check": "c", "flag": "f"}, outcome="paid")


def test_a_flag_that_was_called_for_raised_and_paid_leaves_no_gap() -> None:
    recount = count(entry("item.registered", {"item": "i"}), DECIDED, RAISED, PAID)
    assert recount.list_gaps() == []
    assert (recount.size, recount.raised, dict(recount.outcomes), recount.open_flags) == (4, 1, {"paid": 1}, {})


def test_a_flag_that_is_open_has_its_state() -> None:
    recount = count(DECIDED, RAISED, entry("flag.answered", {"check": "c", "flag": "f"}, answer="disputed"))
    assert recount.open_flags["f"].state == "disputed"


def test_each_gap_has_its_kind() -> None:
    logs = [(DECIDED,), (RAISED,), (DECIDED, RAISED, RAISED), (DECIDED, RAISED, PAID, PAID), (PAID,)]
    assert [{gap.kind for gap in count(*log).list_gaps()} for log in logs] == [
        {"flag_missing"},
        {"flag_uncalled"},
        {"flag_doubled", "flag_uncalled"},
        {"outcome_doubled"},
        {"flag_unknown"},
    ]


def test_each_further_flag_is_counted() -> None:
    decided = entry("check.decided", {"check": "c"}, decision="flag", reason="above", further_flags=2)
    confirmed = entry("check.reviewed", {"check": "c"}, verdict="confirm", further_flags=2)
    flags = [entry("flag.raised", {"check": "c", "flag": f"f{number}"}) for number in range(4)]
    for call in (decided, confirmed):
        assert count(call, *flags[:3]).list_gaps() == []
        assert count(flags[0], call, *flags[1:3]).list_gaps() == []
        [missing] = count(call, *flags[:2]).list_gaps()
        assert (missing.kind, missing.index, missing.detail) == ("flag_missing", 0, "flags that do not follow: 1")
        assert [(gap.kind, gap.index) for gap in count(call, *flags).list_gaps()] == [("flag_uncalled", 4)]
        assert [(gap.kind, gap.index) for gap in count(*flags, call).list_gaps()] == [("flag_uncalled", 3)]
