"""Samples of a recorded model, kept where an audit finds them again."""

from collections.abc import Callable
from pathlib import Path

from services.audit.kept_models import load_kept_folder
from services.audit.sampling import sample
from shared.records.models import load_model_record
from shared.workspace import Workspace

# One forward pass; larger batches gained nothing on two cores at 24 px.
BATCH_IMAGES = 64


def sample_model(
    workspace: Workspace,
    name: str,
    count: int,
    seed: int,
    steps: int,
    on_image: Callable[[int, int], None] | None = None,
    *,
    num_threads: int | None = None,
    kept_at: int | None = None,
) -> Path:
    """Sample a recorded model with DDIM, resuming where an earlier run stopped.

    Args:
        workspace: where the model is.
        name: name or id of the model.
        count: images to generate.
        seed: of the first image; image i has seed + i.
        steps: denoising steps.
        on_image: told (images done, images in all).
        num_threads: CPU threads; torch's own choice where it is not given.
        kept_at: sample the model as it was kept after so many updates, not the finished one.

    Returns:
        The folder of the samples.

    Raises:
        NotFoundError: no such model, it was not kept then, or its folder is gone.
    """
    with workspace.reading() as session:
        model = load_model_record(session, name)
    weights = workspace.home / model.folder
    if kept_at is not None:
        weights = load_kept_folder(weights, kept_at)
    folder = samples_folder(workspace, model.name, count, seed, steps, kept_at=kept_at)
    sample(
        weights,
        folder,
        count,
        seed=seed,
        batch_size=BATCH_IMAGES,
        steps=steps,
        sampler="ddim",
        num_threads=num_threads,
        on_image=on_image,
    )
    return folder


def samples_folder(workspace: Workspace, model: str, count: int, seed: int, steps: int, *, kept_at: int | None = None) -> Path:
    """Return where these samples of a model are kept; arguments as for `sample_model`, the model by its name."""
    kept = "" if kept_at is None else f"-update-{kept_at}"
    return workspace.home / "samples" / model / f"ddim-{steps}-seed-{seed}-count-{count}{kept}"
