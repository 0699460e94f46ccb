"""The requests of jobs to `/v1/slices`, `/v1/models`, `/v1/audits`, `/v1/studies`: verified against the record, then queued.

Nothing here imports torch: the server queues, and a subprocess does the work.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from services.audit.models.recorded_models import find_same_model, verify_disjoint, verify_for_training
from services.audit.studies.study_config import StudyConfig
from services.audit.training.training_config import LARGEST_SIDE_PX, TrainingConfig
from shared.errors import NotFoundError
from shared.http.jobs import queue_job_once
from shared.records.items import has_dataset
from shared.records.jobs import Job
from shared.records.manifests import load_manifest
from shared.records.models import load_model_record
from shared.schemas import NAME, StrictModel, Text
from shared.workspace import Workspace

SEALING, TRAINING, AUDIT, STUDY = "slice.sealing", "model.training", "model.audit", "study"

# The paper: "1K CLIP neighbors".
DEFAULT_NEIGHBOURS = 1000
DEFAULT_RATE = 0.001  # docs/methods/decision.md
# A generation has a seed of its own, and an audit keeps all of them and their figures in memory.
MOST_GENERATIONS = 1_000_000
# With the largest first seed, the last one is still exact in JSON (RFC 8785, section 3.2.2.3).
MOST_FIRST_SEED = 2**53 - MOST_GENERATIONS

NameOrId = Annotated[str, Field(min_length=1, max_length=100)]
NewName = Annotated[str, Field(pattern=f"^{NAME.pattern}$", max_length=100)]


class ModelViews(StrictModel):
    """How a model sees its pictures."""

    resolution: int = Field(default=24, strict=True, ge=8, le=LARGEST_SIDE_PX, description="Side in pixels.")
    channels: Literal[1, 3] = Field(default=1, description="1 grey, 3 colour.")


class SliceRequest(StrictModel):
    """A slice to draw and seal, and what is left over as its control."""

    name: NewName = Field(description="Unique name of the training manifest.")
    datasets: tuple[Text, ...] = Field(min_length=1, max_length=100, fail_fast=True, description="Data sets to draw from.")
    size: int = Field(strict=True, ge=1, le=1_000_000, description="Images in the slice.")
    seed: int = Field(default=0, strict=True, ge=0, le=2**53 - 1, description="Seed of the draw.")
    control: NewName | None = Field(default=None, description="Seal the images left over under this name, as control.")
    distinct: ModelViews | None = Field(
        default=None,
        description="Leave near copies out of slice and control, as the model to come will see them; null leaves them in.",
    )

    @model_validator(mode="after")
    def _two_names(self) -> Self:
        if self.name == self.control:
            raise ValueError("expected another name for the control")
        return self


class TrainingRequest(StrictModel):
    """A model to train."""

    name: NewName = Field(description="Unique name of the model.")
    manifest: NameOrId = Field(description="Name or id of a manifest sealed for training.")
    config: TrainingConfig = Field(description="Network, noise and optimiser; names are those of diffusers' own scripts.")
    control: NameOrId | None = Field(
        default=None,
        description="Control of the audit to come: near copies in it are counted before the training, in the job's `counts`.",
    )


class AuditRequest(StrictModel):
    """A model to audit: what to draw from it, and how to judge that."""

    model_config = ConfigDict(strict=True)

    model: NameOrId = Field(description="Name or id of the model.")
    control: NameOrId = Field(description="Name or id of a manifest of held-out images.")
    generations: int = Field(default=128, ge=1, le=MOST_GENERATIONS, description="Images to draw.")
    steps: int = Field(default=25, ge=1, le=10_000, description="Denoising steps, at most the model's own number.")
    seed: int = Field(default=0, ge=0, le=MOST_FIRST_SEED, description="Seed of the first image; image i has seed + i.")
    neighbours: int = Field(
        default=DEFAULT_NEIGHBOURS,
        ge=1,
        le=100_000,
        description="Length of a shortlist; the gate uses only calibrations made with the length that its policy names.",
    )
    rate: float = Field(default=DEFAULT_RATE, gt=0, le=0.5, description="Chosen false-positive rate of calibrated rules.")


def queue_slice(workspace: Workspace, request: SliceRequest, key: str | None) -> Job:
    """Queue the sealing of a slice of data sets that exist; other arguments as for `queue_training`.

    Raises:
        NotFoundError: no item is registered under one of the names.
        ConflictError: the key stands for another request.
    """
    _verify_datasets(workspace, request.datasets)
    return queue_job_once(workspace, SEALING, request.model_dump(mode="json"), key)


def queue_training(workspace: Workspace, request: TrainingRequest, key: str | None) -> Job:
    """Queue a training, as far as the record allows it.

    Args:
        workspace: where it is queued.
        request: of the training.
        key: the request's Idempotency-Key, if it has one.

    Raises:
        NotFoundError: there is no such manifest.
        InputError: it was sealed for another purpose.
        ConflictError: the name stands for another model, or the key for another request.
    """
    with workspace.reading() as session:
        manifest = load_manifest(session, request.manifest)
        verify_for_training(manifest)
        find_same_model(session, request.name, manifest, request.config.sha256)
        if request.control is not None:
            verify_disjoint(session, manifest, load_manifest(session, request.control))
    return queue_job_once(workspace, TRAINING, request.model_dump(mode="json"), key)


def queue_audit(workspace: Workspace, request: AuditRequest, key: str | None) -> Job:
    """Queue an audit whose model and control exist and go together; other arguments as for `queue_training`.

    Raises:
        NotFoundError: there is no such model or manifest.
        InputError: the control holds images that the model was trained on.
        ConflictError: the key stands for another request.
    """
    with workspace.reading() as session:
        model, control = load_model_record(session, request.model), load_manifest(session, request.control)
        verify_disjoint(session, load_manifest(session, model.manifest_id), control)
    return queue_job_once(workspace, AUDIT, request.model_dump(mode="json"), key)


def queue_study(workspace: Workspace, request: StudyConfig, key: str | None) -> Job:
    """Queue a study whose data set exists; other arguments as for `queue_training`.

    Raises:
        NotFoundError: no item is registered under its name.
        ConflictError: the key stands for another request.
    """
    _verify_datasets(workspace, [request.dataset])
    return queue_job_once(workspace, STUDY, request.model_dump(mode="json"), key)


def _verify_datasets(workspace: Workspace, datasets: Sequence[str]) -> None:
    with workspace.reading() as session:
        for dataset in datasets:
            if not has_dataset(session, dataset):
                raise NotFoundError(f"no items are registered in data set {dataset!r}", code="dataset_not_found")
