"""Files whose digest the log holds: what cannot be shown to be the logged one is not shown at all."""

from pathlib import Path

from shared.canonical import sha256_hex
from shared.errors import CorruptStateError


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
