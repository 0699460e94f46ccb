"""The file of the log's key: made once, readable by its owner alone, and nothing but an Ed25519 key."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.errors import InputError
from shared.ledger.keyfile import load_or_create_signer


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.pem"
    first = load_or_create_signer(path, "example.com/log")
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_signer(path, "example.com/log").vkey == first.vkey
    assert [file.name for file in path.parent.iterdir()] == ["log.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "log.pem"
    load_or_create_signer(path, "example.com/log")
    path.chmod(mode)
    with pytest.raises(InputError, match=f"expected mode 0600, got {mode:04o}"):
        load_or_create_signer(path, "example.com/log")


def test_a_file_without_an_ed25519_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    path.touch(mode=0o600)
    with pytest.raises(InputError, match="expected an unencrypted PKCS #8 PEM"):
        load_or_create_signer(path, "example.com/log")
    key = generate_private_key(SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(InputError, match="expected an Ed25519 key, got"):
        load_or_create_signer(path, "example.com/log")


def test_a_key_that_another_process_made_first_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.pem"
    first = load_or_create_signer(path, "example.com/log")
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self: self != path and exists(self))  # as it was a moment ago
    assert load_or_create_signer(path, "example.com/log").vkey == first.vkey
    assert len(list(tmp_path.iterdir())) == 1
