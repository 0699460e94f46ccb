"""The controls of an audit: what it must and must not find, measured through the very pipeline that generations take.

An audit whose controls come out wrong is void, whatever its figures; docs/methods/controls.md says what each one proves.
"""

from services.audit.controls.all_controls import run_controls
from services.audit.controls.calibration import (
    CalibratedModel,
    MeasuredSlice,
    calibrate_by,
    calibrate_model,
    measure_slice,
    record_calibration,
)
from services.audit.controls.outcome import ControlCheck, ControlOutcome, failed_checks, verify_relied_on

__all__ = [
    "CalibratedModel",
    "ControlCheck",
    "ControlOutcome",
    "MeasuredSlice",
    "calibrate_by",
    "calibrate_model",
    "failed_checks",
    "measure_slice",
    "record_calibration",
    "run_controls",
    "verify_relied_on",
]
