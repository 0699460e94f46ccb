"""Audits as recorded: looked up, and their `audit.json` read back and held against the log's digest.

Nothing here brings torch, so that a server which only shows audits starts without the trainer.
"""

import json
from typing import Any

from shared.canonical import sha256_hex
from shared.errors import CorruptStateError, NotFoundError
from shared.records.models import Audit
from shared.workspace import Workspace


def load_audit_content(workspace: Workspace, audit: Audit) -> dict[str, Any]:
    """Read an audit's `audit.json` and check its digest.

    Raises:
        CorruptStateError: the file is gone, or is not the one that was logged.
    """
    path = workspace.home / audit.folder / "audit.json"
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CorruptStateError(f"audit.json of audit {audit.id} is gone", code="audit_damaged") from error
    if sha256_hex(data) != audit.report_sha256:
        raise CorruptStateError(
            f"audit.json was changed: expected SHA-256 {audit.report_sha256}, got {sha256_hex(data)}", code="audit_damaged"
        )
    content: dict[str, Any] = json.loads(data)
    return content


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
