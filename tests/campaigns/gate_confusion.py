"""What the gate does with copies that an audit found and with held-out pictures.

Run as `python -m tests.campaigns.gate_confusion HOME`. HOME is a workspace with audited models and
their samples, as `sleeve demo` (its `state`) and `sleeve audit study` leave it.

Rules, in order:

1. Nothing is written to HOME: database, log, keys and index are copied, blobs are linked. The policy is adopted in the copy.
2. The control that a model was audited with is halved by position. The gate is calibrated on the even half; the odd half,
   which no threshold has seen, is sent through it as its files are.
3. Copies are the generations that the audit calls copies (best SSIM above its whole control), sent as PNG. What the audit
   does not call copies is counted beside them; nothing says that it is none.
4. The right item is the one that the audit named, or another of the duplicate cluster that the gate names; the right owner is
   one of that item's owners.
5. Shares have Wilson's 95 % interval; the rate that the halved control can attain stands beside the share of held-out pictures
   that were flagged. A pair of model and control is judged once, by its newest audit.

Writes docs/results/gate-confusion.json under the name given by `--name`.
"""

import argparse
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.audit.comparison.context import AuditContext
from services.audit.controls.calibration import calibrate_model, record_calibration
from services.audit.sampling.sample_shards import load_samples
from services.audit.training_sets.sealed_set import load_sealed_set
from services.output_gate.checks.service import check_generations
from services.output_gate.gate import Gate
from services.output_gate.opening import open_gate
from services.output_gate.policy.policy import DEFAULT_POLICY, load_policy_file
from shared.errors import InputError, SleeveError
from shared.matching.calibration.rate_intervals import build_rate
from shared.records.checks import Check
from shared.records.item_owners import load_owners
from shared.records.manifests import seal_manifest
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.bench.gate_corpus import encode_view
from tests.campaigns.results import save_figures

LINKED, LEFT_OUT = ("blobs",), ("samples", "models", "audits", "studies")


def copy_workspace(home: Path, folder: Path) -> Workspace:
    """Copy a workspace as far as the gate needs it."""
    shutil.copytree(home, folder, ignore=lambda at, _: [*LINKED, *LEFT_OUT] if Path(at) == home else [])
    for name in LINKED:
        (folder / name).symlink_to((home / name).resolve())
    return open_workspace(Settings(home=folder, database_url=None))


def newest_audits(home: Path) -> list[dict[str, Any]]:
    """Return the newest audit of each pair of model and control."""
    files = sorted(home.glob("audits/*/*/audit.json"), key=lambda path: path.stat().st_mtime)
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return list({(content["model"]["name"], content["control"]["name"]): content for content in contents}.values())


def load_generations(home: Path, content: dict[str, Any]) -> list[bytes]:
    """Return the audited generations as PNG, in the audit's order."""
    count = len(content["generations"])
    for folder in sorted((home / "samples" / content["model"]["name"]).iterdir()):
        samples = load_samples(folder)
        if samples.weights_sha256 == content["model"]["weights_sha256"] and len(samples.images) == count:
            return [encode_view(samples.images[generation["index"]]) for generation in content["generations"]]
    raise InputError(f"no samples of {content['model']['name']} with {count} images of its weights")


