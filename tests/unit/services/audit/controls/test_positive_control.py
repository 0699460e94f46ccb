"""The positive control: noisy copies of training pictures, each with the row of its original."""

import numpy as np

from services.audit.controls.positive_control import COPIES, draw_noisy_copies
from services.audit.training_sets.sealed_set import load_sealed_set, load_views, open_view_store
from shared.records.manifests import seal_manifest
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace
from tests.support.factories import png, register

RECIPE = ViewRecipe(resolution_px=16, channels=3)


def test_copies_are_near_their_originals_and_come_again(workspace: Workspace) -> None:
    ids = [register(workspace, f"{number}.png", png(number)).id for number in range(5)]
    with workspace.writing() as session:
        seal_manifest(session, "slice", "train", ids)
    sealed, store = load_sealed_set(workspace, "slice"), open_view_store(workspace)
    copies, rows = draw_noisy_copies(store, sealed, RECIPE)
    assert rows.tolist() == list(range(5))
    assert (copies.dtype, copies.shape) == (np.dtype(np.uint8), (5, 3, 16, 16))
    difference = copies.astype(int) - load_views(workspace, sealed, RECIPE)
    assert 0 < np.abs(difference).max() <= 6
    assert 0.5 < difference.std() < 1.5
    assert np.array_equal(draw_noisy_copies(store, sealed, RECIPE)[0], copies)
    assert len(copies) < COPIES
