"""Secrets of webhooks: in files of their own, closed to others."""

from pathlib import Path

import pytest

from services.output_gate.webhooks.signing import PREFIX, create_secret, delete_secret, load_secret, secret_file
from shared.errors import CorruptStateError, InputError


def test_a_secret_is_kept_closed_and_gone_when_deleted(tmp_path: Path) -> None:
    secret = create_secret(tmp_path, "hook")
    assert secret.startswith(PREFIX)
    assert secret_file(tmp_path, "hook").stat().st_mode & 0o777 == 0o600
    assert load_secret(tmp_path, "hook") == secret
    secret_file(tmp_path, "hook").chmod(0o644)
    with pytest.raises(InputError):
        load_secret(tmp_path, "hook")
    delete_secret(tmp_path, "hook")
    with pytest.raises(CorruptStateError):
        load_secret(tmp_path, "hook")
