"""An audit of one model: compare its samples, judge them by the control, write `audit.json`, log it.

Rules, in order:

1. `audit.json` is canonical JSON and holds no time and no path: the same model, control, samples and code give the same bytes.
2. The log entry names the digest of that file; whoever holds the file can prove that it is the one that was logged.
3. An audit that is recorded already is found, not repeated in the log.
4. Beside it stands `results.parquet`, whose digest it names; `pairs.parquet` where it is asked for (`pair_files`).
5. An audit whose controls came out wrong is recorded as failed, by an entry of its own that states no figure of it.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlmodel import Session

from services.audit.audits.attacks import Attack, all_generations, extracted_generations
from services.audit.audits.audit_content import build_audit
from services.audit.audits.pair_files import PAIRS_FILE, RESULTS_FILE, build_results, describe_results, write_pairs
from services.audit.comparison.compare import Comparison, Match, compare, embed_views, match_against
from services.audit.controls import (
    CalibratedModel,
    ControlOutcome,
    calibrate_model,
    failed_checks,
    record_calibration,
    run_controls,
    verify_relied_on,
)
from services.audit.sampling.sample_shards import Samples, load_samples
from services.audit.statistics.summary import build_statistics
from shared.canonical import canonical_json, sha256_hex
from shared.clock import utc_now
from shared.errors import ConflictError
from shared.files import save_atomically
from shared.ids import new_id
from shared.ledger.bodies import AuditCompleted, AuditFailed, FailedControl
from shared.ledger.entries import build_entry
from shared.records.entry_rows import append_and_add
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
    *,
    all_pairs: bool = False,
    match: Match = match_against,
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
        all_pairs: write `pairs.parquet` as well.
        match: matches generations and control.

    Returns:
        The audit's record, and the content of its `audit.json`; `state` in both is `failed` where a control came out wrong.

    Raises:
        NotFoundError: no such model, manifest or samples.
        ConflictError: the samples are another model's.
    """
    calibrated = calibrate_model(workspace, model, control, embedder, neighbours, match=match)
    return audit_calibrated(
        workspace, calibrated, samples_folder, embedder, neighbours, rate, all_pairs=all_pairs, match=match
    )


def audit_calibrated(
    workspace: Workspace,
    calibrated: CalibratedModel,
    samples_folder: Path,
    embedder: Embedder,
    neighbours: int,
    rate: float,
    *,
    all_pairs: bool = False,
    relied_on: Collection[str] | None = None,
    match: Match = match_against,
) -> tuple[Audit, dict[str, Any]]:
    """Audit a model whose control is measured already; other arguments, answer and errors as for `audit_model`.

    Args:
        relied_on: rules that the audit's figures rest on; it is void where a control fails by one. None is every rule.

    Raises:
        InputError: `relied_on` lacks the headline's rule, or names one that the panel has not.
    """
    if relied_on is not None:
        verify_relied_on(relied_on, embedder.name)
    attack = all_generations(_load_samples_of(calibrated, samples_folder))
    return _audit(
        workspace, calibrated, attack, embedder, neighbours, rate, all_pairs=all_pairs, relied_on=relied_on, match=match
    )


def audit_extraction(
    workspace: Workspace,
    model: str,
    control: str,
    samples_folder: Path,
    embedder: Embedder,
    neighbours: int,
    rate: float,
    *,
    clique_size: int,
    distance: float,
    all_pairs: bool = False,
    match: Match = match_against,
) -> tuple[Audit, dict[str, Any]] | None:
    """Audit what many generations of a model share (`extraction`); other arguments, answer and errors as for `audit_model`.

    Args:
        clique_size: least number of generations that share a picture.
        distance: within which two generations are near identical, scale 0..1.

    Returns:
        None where no picture is shared so often: there is nothing to compare, and nothing is recorded.
    """
    calibrated = calibrate_model(workspace, model, control, embedder, neighbours, match=match)
    samples = _load_samples_of(calibrated, samples_folder)
    attack = extracted_generations(samples, clique_size, distance)
    if len(attack.positions) == 0:
        return None
    return _audit(workspace, calibrated, attack, embedder, neighbours, rate, all_pairs=all_pairs, match=match)


def _load_samples_of(calibrated: CalibratedModel, folder: Path) -> Samples:
    samples = load_samples(folder)
    if samples.weights_sha256 != calibrated.model.weights_sha256:
        raise ConflictError(
            f"samples were drawn from weights {samples.weights_sha256}, the model has {calibrated.model.weights_sha256}",
            code="samples_of_other_model",
        )
    return samples


def _audit(
    workspace: Workspace,
    calibrated: CalibratedModel,
    attack: Attack,
    embedder: Embedder,
    neighbours: int,
    rate: float,
    *,
    all_pairs: bool,
    relied_on: Collection[str] | None = None,
    match: Match = match_against,
) -> tuple[Audit, dict[str, Any]]:
    matched = match(calibrated.corpus, attack.images, embedder, neighbours)
    comparison = compare(calibrated.corpus, matched, calibrated.control_matched, calibrated.scores, rate)
    controls = run_controls(workspace, calibrated, attack.samples, embedder, rate)
    content = build_audit(calibrated, attack, comparison, controls, rate, relied_on)
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
    results = build_results(content, comparison.panel)
    content["results"] = describe_results(results, content)
    audit = _keep(workspace, calibrated, controls, content, results)
    if all_pairs:
        path = workspace.home / audit.folder / PAIRS_FILE
        write_pairs(path, calibrated.corpus, matched, attack.positions, audit.report_sha256)
    return audit, content


def _named_owners(session: Session, comparison: Comparison) -> dict[str, list[str]]:
    """Party ids of the presumed owners of each copied item; names stay in the database."""
    owners = load_owners(session, list(comparison.copied_items))
    return {item_id: [party.id for _, party in named] for item_id, named in owners.items()}


def _keep(
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
            audit = _record(session, body, calibrated, calibration.id, folder)
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


def _record(
    session: Session, body: AuditCompleted | AuditFailed, calibrated: CalibratedModel, calibration_id: str, folder: str
) -> Audit:
    audit_id = new_id()
    return append_and_add(
        session,
        build_entry(body, at=utc_now(), subject={"audit": audit_id, "model": calibrated.model.id}),
        lambda entry_id: Audit(
            id=audit_id,
            model_id=calibrated.model.id,
            calibration_id=calibration_id,
            folder=folder,
            state="failed" if isinstance(body, AuditFailed) else "completed",
            report_sha256=body.report_sha256,
            entry_id=entry_id,
        ),
    )
