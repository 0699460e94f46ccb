"""Models, and what is known of them: the manifest they were trained on, their calibrations, their audits."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id
from shared.records.manifests import Manifest


class Model(SQLModel, table=True):
    """Weights and the manifest that they were trained on."""

    __tablename__ = "model"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    name: str = Field(unique=True)
    manifest_id: str = Field(foreign_key="manifest.id", index=True)
    folder: str
    origin: str
    weights_sha256: str = Field(max_length=64)
    config_sha256: str = Field(max_length=64)
    resolution_px: int
    channels: int
    config: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    # As its owner declares; None for models trained here, and where nothing was declared.
    preprocessing: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    updates: int | None = None
    seed: int | None = None
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


class Calibration(SQLModel, table=True):
    """The control of one model: for each calibrated rule, the best scores of a held-out control through one pipeline.

    `sha256` is the digest over pipeline and scores (`shared.matching.calibration.null_distribution`). Audits and decisions
    cite it. `unsound_rules` names the rules that failed a control of an audit, each with its rate: nothing may be decided by
    them.
    """

    __tablename__ = "calibration"
    __table_args__ = (UniqueConstraint("model_id", "sha256"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    model_id: str = Field(foreign_key="model.id", index=True)
    control_manifest_id: str = Field(foreign_key="manifest.id")
    pipeline: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    scores: dict[str, list[float]] = Field(sa_column=Column(JSON, nullable=False))
    sha256: str = Field(max_length=64)
    unsound_rules: dict[str, float] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, server_default="{}"))
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


class Audit(SQLModel, table=True):
    """One finished audit: its state, and the digest of the `audit.json` that holds all its figures.

    `state` is `completed`, or `failed` where a control came out wrong and the figures are void.
    """

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("model_id", "report_sha256"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    model_id: str = Field(foreign_key="model.id", index=True)
    calibration_id: str = Field(foreign_key="calibration.id")
    folder: str
    state: str = Field(default="completed", sa_column_kwargs={"server_default": "completed"})
    report_sha256: str = Field(max_length=64)
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def find_model(session: Session, name: str) -> Model | None:
    """Return the model of this name, if there is one."""
    return session.exec(select(Model).where(Model.name == name)).first()


def load_model_record(session: Session, name_or_id: str) -> Model:
    """Return a model by name or id.

    Raises:
        NotFoundError: there is none.
    """
    query = select(Model).where((col(Model.name) == name_or_id) | (col(Model.id) == name_or_id))
    model = session.exec(query).first()
    if model is None:
        raise NotFoundError(f"no model {name_or_id!r} is registered", code="model_not_found")
    return model


def list_models(session: Session, before: str | None, limit: int) -> list[tuple[Model, str]]:
    """Return models with the names of their manifests, newest first.

    Args:
        session: an open transaction.
        before: id of the last one seen; None from the newest on.
        limit: how many at most.
    """
    query = select(Model, Manifest.name).join(Manifest, col(Manifest.id) == col(Model.manifest_id))
    if before is not None:
        query = query.where(col(Model.id) < before)
    return list(session.exec(query.order_by(col(Model.id).desc()).limit(limit)).all())


def list_calibrations(session: Session, model_id: str) -> list[Calibration]:
    """Return the calibrations of a model, newest first."""
    query = select(Calibration).where(Calibration.model_id == model_id).order_by(col(Calibration.id).desc())
    return list(session.exec(query))


def find_same_calibration(session: Session, model_id: str, sha256: str) -> Calibration | None:
    """Return the calibration of a model with this digest, if it is kept."""
    query = select(Calibration).where(Calibration.model_id == model_id, Calibration.sha256 == sha256)
    return session.exec(query).first()


def find_audit(session: Session, model_id: str, report_sha256: str) -> Audit | None:
    """Return the audit with this report, if it is recorded."""
    query = select(Audit).where(Audit.model_id == model_id, Audit.report_sha256 == report_sha256)
    return session.exec(query).first()


def list_audits(session: Session, model_id: str) -> list[Audit]:
    """Return the audits of a model, newest first."""
    return list(session.exec(select(Audit).where(Audit.model_id == model_id).order_by(col(Audit.id).desc())))


def list_recorded_audits(
    session: Session, before: str | None, limit: int, model_id: str | None = None
) -> list[tuple[Audit, str, str]]:
    """Return audits with the names of their models and control manifests, newest first.

    Args:
        session: an open transaction.
        before: id of the last one seen; None from the newest on.
        limit: how many at most.
        model_id: of this model only.
    """
    query = (
        select(Audit, Model.name, Manifest.name)
        .join(Model, col(Model.id) == col(Audit.model_id))
        .join(Calibration, col(Calibration.id) == col(Audit.calibration_id))
        .join(Manifest, col(Manifest.id) == col(Calibration.control_manifest_id))
    )
    if before is not None:
        query = query.where(col(Audit.id) < before)
    if model_id is not None:
        query = query.where(col(Audit.model_id) == model_id)
    return list(session.exec(query.order_by(col(Audit.id).desc()).limit(limit)).all())
