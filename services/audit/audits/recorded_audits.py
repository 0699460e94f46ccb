"""Audits as recorded: listed, looked up, and their `audit.json` read and checked against the digest in the log.

Nothing here imports torch, so that a server that only shows audits starts without it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from shared.canonical import sha256_hex
from shared.clock import format_moment
from shared.errors import CorruptStateError, NotFoundError
from shared.http.paging import Page, PageRequest
from shared.records.models import Audit, list_recorded_audits, load_model_record
from shared.workspace import Workspace


class AuditSummary(BaseModel):
    """An audit in a list."""

    id: str
    model: str = Field(description="Name of the model.")
    control: str = Field(description="Name of the manifest of held-out images.")
    state: str = Field(description="`completed`, or `failed` where a control came out wrong and the figures are void.")
    report_sha256: str = Field(description="SHA-256 of `audit.json`, as logged.")
    created_at: str


def page_of_audits(workspace: Workspace, page: PageRequest, model: str | None) -> Page[AuditSummary]:
    """Return a page of audits, newest first.

    Args:
        workspace: whose audits.
        page: which page.
        model: name or id of the model; None is any.

    Raises:
        NotFoundError: there is no such model.
        InputError: the cursor is none of ours.
    """
    before = page.position or None
    with workspace.reading() as session:
        model_id = None if model is None else load_model_record(session, model).id
        rows = list_recorded_audits(session, before, page.rows_to_load, model_id)
    return page.build(rows, lambda row: row[0].id, _summarise)


def _summarise(rows: Sequence[tuple[Audit, str, str]]) -> list[AuditSummary]:
    return [
        AuditSummary(
            id=audit.id,
            model=model_name,
            control=control_name,
            state=audit.state,
            report_sha256=audit.report_sha256,
            created_at=format_moment(audit.created_at),
        )
        for audit, model_name, control_name in rows
    ]


def load_audit_content(workspace: Workspace, audit: Audit) -> dict[str, Any]:
    """Read what stands in an audit's `audit.json`.

    Raises:
        CorruptStateError: the file is gone, or is not the one that was logged.
    """
    content: dict[str, Any] = json.loads(load_audit_json(workspace, audit))
    return content


def load_audit_json(workspace: Workspace, audit: Audit) -> bytes:
    """Read an audit's `audit.json` and check its digest.

    Raises:
        CorruptStateError: the file is gone, or is not the one that was logged.
    """
    return load_recorded_file(workspace.home / audit.folder / "audit.json", audit.report_sha256, "audit")


def load_audit(workspace: Workspace, audit_id: str) -> Audit:
    """Return an audit's record.

    Raises:
        NotFoundError: there is none with this id.
    """
    with workspace.reading() as session:
        audit = session.get(Audit, audit_id)
    if audit is None:
        raise NotFoundError(f"no audit {audit_id!r}", code="audit_not_found")
    return audit


def load_recorded_file(path: Path, sha256: str, what: str) -> bytes:
    """Read a file and check its digest.

    Args:
        path: of the file.
        sha256: its digest as logged.
        what: what it is a file of, `audit` or `study`; the error's code begins with it.

    Raises:
        CorruptStateError: the file is gone, or is not the one that was logged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CorruptStateError(f"{path.name} of {what} {path.parent.name} is gone", code=f"{what}_damaged") from error
    if sha256_hex(data) != sha256:
        raise CorruptStateError(
            f"{path.name} was changed: expected SHA-256 {sha256}, got {sha256_hex(data)}", code=f"{what}_damaged"
        )
    return data
