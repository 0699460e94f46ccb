"""An audit of one model: compare its samples, judge them by the control, write `audit.json`, log it.

Rules, in order:

1. `audit.json` is canonical JSON and holds no time and no path: the same model, control, samples and code give the same bytes.
2. The log entry names the digest of that file; whoever holds the file can prove that it is the one that was logged.
3. An audit that is recorded already is found, not repeated in the log.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlmodel import Session

from services.audit.comparison import Comparison, compare, match_against
from services.audit.controls import CalibratedModel, calibrate_model
from services.audit.sampling import Samples, load_samples
from shared.canonical import canonical_json, sha256_hex
from shared.clock import timestamp, utc_now
from shared.code_version import package_versions
from shared.errors import ConflictError, CorruptStateError, NotFoundError
from shared.files import save_atomically
from shared.ids import new_id
from shared.ledger.entries import Entry
from shared.ledger.log import Log
from shared.matching.intervals import Rate
from shared.records.items import load_owners
from shared.records.models import Audit, Model, find_audit
from shared.vision.embedding import Embedder
from shared.workspace import Workspace

# What the audit did to obtain the generations, in the words of Cooper and Grimmelmann (2024).
ATTACK = "ordinary sampling, one seed an image, no selection (regurgitation)"


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
        The audit's record, and the content of its `audit.json`.

    Raises:
        NotFoundError: no such model, manifest or samples.
        ConflictError: the samples are another model's.
    """
    calibrated = calibrate_model(workspace, model, control, embedder, neighbours)
    samples = load_samples(samples_folder)
    if samples.weights_sha256 != calibrated.model.weights_sha256:
        raise ConflictError(
            f"samples were drawn from weights {samples.weights_sha256}, the model has {calibrated.model.weights_sha256}",
            code="samples_of_other_model",
        )
    matches = match_against(calibrated.corpus, samples.images, embedder, neighbours)
    comparison = compare(calibrated.corpus, samples.images, calibrated.null, matches, rate)
    content = build_audit(calibrated, samples, comparison, rate)
    with workspace.reading() as session:
        content["owners"] = _named_owners(session, comparison)
    return _keep(workspace, calibrated, comparison, content), content


def build_audit(calibrated: CalibratedModel, samples: Samples, comparison: Comparison, rate: float) -> dict[str, Any]:
    """Build the content of `audit.json`."""
    model, training, control = calibrated.model, calibrated.training.manifest, calibrated.control.manifest
    return {
        "v": 1,
        "kind": "audit",
        "model": {
            "id": model.id,
            "name": model.name,
            "weights_sha256": model.weights_sha256,
            "config_sha256": model.config_sha256,
            "updates": model.updates,
            "updates_per_image": updates_per_image(model, training.size),
            "config": model.config,
            "resolution_px": model.resolution_px,
            "channels": model.channels,
        },
        "manifest": {"id": training.id, "name": training.name, "size": training.size, "root": training.root},
        "control": {"id": control.id, "name": control.name, "size": control.size, "root": control.root},
        "attack": ATTACK,
        "sampling": samples.settings,
        "pipeline": calibrated.null.pipeline,
        "calibration_sha256": calibrated.null.sha256,
        "requested_rate": rate,
        "attained_rate": comparison.attained_rate,
        "threshold": comparison.threshold,
        "copies": rate_json(comparison.copies),
        "distinct_items_copied": list(comparison.copied_items),
        "control_rate": rate_json(comparison.control_check.rate) | {"stated": comparison.control_check.stated_rate},
        "control_scores": list(comparison.null.scores),
        "generations": _generations(calibrated, samples, comparison),
        "packages": package_versions(),
    }


def updates_per_image(model: Model, manifest_size: int) -> float | None:
    """Return how often training showed the model each image, on average; unknown for a model trained elsewhere."""
    if model.updates is None:
        return None
    return float(model.updates * model.config["train_batch_size"] / manifest_size)


def rate_json(rate: Rate) -> dict[str, Any]:
    """Spell a rate: hits, trials, value and 95 % interval."""
    return asdict(rate) | {"value": rate.value}


def _generations(calibrated: CalibratedModel, samples: Samples, comparison: Comparison) -> list[dict[str, Any]]:
    matches = comparison.matches
    return [
        {
            "index": at,
            "seed": int(samples.seeds[at]),
            "item": calibrated.corpus.item_ids[int(matches.index[at])],
            "copy": bool(comparison.fired[at]),
            "p_value": float(comparison.p_values[at]),
            "metrics": matches.suite.row(at),
        }
        for at in range(len(samples.images))
    ]


def _named_owners(session: Session, comparison: Comparison) -> dict[str, list[str]]:
    """Party ids of the presumed owners of each copied item; names stay in the database."""
    owners = load_owners(session, list(comparison.copied_items))
    return {item_id: [party.id for _, party in named] for item_id, named in owners.items()}


def _keep(workspace: Workspace, calibrated: CalibratedModel, comparison: Comparison, content: dict[str, Any]) -> Audit:
    data = canonical_json(content)
    digest = sha256_hex(data)
    folder = f"audits/{calibrated.model.name}/{digest[:16]}"
    save_atomically(workspace.home / folder / "audit.json", data)
    with workspace.writing() as session:
        audit = find_audit(session, calibrated.model.id, digest)
        if audit is None:
            audit = _record(session, calibrated, comparison, folder, digest)
    workspace.log.integrate()
    return audit


def _record(session: Session, calibrated: CalibratedModel, comparison: Comparison, folder: str, digest: str) -> Audit:
    audit_id, now, model = new_id(), utc_now(), calibrated.model
    entry = Entry(
        type="audit.completed",
        at=timestamp(now),
        subject={"audit": audit_id, "model": model.id},
        body={
            "model_id": model.id,
            "control_manifest_id": calibrated.control.manifest.id,
            "generations": comparison.copies.trials,
            "copies": comparison.copies.hits,
            "distinct_items_copied": len(comparison.copied_items),
            "threshold": comparison.threshold,
            "attainable_rate": comparison.attained_rate,
            "report_sha256": digest,
        },
    )
    [entry_id] = Log.append(session, [entry])
    audit = Audit(
        id=audit_id,
        model_id=model.id,
        calibration_id=calibrated.calibration.id,
        folder=folder,
        report_sha256=digest,
        entry_id=entry_id,
        created_at=now,
    )
    session.add(audit)
    session.flush()
    return audit


def load_audit_content(workspace: Workspace, audit: Audit) -> dict[str, Any]:
    """Read an audit's `audit.json` and check its digest.

    Raises:
        CorruptStateError: the file is gone, or is not the one that was logged.
    """
    path = workspace.home / audit.folder / "audit.json"
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CorruptStateError(f"audit.json of audit {audit.id} is gone", code="audit_damaged") from error
    if sha256_hex(data) != audit.report_sha256:
        raise CorruptStateError(
            f"audit.json was changed: expected SHA-256 {audit.report_sha256}, got {sha256_hex(data)}", code="audit_damaged"
        )
    content: dict[str, Any] = json.loads(data)
    return content


def load_audit(workspace: Workspace, audit_id: str) -> Audit:
    """Return an audit's record.

    Raises:
        NotFoundError: there is none with this id.
    """
    with workspace.reading() as session:
        audit = session.get(Audit, audit_id)
    if audit is None:
        raise NotFoundError(f"no audit {audit_id!r}", code="audit_not_found")
    return audit
