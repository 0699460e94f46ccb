"""`sleeve gate review`: what waits for a person, and their verdicts."""

from typing import Annotated

import typer
from rich.table import Column, Table

from services.output_gate.reviews.schemas import ReviewRequest, ReviewVerdict
from services.output_gate.reviews.service import page_of_reviews, review_check, review_flag
from shared.command_line.console import console, show_page
from shared.command_line.options import EXIT_STATUS, AsJson, Cursor, Limit, build_request, show_json
from shared.command_line.workspace import open_home
from shared.http.paging import PageRequest
from shared.records.flags import find_flags_of_check
from shared.records.reviews import lock_review

app = typer.Typer(help="Review flags, and checks that were too close to decide.", epilog=EXIT_STATUS, no_args_is_help=True)

Subject = Annotated[str, typer.Argument(help="Id of the flag or check, as the list gives it.")]
Reviewer = Annotated[str | None, typer.Option(help="Who reviewed; the log holds a salted commitment to the name.")]
Note = Annotated[str | None, typer.Option(help="Anything else; the log holds a salted commitment to it.")]


@app.command("list")
def list_reviews(limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """List what waits for a verdict, oldest first."""
    page = page_of_reviews(open_home(), PageRequest(cursor, limit))
    if as_json:
        show_json(page)
        return
    table = Table(Column("id", min_width=36), "of", "since", "item", "match", "score", "line", "p-value", "policy")
    for review in page.items:
        figures = f"{review.score:.3f}", f"{review.threshold:.3f}", f"{review.p_value:.4f}"
        table.add_row(review.id, review.kind, review.opened_at, review.item_id, review.match_kind, *figures, review.policy)
    show_page(table, page.next_cursor)


@app.command()
def confirm(
    subject: Subject,
    reason: Annotated[str | None, typer.Option(help="Why, in words that name nobody.")] = None,
    name: Reviewer = None,
    note: Note = None,
) -> None:
    """Say that it is a copy: a flag stands, a borderline check raises its flag."""
    _review(subject, "confirm", reason, name, note)


@app.command()
def overturn(
    subject: Subject,
    reason: Annotated[str, typer.Option(help="Why, in words that name nobody.")],
    name: Reviewer = None,
    note: Note = None,
) -> None:
    """Say that it is no copy: a flag ends, a borderline check raises none."""
    _review(subject, "overturn", reason, name, note)


def _review(subject: str, verdict: ReviewVerdict, reason: str | None, name: str | None, note: str | None) -> None:
    request = build_request(ReviewRequest, {"verdict": verdict, "reason": reason, "name": name, "note": note})
    workspace = open_home()
    with workspace.writing() as session:
        review = lock_review(session, subject)
    (review_flag if review.kind == "flag" else review_check)(workspace, subject, request)
    with workspace.reading() as session:
        flags = find_flags_of_check(session, review.check_id)
    states = [f"; flag {flag.id} is {flag.state}" for flag in flags if review.kind == "check" or flag.id == subject]
    console.print(f"{review.kind} {subject}: {verdict} is on record" + "".join(states))
