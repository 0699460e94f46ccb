"""Studies as recorded: listed, looked up, and their `study.json` read and checked against the digest in the log.

Nothing here imports torch, so that a server that only shows studies starts without it.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from services.audit.audits.recorded_audits import load_recorded_file
from shared.clock import format_moment
from shared.http.paging import Page, PageRequest
from shared.records.studies import Study, list_studies, load_study
from shared.workspace import Workspace


class StudySummary(BaseModel):
    """A study in a list."""

    id: str
    name: str
    config_sha256: str
    report_sha256: str = Field(description="SHA-256 of `study.json`, as logged.")
    created_at: str


def page_of_studies(workspace: Workspace, page: PageRequest) -> Page[StudySummary]:
    """Return a page of studies, newest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    with workspace.reading() as session:
        rows = list_studies(session, page.position or None, page.rows_to_load)
    return page.build(rows, lambda study: study.id, _summarise)


def _summarise(studies: Sequence[Study]) -> list[StudySummary]:
    fields = set(StudySummary.model_fields) - {"created_at"}
    return [StudySummary(**study.model_dump(include=fields), created_at=format_moment(study.created_at)) for study in studies]


def load_recorded_study(workspace: Workspace, study_id: str) -> Study:
    """Return a study's record.

    Raises:
        NotFoundError: there is none with this id.
    """
    with workspace.reading() as session:
        return load_study(session, study_id)


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
