"""The log's private key on disk: PKCS #8 PEM, made on first use, readable by its owner only.

Rules, in order:

1. There is no default key: where no file is, a fresh key is drawn from the operating system and written. A log that has
   checkpoints gets none (`shared.ledger.log.verify_key_is_there`).
2. The file is complete before it gets its name, and never replaces another: of two processes that start at
   once, both end with the one key.
3. A key file that anyone but its owner can read or write is refused, not repaired: the key may be known
   already.

Source: RFC 8410 (Ed25519 in PKCS #8); the refusal is what OpenSSH does with its private keys.
"""

import os
import stat
import tempfile
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from shared.errors import InputError
from shared.ledger.note import Signer


def load_or_create_signer(path: Path, name: str) -> Signer:
    """Open the log's key, or make it on first use.

    Args:
        path: the PEM file; keep it outside every folder that is served.
        name: the key name, which is the log's origin.

    Returns:
        The signer.

    Raises:
        InputError: the file is open to others, or holds no Ed25519 key; or the name cannot name a key.
    """
    if not path.exists():
        _create_key(path)
    return Signer(name, _load_key(path))


def _create_key(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike a rename, a link fails where the name is taken
    except FileExistsError:
        return  # another process was first; its key is the key
    finally:
        Path(temporary).unlink()


def _load_key(path: Path) -> Ed25519PrivateKey:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InputError(
                f"key file {path}: expected mode 0600, got {mode:04o}; others may know the key: "
                "move it away for a new one, or `chmod 600` it if you are sure",
                code="key_file_open_to_others",
            )
        pem = file.read()
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"key file {path}: expected an unencrypted PKCS #8 PEM, got {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"key file {path}: expected an Ed25519 key, got {type(key).__name__}")
    return key
