"""The record of a model: what it may be trained on, which model a name stands for, and the row with its log entry.

Nothing here imports torch, so that the server itself can refuse a request and not only the subprocess that would carry it out.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlmodel import Session

from shared.clock import utc_now
from shared.code_version import code_version
from shared.errors import ConflictError, InputError
from shared.ids import new_id
from shared.ledger.bodies import ModelImported, ModelTrained
from shared.ledger.entries import build_entry
from shared.records.entry_rows import append_and_add
from shared.records.manifests import Manifest, count_shared_images
from shared.records.models import Model, find_model

# Trained here, or elsewhere and imported.
_BODY_BY_ORIGIN: Mapping[str, Callable[..., ModelTrained | ModelImported]] = {
    "trained": ModelTrained,
    "imported": ModelImported,
}


def verify_for_training(manifest: Manifest) -> None:
    """Check that a manifest was sealed for training.

    Raises:
        InputError: it was sealed for another purpose.
    """
    if manifest.purpose != "train":
        raise InputError(
            f"expected a manifest sealed for training, got {manifest.name!r} sealed for {manifest.purpose}",
            code="manifest_purpose",
        )


def verify_disjoint(session: Session, training: Manifest, control: Manifest) -> None:
    """Check that a control holds no image of a training set.

    Raises:
        InputError: they share images, by their bytes.
    """
    shared_images = count_shared_images(session, training.id, control.id)
    if shared_images:
        raise InputError(
            f"a control must share no image with the training set; {control.name!r} and {training.name!r} share "
            f"{shared_images}",
            code="control_overlaps",
        )


def find_same_model(session: Session, name: str, manifest: Manifest, config_sha256: str) -> Model | None:
    """Return the model of this name, if it is recorded and is this very one.

    Raises:
        ConflictError: the name stands for a model of another manifest or configuration.
    """
    recorded = find_model(session, name)
    if recorded is None:
        return None
    expected, got = (recorded.manifest_id, recorded.config_sha256), (manifest.id, config_sha256)
    if expected != got:
        raise ConflictError(
            f"model {name!r} was made from manifest {expected[0]} with configuration {expected[1][:12]}…; "
            f"got manifest {got[0]} with {got[1][:12]}…",
            code="model_exists",
        )
    return recorded


def record_model(
    session: Session,
    manifest: Manifest,
    *,
    name: str,
    origin: str,
    weights_sha256: str,
    config_sha256: str,
    config: dict[str, Any],
    resolution_px: int,
    channels: int,
    updates: int | None = None,
    seed: int | None = None,
    preprocessing: dict[str, Any] | None = None,
) -> Model:
    """Record a model whose folder is in place, with its log entry.

    Args:
        session: a transaction, which the caller commits.
        manifest: what it was trained on, or what its owner declares.
        name: a free one; the folder is that of this name below `models/`.
        origin: trained or imported.
        weights_sha256: of its weight files.
        config_sha256: of its configuration.
        config: what it was trained with, or its folder's configuration files.
        resolution_px: side of its pictures.
        channels: 1 or 3.
        updates: how many it was trained by; None where unknown.
        seed: of the training; None where unknown.
        preprocessing: how pictures were prepared for it, as its owner declares.
    """
    model_id, now = new_id(), utc_now()
    body = _BODY_BY_ORIGIN[origin](
        name=name,
        manifest_id=manifest.id,
        manifest_root=manifest.root,
        weights_sha256=weights_sha256,
        config_sha256=config_sha256,
        code_version=code_version(),
        updates=updates,
        seed=seed,
    )
    return append_and_add(
        session,
        build_entry(body, at=now, subject={"model": model_id}),
        lambda entry_id: Model(
            id=model_id,
            name=name,
            manifest_id=manifest.id,
            folder=f"models/{name}",
            origin=origin,
            weights_sha256=weights_sha256,
            config_sha256=config_sha256,
            resolution_px=resolution_px,
            channels=channels,
            config=config,
            updates=updates,
            seed=seed,
            preprocessing=preprocessing,
            entry_id=entry_id,
            created_at=now,
        ),
    )
