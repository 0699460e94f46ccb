"""Payables: one row an owner's share of a flag, so that what is owed can be paid, and added up.

Rules, in order:

1. The rows of a flag sum to exactly its amount and to a share of exactly 1. A flag whose owner nobody knows has one row
   without an owner, which is the whole of it, held.
2. An overturned flag owes nothing and has no rows, unless its state is asked for.
3. Whose key is kept to its party's flags sees the rows of that party alone.
4. In CSV no cell that came from outside can be taken for a formula by a spreadsheet.

Source: RFC 4180 (CSV); OWASP, "CSV Injection": cells that begin with = + - @, a tab or a carriage return.
"""

import csv
import io
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, Field
from sqlmodel import Session

from services.output_gate.flags.holds import find_holds, load_checks_of
from services.output_gate.flags.visibility import own_flags_only
from shared.auth.caller import current_caller
from shared.clock import format_moment, utc_now
from shared.http.paging import Page, PageRequest
from shared.records.api_keys import verify_key_counts
from shared.records.flag_states import State
from shared.records.flags import Flag, list_flags
from shared.records.parties import load_parties
from shared.workspace import Workspace

# Flags in memory at once while all of them are written.
FLAGS_AT_ONCE = 500
# OWASP's list, with the full-width forms that some spreadsheets take as well.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


class Payable(BaseModel):
    """An owner's share of a flag."""

    flag_id: str
    check_id: str
    item_id: str
    owner_id: str | None = Field(description="Party id; null where the owner is unknown.")
    owner: str | None
    share: float
    amount_minor: int | None = Field(description="In minor units; null until the flag is assessed.")
    currency: str | None
    state: State
    held: str | None = Field(description="Code of what keeps it from being paid.")
    raised_at: str


def page_of_payables(workspace: Workspace, page: PageRequest, state: str | None) -> Page[Payable]:
    """Return the rows of a page of flags, oldest first.

    Args:
        workspace: whose flags.
        page: of flags; a flag's rows stand on one page.
        state: of the flags; None for all that were not overturned.

    Raises:
        InputError: the cursor is none of ours.
    """
    party_id = own_flags_only(current_caller())
    with workspace.reading() as session:
        flags = list_flags(session, page.position, page.rows_to_load, owner_id=party_id, state=state)
        return page.build(flags, lambda flag: flag.id, lambda shown: _build_visible(session, shown, party_id, state))


def iterate_payables(workspace: Workspace, state: str | None) -> Iterator[Payable]:
    """Yield the rows of all flags, oldest first, a block of flags in memory."""
    caller = current_caller()
    position, party_id = "", own_flags_only(caller)
    while True:
        with workspace.reading() as session:
            # A long answer does not outlive the key that it was asked for with.
            verify_key_counts(session, caller.key_id, utc_now())
            flags = list_flags(session, position, FLAGS_AT_ONCE, owner_id=party_id, state=state)
            rows = _build_visible(session, flags, party_id, state)
        yield from rows
        if len(flags) < FLAGS_AT_ONCE:
            return
        position = flags[-1].id


def _build_visible(session: Session, flags: Sequence[Flag], party_id: str | None, state: str | None) -> list[Payable]:
    """Build the rows of flags that owe something, or are in the state asked for; of one party only, where it is given."""
    owing = [flag for flag in flags if state is not None or flag.state != "overturned"]
    return [row for row in build_payables(session, owing) if party_id is None or row.owner_id == party_id]


def build_payables(session: Session, flags: Sequence[Flag]) -> list[Payable]:
    """Build the rows of flags, in their order."""
    holds = find_holds(session, flags, load_checks_of(session, flags))
    parties = load_parties(session, [share["party"] for flag in flags for share in flag.shares])
    rows = []
    for flag in flags:
        shared = {
            "flag_id": flag.id,
            "check_id": flag.check_id,
            "item_id": flag.item_id,
            "currency": flag.currency,
            "state": flag.state,
            "held": holds[flag.id],
            "raised_at": format_moment(flag.created_at),
        }
        parts = flag.shares or [{"party": None, "share": 1.0, "amount_minor": flag.amount_minor}]
        for part in parts:
            owner = {"owner_id": part["party"], "owner": parties[part["party"]].name if part["party"] else None}
            owed = {"share": part["share"], "amount_minor": part.get("amount_minor")}
            rows.append(Payable.model_validate(shared | owner | owed))
    return rows


def write_csv(rows: Iterator[Payable]) -> Iterator[str]:
    """Yield the lines of a CSV file, a header first."""
    yield _line(list(Payable.model_fields))
    for row in rows:
        cells = row.model_dump()
        yield _line([_cell(cells[name]) for name in Payable.model_fields])


def _cell(value: object) -> str:
    return "" if value is None else guard_formula(value) if isinstance(value, str) else str(value)


def guard_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet could take for a formula.

    >>> guard_formula("=HYPERLINK(1)"), guard_formula(" -1"), guard_formula("Olga Owner")
    ("'=HYPERLINK(1)", "' -1", 'Olga Owner')
    """
    # Spreadsheets leave out blanks before they look.
    return "'" + text if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
