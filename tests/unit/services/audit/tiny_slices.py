"""A sealed slice and its control, calibrated without any model: what comparisons, statistics and controls start from."""

from dataclasses import dataclass

import numpy as np

from services.audit.comparison.context import AuditContext
from services.audit.comparison.slice_calibration import SliceCalibration, calibrate_slice
from shared.records.manifests import Manifest, seal_manifest
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.views import Pixels, ViewRecipe
from shared.workspace import Workspace
from tests.support.factories import png, register

RECIPE = ViewRecipe(resolution_px=16, channels=3)
SLICE, CONTROL = 6, 12


@dataclass(frozen=True)
class TinySlice:
    """The context of an audit, the manifests, and the calibration of the slice."""

    context: AuditContext
    training: Manifest
    control: Manifest
    calibration: SliceCalibration

    def noisy_copies(self) -> Pixels:
        """Return every training view with slight noise, uint8 (6, 3, 16, 16)."""
        views = np.asarray(self.calibration.corpus.side.views).astype(int)
        return np.clip(views + np.random.default_rng(0).integers(-2, 3, views.shape), 0, 255).astype(np.uint8)


def build_slice(workspace: Workspace) -> TinySlice:
    """Register pictures, seal a slice of 6 and a control of 12, and calibrate the slice."""
    ids = [register(workspace, f"{number:02d}.png", png(number)).id for number in range(SLICE + CONTROL)]
    with workspace.writing() as session:
        training = seal_manifest(session, "slice", "train", ids[:SLICE])
        control = seal_manifest(session, "control", "control", ids[SLICE:])
    context = AuditContext(workspace, "control", PixelEmbedder(16), 1000, 0.05)
    return TinySlice(context, training, control, calibrate_slice(context, "slice", RECIPE))
