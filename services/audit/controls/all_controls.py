"""The controls of an audit: what it must find and what it must not, sent through the pipeline of that very audit.

An audit is void where a control fails, whatever its figures. docs/methods/controls.md says what each control proves.
"""

from services.audit.comparison.context import AuditContext
from services.audit.controls.calibration import CalibratedModel
from services.audit.controls.exact_optimum import run_exact_optimum
from services.audit.controls.held_out import run_held_out
from services.audit.controls.outcome import ControlOutcome
from services.audit.controls.positive_control import run_positive_control
from services.audit.sampling.sample_shards import Samples


def run_controls(context: AuditContext, calibrated: CalibratedModel, samples: Samples) -> list[ControlOutcome]:
    """Send every control through the pipeline.

    Args:
        context: of the audit.
        calibrated: the model.
        samples: the generations of the audit; the exact optimum is sampled as they were.
    """
    return [
        run_positive_control(context, calibrated),
        run_exact_optimum(context, calibrated, samples),
        run_held_out(context, calibrated),
    ]
