"""The secrets of webhooks, and the signature on each message.

Rules, in order:

1. A secret is drawn from the operating system, shown once, and kept in a file of its own beside the log's key, mode 0600:
   neither the database nor its backups say it. A file that others can read is refused, not repaired.
2. The signature is over id, timestamp and body as they are sent; it is made anew, with a fresh timestamp, for each try.

Source: Standard Webhooks specification 1.0.0 (https://www.standardwebhooks.com): "Signature scheme", symmetric.
"""

import base64
import hmac
import os
import secrets
import stat
from pathlib import Path

from shared.errors import CorruptStateError, InputError

# "Signature scheme": between 24 and 64 bytes.
SECRET_BYTES = 32
PREFIX = "whsec_"


def secret_file(home: Path, webhook_id: str) -> Path:
    """Return where a webhook's secret is kept."""
    return home / "keys" / "webhooks" / f"{webhook_id}.secret"


def create_secret(home: Path, webhook_id: str) -> str:
    """Draw a webhook's secret and keep it.

    Returns:
        The secret in the form that receivers are given: `whsec_` and base64.
    """
    secret = PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")
    path = secret_file(home, webhook_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def load_secret(home: Path, webhook_id: str) -> str:
    """Return a webhook's secret.

    Raises:
        InputError: others can read its file.
        CorruptStateError: there is none.
    """
    path = secret_file(home, webhook_id)
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputError(f"secret file {path}: expected mode 0600, got {mode:04o}", code="key_file_open_to_others")
            return file.read()
    except FileNotFoundError as error:
        raise CorruptStateError(f"webhook {webhook_id}: its secret is gone", code="webhook_secret_missing") from error


def delete_secret(home: Path, webhook_id: str) -> None:
    """Remove a webhook's secret; nothing is signed with it any more."""
    secret_file(home, webhook_id).unlink(missing_ok=True)


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message.

    Args:
        secret: `whsec_` and base64.
        message_id: the same for every try of a message.
        timestamp: seconds since the epoch, of this try.
        body: as it is sent.

    Returns:
        The value of the header `webhook-signature`.

    The example is the specification's own:

    >>> body = b'{"test": 2432232314}'
    >>> sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
