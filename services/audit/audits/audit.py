"""An audit of one model: match its samples, judge them by the control, write `audit.json`, log it.

Rules, in order:

1. `audit.json` is canonical JSON and holds no time and no path. The same model, control, samples and code give the same bytes.
2. The log entry names the digest of that file. Whoever holds the file can prove that it is the one that was logged.
3. An audit that is recorded already is found, not logged again.
4. Beside it stands `results.parquet`, whose digest it names, and `pairs.parquet` where it is asked for (`pair_files`). Near
   copies in the control are listed in `near-copies.csv`.
5. An audit whose controls failed is recorded as failed. Its entry has a type of its own and states none of its figures.
"""

from pathlib import Path
from typing import Any

from sqlmodel import Session

from services.audit.audits.attacks import Attack, all_generations, extracted_generations
from services.audit.audits.audit_content import build_audit_content
from services.audit.audits.pair_files import PAIRS_FILE, RESULTS_FILE, build_results, describe_results, write_pairs
from services.audit.comparison.compare import Comparison, compare
from services.audit.comparison.context import AuditContext
from services.audit.controls.all_controls import run_controls
from services.audit.controls.calibration import CalibratedModel, calibrate_model, record_calibration
from services.audit.controls.outcome import ControlOutcome, failed_checks, verify_relied_on
from services.audit.sampling.sample_shards import Samples, load_samples
from services.audit.sealing.near_copies import NEAR_COPIES_FILE, NearCopies, list_near_copies
from services.audit.statistics.summary import build_statistics
from shared.canonical import canonical_json, sha256_hex
from shared.clock import utc_now
from shared.errors import ConflictError
from shared.files import save_atomically
from shared.ids import new_id
from shared.ledger.bodies import AuditCompleted, AuditFailed, FailedControl
from shared.ledger.entries import build_entry
from shared.records.entry_rows import append_and_add
from shared.records.item_owners import load_owners
from shared.records.models import Audit, find_audit
from shared.workspace import Workspace


def audit_model(context: AuditContext, model: str, samples_folder: Path) -> tuple[Audit, dict[str, Any]]:
    """Audit a model.

    Args:
        context: how models are audited.
        model: name or id of the model.
        samples_folder: what `sampling.sample` wrote for this model.

    Returns:
        The audit's record, and the content of its `audit.json`. Its `state` is `failed` in both where a control failed.

    Raises:
        NotFoundError: no such model, manifest or samples.
        ConflictError: the samples are another model's.
        InputError: the control shares images with the training set, or the rules relied on lack the headline's or are unknown.
    """
    return audit_calibrated(context, calibrate_model(context, model), samples_folder)


def audit_calibrated(context: AuditContext, calibrated: CalibratedModel, samples_folder: Path) -> tuple[Audit, dict[str, Any]]:
    """Audit a model whose control is matched already; answer and errors as for `audit_model`."""
    if context.relied_on is not None:
        verify_relied_on(context.relied_on, context.embedder.name)
    return _audit(context, calibrated, all_generations(_load_samples_of(calibrated, samples_folder)))


def audit_extraction(
    context: AuditContext, model: str, samples_folder: Path, *, clique_size: int, distance: float
) -> tuple[Audit, dict[str, Any]] | None:
    """Audit what many generations of a model share (`extraction`); other arguments, answer and errors as for `audit_model`.

    Args:
        clique_size: least number of generations that share a picture.
        distance: within which two generations are near identical, scale 0..1.

    Returns:
        None where no picture is shared so often: there is nothing to compare, and nothing is recorded.
    """
    calibrated = calibrate_model(context, model)
    attack = extracted_generations(_load_samples_of(calibrated, samples_folder), clique_size, distance)
    return _audit(context, calibrated, attack) if len(attack.positions) > 0 else None


def _load_samples_of(calibrated: CalibratedModel, folder: Path) -> Samples:
    samples = load_samples(folder)
    if samples.weights_sha256 != calibrated.model.weights_sha256:
        raise ConflictError(
            f"samples were drawn from weights {samples.weights_sha256}, the model has {calibrated.model.weights_sha256}",
            code="samples_of_other_model",
        )
    return samples


