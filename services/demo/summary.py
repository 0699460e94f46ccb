"""The demo's figures as JSON: the same as in the report."""

from collections.abc import Sequence
from typing import Any

from services.audit.reports.plots import median_ssim
from shared.workspace import Workspace


def build_summary(
    workspace: Workspace, contents: Sequence[dict[str, Any]], checks: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Gather the figures of the demo.

    Args:
        workspace: of the demo.
        contents: contents of `audit.json`, one a model.
        checks: the gate's answers.
    """
    checkpoint = workspace.log.checkpoint()
    return {
        "models": [_model(content) for content in contents],
        "gate": [_check(check) for check in checks],
        "log": {"size": checkpoint.size, "root": checkpoint.root.hex()},
    }


def _model(content: dict[str, Any]) -> dict[str, Any]:
    copies, control = content["copies"], content["control_rate"]
    return {
        "name": content["model"]["name"],
        "audit_state": content["state"],
        "controls_passed": {control["name"]: control["passed"] for control in content["controls"]},
        "manifest_size": content["manifest"]["size"],
        "manifest_root": content["manifest"]["root"],
        "updates": content["model"]["updates"],
        "updates_per_image": content["model"]["updates_per_image"],
        "generations": copies["trials"],
        "copies": copies["hits"],
        "copy_rate": copies["value"],
        "interval": [copies["low"], copies["high"]],
        "distinct_items_copied": len(content["distinct_items_copied"]),
        "control_size": control["trials"],
        "control_hits": control["hits"],
        "control_rate": control["value"],
        "control_interval": [control["low"], control["high"]],
        "control_rate_expected": control["stated"],
        "threshold": content["threshold"],
        "attained_rate": content["attained_rate"],
        "requested_rate": content["requested_rate"],
        "median_best_ssim": median_ssim(content),
        "highest_control_ssim": max(content["control_scores"]),
    }


def _check(check: dict[str, Any]) -> dict[str, Any]:
    answer = check["answer"]
    return {
        "subject": check["subject"],
        "decision": answer["decision"],
        "model": answer["model"],
        "ssim": answer["metrics"]["ssim"],
        "rule": answer["rule"],
        "score": answer["score"],
        "threshold": answer["threshold"],
        "p_value": answer["p_value"],
        "item": answer["match"]["id"],
        "receipt_verified": check["verified"],
    }
