"""The generations that a recorded audit judged, found by their settings in its `audit.json`."""

from pathlib import Path
from typing import Any

from services.audit.sampling.sample_shards import Samples, load_samples, load_settings, samples_folder
from shared.errors import CorruptStateError, NotFoundError
from shared.workspace import Workspace


def judged_samples_folder(workspace: Workspace, audit: dict[str, Any]) -> Path:
    """Return where the generations of an audit are.

    Args:
        workspace: of the audit.
        audit: content of its `audit.json`.

    Raises:
        NotFoundError: these very generations are gone.
    """
    settings, name = audit["sampling"], audit["model"]["name"]
    folder = samples_folder(
        workspace, name, settings["count"], settings["seed"], settings["steps"], sampler=settings["sampler"]
    )
    if load_settings(folder) != settings:
        raise NotFoundError(f"generations of model {name!r} are not kept: expected {folder.name}", code="samples_not_found")
    return folder


def load_judged_samples(workspace: Workspace, audit: dict[str, Any]) -> Samples:
    """Read the generations of an audit; arguments as for `judged_samples_folder`.

    Raises:
        NotFoundError: these very generations are gone.
        CorruptStateError: they were changed since, or a shard of them is damaged.
    """
    samples = load_samples(judged_samples_folder(workspace, audit))
    verify_judged(samples, audit)
    return samples


def verify_judged(samples: Samples, audit: dict[str, Any]) -> None:
    """Check that generations are those that an audit judged: the log does not vouch for the file with their shards' digests.

    Raises:
        CorruptStateError: they are others.
    """
    # Audits from before the digest was recorded name none.
    expected = audit.get("samples_sha256", samples.sha256)
    if samples.sha256 != expected:
        raise CorruptStateError(
            f"the generations of {audit['model']['name']!r} are not those that were judged: expected {expected}, "
            f"got {samples.sha256}",
            code="samples_changed",
        )