def judge(gate: Gate, home: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Send one model's generations and the odd half of its control through the gate."""
    workspace, name = gate.workspace, content["model"]["name"]
    control = load_sealed_set(workspace, content["control"]["name"])
    even = f"{content['control']['name']}-even"
    with workspace.writing() as session:
        seal_manifest(session, even, "control", [item.id for item in control.items[::2]])
    workspace.log.integrate()
    rate = content["requested_rate"]
    context = AuditContext(workspace, even, gate.embedder, content["pipeline"]["neighbours"], rate)
    calibrated = calibrate_model(context, name)
    with workspace.writing() as session:
        # Newer than that of the audit, so the gate decides by it; nothing here finds a rule unsound.
        recorded = record_calibration(session, calibrated, (), rate)
    held_out = [workspace.blobs.load(item.blob_sha256) for item in control.items[1::2]]
    generations = load_generations(home, content)
    copied = [at for at, generation in enumerate(content["generations"]) if generation["copy"]]
    others = [at for at, generation in enumerate(content["generations"]) if not generation["copy"]]
    copies = check(gate, name, [generations[at] for at in copied])
    passed = check(gate, name, held_out)
    rest = check(gate, name, [generations[at] for at in others])
    truths = [content["generations"][at]["item"] for at in copied]
    cited = {check.result["calibration_sha256"] for check in (*copies, *passed, *rest) if check.decision != "undecided"}
    if not cited <= {recorded.sha256}:
        raise SystemExit(f"expected decisions by calibration {recorded.sha256}, got {sorted(cited)}")
    attained = {check.result["attained_rate"] for check in (*copies, *passed) if check.decision != "undecided"}
    return {
        "model": name,
        "control_calibrated": len(control.items[::2]),
        "stated_rate": max(attained, default=None),
        "copies": tally(copies) | right_ones(gate, copies, truths),
        "held_out": tally(passed),
        "not_copies_by_the_audit": tally(rest),
    }


def check(gate: Gate, model: str, images: Sequence[bytes]) -> list[Check]:
    """Check generations; an error ends the run."""
    outcomes = check_generations(gate, model, images)
    for outcome in outcomes:
        if isinstance(outcome, SleeveError):
            raise outcome
    return [outcome for outcome in outcomes if isinstance(outcome, Check)]


def tally(checks: Sequence[Check]) -> dict[str, Any]:
    """Count decisions."""
    counts = Counter(check.decision for check in checks)
    reasons = Counter(check.result["reason"] for check in checks if check.decision == "undecided")
    return {"checks": len(checks)} | {name: counts[name] for name in ("flag", "clear", "undecided")} | (
        {"undecided_for": dict(reasons)} if reasons else {}
    )  # fmt: skip


def right_ones(gate: Gate, checks: Sequence[Check], truths: Sequence[str]) -> dict[str, int]:
    """Count the flags that name the right item, and the right owner."""
    flagged = [(check, truth) for check, truth in zip(checks, truths, strict=True) if check.decision == "flag"]
    named = {check.result["matches"][0]["id"] for check, _ in flagged}
    with gate.workspace.reading() as session:
        owners = load_owners(session, sorted(named | {truth for _, truth in flagged}))
    people = {item: {party.id for _, party in parties} for item, parties in owners.items()}
    return {
        "right_item": sum(truth in check.result["cluster"] for check, truth in flagged),
        "right_owner": sum(bool(people[check.result["matches"][0]["id"]] & people[truth]) for check, truth in flagged),
    }


def sum_up(models: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add the models up, and give shares with intervals."""
    copies = Counter[str]()
    held_out = Counter[str]()
    for model in models:
        copies.update({name: count for name, count in model["copies"].items() if isinstance(count, int)})
        held_out.update({name: count for name, count in model["held_out"].items() if isinstance(count, int)})
    flagged, allowed = held_out["flag"], held_out["checks"]
    expected = sum(model["stated_rate"] * model["held_out"]["checks"] for model in models if model["stated_rate"] is not None)
    return {
        "copies": dict(copies),
        "copies_flagged": build_rate(copies["flag"], copies["checks"]).__dict__ if copies["checks"] else None,
        "flags_with_the_right_item": build_rate(copies["right_item"], copies["flag"]).__dict__ if copies["flag"] else None,
        "flags_with_the_right_owner": build_rate(copies["right_owner"], copies["flag"]).__dict__ if copies["flag"] else None,
        "held_out": dict(held_out),
        "held_out_flagged": build_rate(flagged, allowed).__dict__ if allowed else None,
        "held_out_flags_expected_at_the_stated_rates": round(expected, 2),
    }


def main() -> None:
    """Judge every audited model of a workspace, and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("home", type=Path)
    parser.add_argument("--name", default="demo", help="what the table is kept under")
    parser.add_argument("--policy", type=Path, default=DEFAULT_POLICY, help="what decides; the shipped one by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = copy_workspace(options.home, Path(folder) / "home")
        policy = load_policy_file(options.policy)
        gate = open_gate(workspace, policy, patience_seconds=None)
        models = [judge(gate, options.home, content) for content in newest_audits(options.home)]
        gate.close()
        workspace.engine.dispose()
    description = {
        "policy": f"{policy.name} v{policy.version}",
        "rules": policy.deciding_rules,
        "embedder": Settings().embedder,
    }
    save_figures("gate-confusion", options.name, {"all": sum_up(models), "models": models} | description)


if __name__ == "__main__":
    main()
