"""Samples of a recorded model, stored where an audit finds them again, and written as PNG files for people to look at."""

import io
from pathlib import Path

import torch

from services.audit.models.model_configuration import verify_configuration
from services.audit.sampling.sample import Sampler, sample
from services.audit.sampling.sample_shards import Samples, samples_folder
from services.audit.training.model_checkpoints import find_model_checkpoint
from shared.files import save_all_atomically
from shared.progress import ProgressCallback
from shared.records.models import load_model_record
from shared.vision.views import view_to_image
from shared.workspace import Workspace

__all__ = ["export_pngs", "sample_model", "samples_folder"]

# PNG files that wait for the disk together.
FILES_AT_ONCE = 256


def sample_model(
    workspace: Workspace,
    name: str,
    count: int,
    seed: int,
    steps: int,
    report_progress: ProgressCallback | None = None,
    *,
    num_threads: int | None = None,
    checkpoint_update: int | None = None,
    sampler: Sampler = "ddim",
) -> Path:
    """Sample a recorded model, resuming where an earlier run stopped; on a GPU where there is one.

    Args:
        workspace: where the model is.
        name: name or id of the model.
        count: images to generate.
        seed: of the first image; image i has seed + i.
        steps: denoising steps.
        report_progress: called with the images done and the images in all.
        num_threads: CPU threads; torch's own choice where it is not given.
        checkpoint_update: sample the checkpoint saved after so many updates, not the finished model.
        sampler: `ddim` or `ddpm`.

    Returns:
        The folder of the samples.

    Raises:
        NotFoundError: no such model or checkpoint, or its folder is gone.
        CorruptStateError: its network or scheduler is configured otherwise than recorded.
    """
    with workspace.reading() as session:
        model = load_model_record(session, name)
    weights = workspace.home / model.folder
    if checkpoint_update is not None:
        weights = find_model_checkpoint(weights, checkpoint_update)
    verify_configuration(model, weights)
    folder = samples_folder(workspace, model.name, count, seed, steps, checkpoint_update=checkpoint_update, sampler=sampler)
    sample(
        weights,
        folder,
        count,
        seed=seed,
        batch_size=None,
        steps=steps,
        sampler=sampler,
        device="cuda" if torch.cuda.is_available() else "cpu",
        num_threads=num_threads,
        report_progress=report_progress,
    )
    return folder


def export_pngs(samples: Samples, folder: Path, report_progress: ProgressCallback | None = None) -> None:
    """Write generations as PNG files named by their seeds, `seed-0000000042.png`. Existing files stay.

    Args:
        samples: the generations.
        folder: made where it is missing.
        report_progress: called with the images written and the images in all.
    """
    paths = [folder / f"seed-{seed:010d}.png" for seed in samples.seeds.tolist()]
    for start in range(0, len(paths), FILES_AT_ONCE):
        block = range(start, min(start + FILES_AT_ONCE, len(paths)))
        save_all_atomically({str(paths[at]): _encode(samples, at) for at in block if not paths[at].exists()})
        if report_progress is not None:
            report_progress(block.stop, len(paths))


def _encode(samples: Samples, at: int) -> bytes:
    encoded = io.BytesIO()
    view_to_image(samples.images[at]).save(encoded, format="PNG")
    return encoded.getvalue()
