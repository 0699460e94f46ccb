"""Canonical views and their store: one recipe, one digest, rebuilt when damaged."""

import numpy as np
from PIL import Image

from shared.vision.views import ViewRecipe, build_view, view_to_image
from tests.support.factories import picture

RECIPE = ViewRecipe(resolution_px=16, channels=3)


def test_a_view_is_the_centre_square_resized() -> None:
    wide = Image.new("RGB", (60, 20), "white")
    wide.paste(Image.new("RGB", (20, 20), "black"), (20, 0))
    assert build_view(wide, RECIPE).shape == (3, 16, 16)
    assert build_view(wide, RECIPE).max() < 40


def test_a_view_at_its_own_size_is_unchanged() -> None:
    original = picture(1, 16)
    view = build_view(original, RECIPE)
    np.testing.assert_array_equal(view.transpose(1, 2, 0), np.asarray(original))
    np.testing.assert_array_equal(np.asarray(view_to_image(view)), np.asarray(original))


def test_recipes_differ_by_digest() -> None:
    recipes = [RECIPE, ViewRecipe(resolution_px=16, channels=1), ViewRecipe(resolution_px=8, channels=3)]
    assert len({recipe.sha256 for recipe in recipes}) == 3
