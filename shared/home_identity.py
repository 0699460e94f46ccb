"""The identity of a home folder: an id in the folder and in its database, so that neither is used with another's half.

Rules, in order:

1. The id is drawn when a database gets its first home. It stands in `storage-id` in the folder and in the database.
2. A folder whose id is not the database's is refused: its blobs, keys and models are not those that the database speaks of.
   Several hosts over one database share one folder.
3. After a restore or a move, the operator states on purpose that a folder is the database's (`sleeve home adopt`). A new id is
   drawn then: whatever has the old one, a copy left on another host for example, is refused from its next start on.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from shared.db import NO_DATABASE, describe_failure, reading
from shared.errors import ConflictError, UnavailableError
from shared.files import TEMPORARY_PREFIX, save_atomically
from shared.ids import new_id
from shared.records.storage_homes import find_home_id, record_first_home, replace_home

FILE_NAME = "storage-id"


def verify_home(engine: Engine, home: Path) -> None:
    """Check that a home folder is the database's; the first one of a database is recorded.

    Raises:
        ConflictError: the database belongs to another folder.
        UnavailableError: the database does not answer.
    """
    try:
        with Session(reading(engine)) as session:
            recorded = find_home_id(session)
        if recorded is None:
            with Session(engine) as session, session.begin():
                record_first_home(session, _load_or_create(home / FILE_NAME))
                recorded = find_home_id(session)
    except NO_DATABASE as error:
        raise UnavailableError(describe_failure(error)) from error
    present = _load(home / FILE_NAME)
    if present != recorded:
        raise ConflictError(
            f"expected the home folder that the database belongs to ({FILE_NAME} {recorded}), got {home.absolute()} "
            f"({present or 'none'}): set SLEEVE_HOME to that folder; after a restore or a move, `sleeve home adopt`",
            code="home_foreign",
        )


def adopt_home(engine: Engine, home: Path) -> str:
    """State that a home folder belongs to the database from now on; return its new id.

    Raises:
        UnavailableError: the database does not answer.
    """
    home_id = new_id()
    try:
        with Session(engine) as session, session.begin():
            replace_home(session, home_id)
            save_atomically(home / FILE_NAME, f"{home_id}\n".encode())
    except NO_DATABASE as error:
        raise UnavailableError(describe_failure(error)) from error
    return home_id


def _load(path: Path) -> str | None:
    with suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return None


def _load_or_create(path: Path) -> str:
    if not path.exists():
        temporary = path.parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        save_atomically(temporary, f"{new_id()}\n".encode())
        try:
            with suppress(FileExistsError):
                os.link(temporary, path)  # unlike a rename, a link fails where another process was first
        finally:
            temporary.unlink()
    return _load(path) or ""
