"""Samples of a recorded model, kept where an audit finds them again."""

from collections.abc import Callable
from pathlib import Path

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

    Returns:
        The folder of the samples.

    Raises:
        NotFoundError: no such model, or its folder is gone.
    """
    with workspace.reading() as session:
        model = load_model_record(session, name)
    folder = workspace.home / "samples" / model.name / f"ddim-{steps}-seed-{seed}-count-{count}"
    sample(
        workspace.home / model.folder,
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
