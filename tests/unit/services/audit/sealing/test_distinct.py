"""Which pictures a study may draw."""

import numpy as np
import pytest

from services.audit.sealing.distinct import ALIKE_SSIM, NearCopy, find_alike, find_distinct
from shared.errors import InputError
from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.views import Pixels

EMBEDDER = PixelEmbedder(16)


def views_with_likenesses() -> Pixels:
    """Twelve pictures, and of the first four a copy each with two grey levels of noise."""
    random = np.random.default_rng(3)
    views = random.integers(0, 256, (12, 1, 24, 24), dtype=np.uint8)
    noisy = np.clip(views[:4].astype(int) + random.integers(-2, 3, (4, 1, 24, 24)), 0, 255).astype(np.uint8)
    return np.concatenate([views, noisy])


def test_a_likeness_is_left_out_and_the_first_of_the_two_stays() -> None:
    views = views_with_likenesses()
    found = find_distinct([f"{at:064x}" for at in range(len(views))], views, EMBEDDER, 5)
    assert found.rows.tolist() == list(range(12))
    assert [(near.row, near.kept_row) for near in found.near_copies] == [(12, 0), (13, 1), (14, 2), (15, 3)]
    assert all(ALIKE_SSIM <= near.ssim < 1 for near in found.near_copies)
    assert sum(size * count for size, count in found.cluster_sizes.items()) == len(views)


def test_flat_pictures_that_hashes_say_nothing_of_are_left_out_too() -> None:
    # Almost black pictures, as small sprites are: PDQ is undefined for them, SSIM is not.
    dark = np.zeros((3, 1, 24, 24), np.uint8)
    dark[1, 0, 12, 12], dark[2, 0, 4, 4] = 2, 2
    views = np.concatenate([dark, views_with_likenesses()[:4]])
    found = find_distinct([f"{at:064x}" for at in range(len(views))], views, EMBEDDER, 6)
    assert found.rows.tolist() == [0, 3, 4, 5, 6]


def test_of_what_stays_no_two_are_alike_and_all_that_left_are_alike_to_one_that_stays() -> None:
    random = np.random.default_rng(5)
    base = random.integers(0, 256, (6, 1, 16, 16))
    views = np.concatenate([np.clip(base + random.normal(0, spread, base.shape), 0, 255) for spread in (0, 5, 20, 60)])
    views = views.astype(np.uint8)
    kept_rows, ssim = find_alike(views, vectors_of(views), len(views))
    stays = kept_rows == np.arange(len(views))
    alike = pairwise_ssim(views, views) >= ALIKE_SSIM
    kept = np.flatnonzero(stays)
    assert alike[np.ix_(kept, kept)].sum() == len(kept)
    assert all(alike[at, kept[kept < at]].any() for at in np.flatnonzero(~stays))
    assert all(stays[kept_rows])
    assert np.allclose(ssim, pairwise_ssim(views, views)[np.arange(len(views)), kept_rows])
    assert 6 <= len(kept) < len(views)


def test_the_same_view_again_is_listed_with_the_picture_that_stays() -> None:
    views = views_with_likenesses()[[0, 12, 12, 0]]
    # The second is alike to the first; the third has the bytes of the second, the fourth the view of the first.
    found = find_distinct(["0" * 64, "1" * 64, "1" * 64, "2" * 64], views, EMBEDDER, 4)
    assert found.rows.tolist() == [0]
    ssim = float(pairwise_ssim(views[1:2], views[:1])[0, 0])
    assert found.near_copies == (NearCopy(1, 0, ssim), NearCopy(2, 0, ssim), NearCopy(3, 0, 1.0))


def vectors_of(views: Pixels) -> np.ndarray:
    flat = views.reshape(len(views), -1).astype(np.float32) - 128
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="one digest, view and hash each"):
        find_distinct(["0" * 64], views_with_likenesses(), EMBEDDER, 5)