def _audit(context: AuditContext, calibrated: CalibratedModel, attack: Attack) -> tuple[Audit, dict[str, Any]]:
    generations = context.match(calibrated.corpus, attack.images)
    comparison = compare(calibrated, generations, context.rate)
    controls = run_controls(context, calibrated, attack.samples)
    content = build_audit_content(context, calibrated, attack, comparison, controls)
    updates_per_image = content["model"]["updates_per_image"]
    content["statistics"] = build_statistics(calibrated, generations, comparison, context.embedder, updates_per_image)
    content["owners"] = _presumed_owners(context.workspace, comparison)
    results = build_results(content, comparison.panel)
    content["results"] = describe_results(results, content)
    audit = _save(context.workspace, calibrated, controls, content, results)
    near = _list_near_copies(calibrated)
    if near:
        near.save(context.workspace.home / audit.folder / NEAR_COPIES_FILE)
    if context.all_pairs:
        path = context.workspace.home / audit.folder / PAIRS_FILE
        write_pairs(path, calibrated.corpus, generations, attack.positions, audit.report_sha256)
    return audit, content


def _list_near_copies(calibrated: CalibratedModel) -> NearCopies:
    control = calibrated.matched_control
    rows = control.matches.index
    # A corpus may hold an item in several ways of preparing it, a row each.
    items = {item.id: item for item in calibrated.training.items}
    matches = [items[calibrated.corpus.item_ids[row]] for row in rows]
    hashes = calibrated.corpus.side.hashes[rows]
    return list_near_copies(calibrated.control.items, matches, control.matches.ssim, control.evidence.hashes, hashes)


def _presumed_owners(workspace: Workspace, comparison: Comparison) -> dict[str, list[str]]:
    """Return the party ids of the presumed owners of each copied item; names stay in the database."""
    with workspace.reading() as session:
        owners = load_owners(session, list(comparison.copied_items))
    return {item_id: [party.id for _, party in rows] for item_id, rows in owners.items()}


def _save(
    workspace: Workspace,
    calibrated: CalibratedModel,
    controls: list[ControlOutcome],
    content: dict[str, Any],
    results: bytes,
) -> Audit:
    data = canonical_json(content)
    digest = sha256_hex(data)
    folder = f"audits/{calibrated.model.name}/{digest[:16]}"
    save_atomically(workspace.home / folder / RESULTS_FILE, results)
    save_atomically(workspace.home / folder / "audit.json", data)
    with workspace.writing() as session:
        audit = find_audit(session, calibrated.model.id, digest)
        if audit is None:
            calibration = record_calibration(session, calibrated, controls, content["requested_rate"])
            body = _build_body(calibrated, controls, content, digest)
            audit = _record(session, body, calibration.id, folder)
    workspace.log.integrate()
    return audit


def _build_body(
    calibrated: CalibratedModel, controls: list[ControlOutcome], content: dict[str, Any], digest: str
) -> AuditCompleted | AuditFailed:
    common: dict[str, Any] = {
        "model_id": calibrated.model.id,
        "control_manifest_id": calibrated.control.manifest.id,
        "generations": content["copies"]["trials"],
        "report_sha256": digest,
        "attack": content["attack_kind"],
    }
    failed = failed_checks(controls, content["relied_on"])
    if failed:
        return AuditFailed(**common, failed_controls=[FailedControl(control=name, rule=check.rule) for name, check in failed])
    return AuditCompleted(
        **common,
        copies=content["copies"]["hits"],
        distinct_items_copied=len(content["distinct_items_copied"]),
        threshold=content["threshold"],
        attainable_rate=content["attained_rate"],
    )


def _record(session: Session, body: AuditCompleted | AuditFailed, calibration_id: str, folder: str) -> Audit:
    audit_id = new_id()
    return append_and_add(
        session,
        build_entry(body, at=utc_now(), subject={"audit": audit_id, "model": body.model_id}),
        lambda entry_id: Audit(
            id=audit_id,
            model_id=body.model_id,
            calibration_id=calibration_id,
            folder=folder,
            state="failed" if isinstance(body, AuditFailed) else "completed",
            report_sha256=body.report_sha256,
            entry_id=entry_id,
        ),
    )
