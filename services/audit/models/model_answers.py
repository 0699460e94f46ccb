"""Models as the API shows them: a page of summaries, and one model with its manifest and its audits.

Nothing here imports torch, so that a server that only shows models starts without it.
"""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from services.audit.models.preprocessing import Preprocessing, describe_preprocessing
from shared.clock import format_moment
from shared.http.paging import Page, PageRequest
from shared.records.manifests import load_manifest
from shared.records.models import Model, list_audits, list_calibrations, list_models, load_model_record
from shared.workspace import Workspace

# A control from before its pipeline said so was read as it is and mirrored.
EARLIER_ORIENTATIONS = 2


class ModelSummary(BaseModel):
    """A model in a list."""

    id: str
    name: str
    origin: str = Field(description="`trained` here, or imported.")
    weights_sha256: str
    config_sha256: str
    resolution_px: int
    channels: int
    updates: int | None
    seed: int | None
    manifest: str = Field(description="Name of the manifest that it was trained on.")
    preprocessing: Preprocessing = Field(description="How pictures were prepared for its training, as far as it is known.")
    created_at: str


class ModelAnswer(BaseModel):
    """A model as recorded."""

    id: str
    name: str
    origin: str
    weights_sha256: str
    config_sha256: str
    resolution_px: int
    channels: int
    updates: int | None
    seed: int | None
    manifest: str
    manifest_root: str
    manifest_size: int
    preprocessing: Preprocessing = Field(description="How pictures were prepared for its training, as far as it is known.")
    orientations: int | None = Field(
        description="In how many of the eight orientations its newest control, and generations by it, are read; 2 for a "
        "control that was measured before all were: audit the model again. Null before any audit."
    )
    audits: list[str]


def page_of_models(workspace: Workspace, page: PageRequest) -> Page[ModelSummary]:
    """Return a page of models, newest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    with workspace.reading() as session:
        rows = list_models(session, page.position or None, page.rows_to_load)
    return page.build(rows, lambda row: row[0].id, _summarise)


def build_model_answer(workspace: Workspace, name: str) -> ModelAnswer:
    """Return a model's record, with its manifest and its audits.

    Raises:
        NotFoundError: there is no such model.
    """
    with workspace.reading() as session:
        model = load_model_record(session, name)
        manifest = load_manifest(session, model.manifest_id)
        calibrations = list_calibrations(session, model.id)
        audits = [audit.id for audit in list_audits(session, model.id)]
    fields = model.model_dump(include=set(ModelAnswer.model_fields) - {"manifest", "audits", "preprocessing", "orientations"})
    return ModelAnswer(
        **fields,
        manifest=manifest.name,
        manifest_root=manifest.root,
        manifest_size=manifest.size,
        preprocessing=describe_preprocessing(model),
        orientations=int(calibrations[0].pipeline.get("orientations", EARLIER_ORIENTATIONS)) if calibrations else None,
        audits=audits,
    )


def _summarise(rows: Sequence[tuple[Model, str]]) -> list[ModelSummary]:
    fields = set(ModelSummary.model_fields) - {"manifest", "created_at", "preprocessing"}
    return [
        ModelSummary(
            **model.model_dump(include=fields),
            manifest=manifest_name,
            preprocessing=describe_preprocessing(model),
            created_at=format_moment(model.created_at),
        )
        for model, manifest_name in rows
    ]
