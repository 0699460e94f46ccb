"""A workspace: the database, blobs and log of one set of settings, opened together.

All state of a process lies under `settings.home`: `sleeve.db` (unless a database URL is set), `blobs/`, `log/` (tiles and
checkpoint, public), `keys/` (private), `index/`, `views/`, `models/`, `samples/`, `audits/`, `manifests/` (hashes for proofs),
`ingest/` (status of bulk runs), `warc/` (captures), and `storage-id`, by which the database knows the folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from shared.blobs import BlobStore
from shared.db import NO_DATABASE, describe_failure, open_database, reading
from shared.errors import UnavailableError
from shared.home_folder import open_home_folder
from shared.home_identity import verify_home
from shared.ledger.keyfile import load_or_create_signer
from shared.ledger.log import Log, verify_key_is_there
from shared.records.migrations.upgrade import migrate
from shared.records.tables import ALL_TABLES
from shared.settings import Settings
from shared.trust_anchors import load_trust_anchors
from shared.vision.image_limits import ImageLimits, image_limits

# Whoever opens a workspace knows every table, also those that it never names: a row is written by way of the tables that its
# foreign keys lead to.
TABLES = ALL_TABLES


@dataclass(frozen=True)
class Workspace:
    """What every service works on."""

    settings: Settings
    engine: Engine
    blobs: BlobStore
    log: Log
    trust_anchors_pem: str | None = None

    @property
    def home(self) -> Path:
        """The folder that holds all state."""
        return self.settings.home

    @property
    def limits(self) -> ImageLimits:
        """What an image may cost, and whose signature in it is trusted."""
        return replace(image_limits(self.settings), trust_anchors_pem=self.trust_anchors_pem)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that commits at the end of the block, or rolls back on an error.

        Raises:
            UnavailableError: the database is down or stays locked.
        """
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except NO_DATABASE as error:
            raise UnavailableError(describe_failure(error)) from error

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that reads one state and writes nothing."""
        try:
            with Session(reading(self.engine), expire_on_commit=False) as session:
                yield session
        except NO_DATABASE as error:
            raise UnavailableError(describe_failure(error)) from error


def open_workspace(settings: Settings) -> Workspace:
    """Open a workspace, making its folder, signing key and schema where they are missing.

    Raises:
        InputError: the database URL or the file of trust anchors is unusable, or the key file is open to others.
        UnavailableError: the database does not answer, or the home folder cannot be read or written.
        CorruptStateError: the database was made by a newer version, or is older than the log's folder; or the key of a log
            that has checkpoints is missing.
        ConflictError: the database belongs to another home folder.
    """
    anchors = load_trust_anchors(settings.c2pa_trust_anchors) if settings.c2pa_trust_anchors else None
    try:
        open_home_folder(settings.home)
        engine = open_database(settings)
        try:
            log = _open_log(engine, settings)
        except BaseException:
            engine.dispose()
            raise
        (settings.home / "log.vkey").write_text(log.vkey + "\n", encoding="utf-8")
    except OSError as error:
        raise UnavailableError(
            f"expected to read and write the home folder {settings.home}, got: {error.strerror} ({error.filename})",
            code="home_unusable",
        ) from error
    return Workspace(settings, engine, BlobStore(settings.home / "blobs"), log, anchors)


def _open_log(engine: Engine, settings: Settings) -> Log:
    """Bring the database to the newest schema and open its log, once home, database and log are known to belong together."""
    migrate(engine, settings.home)
    verify_home(engine, settings.home)
    verify_key_is_there(engine, settings.home / "log", settings.home / "keys" / "log.pem")
    signer = load_or_create_signer(settings.home / "keys" / "log.pem", settings.log_origin)
    log = Log(engine, settings.home / "log", signer)
    log.verify_folder()
    return log
