"""An audit of one model: compare its samples, judge them by the control, write `audit.json`, log it.

Rules, in order:

1. `audit.json` is canonical JSON and holds no time and no path: the same model, control, samples and code give the same bytes.
2. The log entry names the digest of that file; whoever holds the file can prove that it is the one that was logged.
3. An audit that is recorded already is found, not repeated in the log.
4. An audit whose controls came out wrong is recorded as failed, by an entry of its own that states no figure of it.
"""

from pathlib import Path
from typing import Any

from sqlmodel import Session

from services.audit.audit_content import build_audit
from services.audit.comparison import Comparison, compare, embed_views, match_against
from services.audit.controls import (
    CalibratedModel,
    ControlOutcome,
    calibrate_model,
    failed_checks,
    record_calibration,
    run_controls,
)
from services.audit.sampling import load_samples
from services.audit.statistics.summary import build_statistics
from shared.canonical import canonical_json, sha256_hex
from shared.clock import timestamp, utc_now
from shared.errors import ConflictError
from shared.files import save_atomically
from shared.ids import new_id
from shared.ledger.entries import Entry
from shared.ledger.log import Log
from shared.records.items import load_owners
from shared.records.models import Audit, find_audit
from shared.vision.embedding import Embedder
from shared.workspace import Workspace


def audit_model(
    workspace: Workspace,
    model: str,
    control: str,
    samples_folder: Path,
    embedder: Embedder,
    neighbours: int,
    rate: float,
) -> tuple[Audit, dict[str, Any]]:
    """Audit a model.

    Args:
        workspace: where model and manifests are.
        model: name or id of the model.
        control: name or id of the held-out manifest.
        samples_folder: what `sampling.sample` wrote for this model.
        embedder: makes the shortlists.
        neighbours: length of a shortlist.
        rate: chosen false-positive rate.

    Returns:
        The audit's record, and the content of its `audit.json`; `state` in both is `failed` where a control came out wrong.

    Raises:
        NotFoundError: no such model, manifest or samples.
        ConflictError: the samples are another model's.
    """
    calibrated = calibrate_model(workspace, model, control, embedder, neighbours)
    return audit_calibrated(workspace, calibrated, samples_folder, embedder, neighbours, rate)


def audit_calibrated(
    workspace: Workspace,
    calibrated: CalibratedModel,
    samples_folder: Path,
    embedder: Embedder,
    neighbours: int,
    rate: float,
) -> tuple[Audit, dict[str, Any]]:
    """Audit a model whose control is measured already; arguments, answer and errors as for `audit_model`."""
    samples = load_samples(samples_folder)
    if samples.weights_sha256 != calibrated.model.weights_sha256:
        raise ConflictError(
            f"samples were drawn from weights {samples.weights_sha256}, the model has {calibrated.model.weights_sha256}",
            code="samples_of_other_model",
        )
    matched = match_against(calibrated.corpus, samples.images, embedder, neighbours)
    comparison = compare(calibrated.corpus, matched, calibrated.control_matched, calibrated.scores, rate)
    controls = run_controls(workspace, calibrated, samples, embedder, rate)
    content = build_audit(calibrated, samples, comparison, controls, rate)
    content["statistics"] = build_statistics(
        calibrated.corpus,
        embed_views(calibrated.corpus.side.views, embedder),
        matched,
        calibrated.control_matched,
        comparison,
        content["model"]["updates_per_image"],
    )
    with workspace.reading() as session:
        content["owners"] = _named_owners(session, comparison)
    return _keep(workspace, calibrated, comparison, controls, content), content


def _named_owners(session: Session, comparison: Comparison) -> dict[str, list[str]]:
    """Party ids of the presumed owners of each copied item; names stay in the database."""
    owners = load_owners(session, list(comparison.copied_items))
    return {item_id: [party.id for _, party in named] for item_id, named in owners.items()}


def _keep(
    workspace: Workspace,
    calibrated: CalibratedModel,
    comparison: Comparison,
    controls: list[ControlOutcome],
    content: dict[str, Any],
) -> Audit:
    data = canonical_json(content)
    digest = sha256_hex(data)
    folder = f"audits/{calibrated.model.name}/{digest[:16]}"
    save_atomically(workspace.home / folder / "audit.json", data)
    with workspace.writing() as session:
        audit = find_audit(session, calibrated.model.id, digest)
        if audit is None:
            failed = {check.rule for _, check in failed_checks(controls)}
            calibration = record_calibration(session, calibrated, failed, content["requested_rate"])
            entry = _build_entry(new_id(), calibrated, comparison, controls, digest)
            audit = _record(session, entry, calibrated, calibration.id, folder)
    workspace.log.integrate()
    return audit


def _build_entry(
    audit_id: str, calibrated: CalibratedModel, comparison: Comparison, controls: list[ControlOutcome], digest: str
) -> Entry:
    body: dict[str, Any] = {
        "model_id": calibrated.model.id,
        "control_manifest_id": calibrated.control.manifest.id,
        "generations": comparison.copies.trials,
        "report_sha256": digest,
    }
    failed = [{"control": control, "rule": check.rule} for control, check in failed_checks(controls)]
    if failed:
        found: dict[str, Any] = {"failed_controls": failed}
    else:
        found = {
            "copies": comparison.copies.hits,
            "distinct_items_copied": len(comparison.copied_items),
            "threshold": comparison.threshold,
            "attainable_rate": comparison.attained_rate,
        }
    return Entry(
        type="audit.failed" if failed else "audit.completed",
        at=timestamp(utc_now()),
        subject={"audit": audit_id, "model": calibrated.model.id},
        body=body | found,
    )


def _record(session: Session, entry: Entry, calibrated: CalibratedModel, calibration_id: str, folder: str) -> Audit:
    [entry_id] = Log.append(session, [entry])
    audit = Audit(
        id=entry.subject["audit"],
        model_id=calibrated.model.id,
        calibration_id=calibration_id,
        folder=folder,
        state="failed" if entry.type == "audit.failed" else "completed",
        report_sha256=entry.body["report_sha256"],
        entry_id=entry_id,
    )
    session.add(audit)
    session.flush()
    return audit
