"""Models as recorded: what a name stands for already, and what a model may be trained on.

Nothing here brings torch, so that a request is refused by the server and not by the process that would do the work.
"""

from sqlmodel import Session

from shared.errors import ConflictError, InputError
from shared.records.manifests import Manifest
from shared.records.models import Model, find_model


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


def find_same_model(session: Session, name: str, manifest: Manifest, config_sha256: str) -> Model | None:
    """Return the model of this name, if it is recorded and is this very one.

    Raises:
        ConflictError: the name stands for a model of another manifest or configuration.
    """
    known = find_model(session, name)
    if known is None:
        return None
    expected, got = (known.manifest_id, known.config_sha256), (manifest.id, config_sha256)
    if expected != got:
        raise ConflictError(
            f"model {name!r} was made from manifest {expected[0]} with configuration {expected[1][:12]}…; "
            f"got manifest {got[0]} with {got[1][:12]}…",
            code="model_exists",
        )
    return known
