"""Studies as recorded: listed, and their `study.json` read back and held against the log's digest.

Nothing here brings torch, so that a server which only shows studies starts without the trainer.
"""

import json
from typing import Any

from pydantic import BaseModel, Field

from services.audit.audits.recorded_audits import load_recorded_file
from shared.clock import format_moment
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.records.studies import Study, list_studies
from shared.workspace import Workspace


class StudySummary(BaseModel):
    """A study in a list."""

    id: str
    name: str
    config_sha256: str
    report_sha256: str = Field(description="SHA-256 of `study.json`, as logged.")
    created_at: str


def page_of_studies(workspace: Workspace, cursor: str | None, limit: int) -> Page[StudySummary]:
    """Return a page of studies, newest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    before = decode_cursor(cursor) if cursor else None
    with workspace.reading() as session:
        found = list_studies(session, before, limit + 1)
    shown = [
        StudySummary(
            id=study.id,
            name=study.name,
            config_sha256=study.config_sha256,
            report_sha256=study.report_sha256,
            created_at=format_moment(study.created_at),
        )
        for study in found[:limit]
    ]
    return Page(items=shown, next_cursor=encode_cursor(shown[-1].id) if len(found) > limit else None)


def load_study_json(workspace: Workspace, study: Study) -> bytes:
    """Read a study's `study.json` and check its digest.

    Raises:
        CorruptStateError: the file is gone, or is not the one that was logged.
    """
    return load_recorded_file(workspace.home / study.folder / "study.json", study.report_sha256, "study")


def load_study_content(workspace: Workspace, study: Study) -> dict[str, Any]:
    """Read what stands in a study's `study.json`; errors as `load_study_json`."""
    content: dict[str, Any] = json.loads(load_study_json(workspace, study))
    return content
