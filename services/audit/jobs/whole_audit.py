"""A whole audit of one model: sample it, compare, record, and write the report beside `audit.json`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.audit.audits.audit import audit_model
from services.audit.reports.audit_report import write_report
from services.audit.sampling.samples import sample_model
from shared.progress import ProgressCallback
from shared.records.models import Audit
from shared.vision.embedding import open_embedder
from shared.workspace import Workspace


@dataclass(frozen=True)
class FinishedAudit:
    """An audit's record, the content of its `audit.json`, and its report's file."""

    audit: Audit
    content: dict[str, Any]
    report: Path


def run_audit(
    workspace: Workspace,
    model: str,
    control: str,
    *,
    count: int,
    seed: int,
    steps: int,
    neighbours: int,
    rate: float,
    report: Path | None = None,
    on_image: ProgressCallback | None = None,
) -> FinishedAudit:
    """Audit a model from its weights to its report; run again after a kill, it goes on and comes to the same.

    Args:
        workspace: where model and manifests are.
        model: name or id of the model.
        control: name or id of the held-out manifest.
        count: images to generate, where there are none yet.
        seed: of the first image; image i has seed + i.
        steps: denoising steps.
        neighbours: length of a shortlist.
        rate: chosen false-positive rate.
        report: where the report is written; beside `audit.json` where it is not given.
        on_image: told (images drawn, images in all).

    Raises:
        NotFoundError: no such model or manifest.
        InputError: a number is out of range, or the control shares images with the training set.
    """
    samples = sample_model(workspace, model, count, seed, steps, on_image)
    embedder = open_embedder(workspace.settings.embedder)
    audit, content = audit_model(workspace, model, control, samples, embedder, neighbours, rate)
    path = report or workspace.home / audit.folder / "report.html"
    write_report(workspace, [(audit, content, samples)], path)
    return FinishedAudit(audit, content, path)
