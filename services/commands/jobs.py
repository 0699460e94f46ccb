"""`sleeve jobs`: what jobs there are, how far they are, and cancelling them; beside a running server or without one."""

from typing import Annotated

import typer

from shared.clock import format_moment
from shared.command_line.console import console
from shared.command_line.options import EXIT_STATUS
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home
from shared.http.jobs import build_job_answer
from shared.records.jobs import JobState, cancel_job, list_jobs, load_job

app = typer.Typer(help="List, show and cancel jobs that were asked for over REST.", epilog=EXIT_STATUS, no_args_is_help=True)


@app.command("list")
def list_queued(
    state: Annotated[JobState | None, typer.Option(help="In this state only.")] = None,
    kind: Annotated[str | None, typer.Option(help="Of this kind only, such as archive.capture.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """List jobs, newest first: id, time, kind, state, steps done of all."""
    with open_home().reading() as session:
        jobs = list_jobs(session, None, limit, state=state, kind=kind)
    for job in jobs:
        steps = f"{job.done:,} of {'?' if job.total is None else f'{job.total:,}'}"
        console.print(f"{job.id}  {format_moment(job.created_at)}  {job.kind}  {job.state}  {steps}", soft_wrap=True)


@app.command()
def show(job_id: Annotated[str, typer.Argument(help="Id of the job.")]) -> None:
    """Print a job as JSON: what was asked for, how far it is, what came of it."""
    with open_home().reading() as session:
        answer = build_job_answer(load_job(session, job_id))
    echo(answer.model_dump_json(indent=2))


@app.command()
def cancel(job_id: Annotated[str, typer.Argument(help="Id of the job.")]) -> None:
    """Cancel a job that waits or runs; a running one stops at its next step, and what it put on record stays."""
    with open_home().writing() as session:
        job = cancel_job(session, job_id)
    console.print(f"{job.id}: {job.state}", soft_wrap=True)
