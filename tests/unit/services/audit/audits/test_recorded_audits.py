"""Recorded files: a file is shown only where it is the one that the log names."""

from pathlib import Path

import pytest

from services.audit.audits.recorded_audits import load_audit, load_recorded_file
from shared.canonical import sha256_hex
from shared.errors import CorruptStateError, NotFoundError
from shared.workspace import Workspace


def test_a_changed_or_missing_file_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    path.write_bytes(b"{}")
    digest = sha256_hex(b"{}")
    assert load_recorded_file(path, digest, "study") == b"{}"
    path.write_bytes(b"{ }")
    with pytest.raises(CorruptStateError, match="was changed") as changed:
        load_recorded_file(path, digest, "study")
    path.unlink()
    with pytest.raises(CorruptStateError, match="is gone") as missing:
        load_recorded_file(path, digest, "study")
    assert changed.value.code == missing.value.code == "study_damaged"


def test_an_unknown_audit_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError):
        load_audit(workspace, "none")
