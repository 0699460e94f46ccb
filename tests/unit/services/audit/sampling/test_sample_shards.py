"""Shards of generations: resumed with the same settings, refused with others, and never read where damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.audit.sampling.sample_shards import (
    begin_shards,
    is_finished,
    load_samples,
    load_settings,
    samples_folder,
    save_shard,
)
from shared.errors import ConflictError, CorruptStateError, NotFoundError, UnavailableError
from shared.workspace import Workspace

SETTINGS: dict[str, Any] = {"weights_sha256": "00", "count": 3, "shard_size": 2, "seed": 7}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 1, 4, 4), dtype=np.uint8)
SEEDS = np.arange(7, 10, dtype=np.int64)


def save(folder: Path) -> None:
    digests = begin_shards(folder, SETTINGS)
    digests = save_shard(folder, SETTINGS, digests, IMAGES[:2], SEEDS[:2])
    save_shard(folder, SETTINGS, digests, IMAGES[2:], SEEDS[2:])


def test_generations_come_back_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    save(tmp_path)
    samples = load_samples(tmp_path)
    assert is_finished(tmp_path)
    assert np.array_equal(samples.images, IMAGES)
    assert samples.seeds.tolist() == SEEDS.tolist()
    assert (samples.weights_sha256, load_settings(tmp_path)) == ("00", SETTINGS)


def test_a_run_that_was_stopped_is_resumed_with_the_same_settings_only(tmp_path: Path) -> None:
    digests = save_shard(tmp_path, SETTINGS, begin_shards(tmp_path, SETTINGS), IMAGES[:2], SEEDS[:2])
    assert not is_finished(tmp_path)
    with pytest.raises(UnavailableError, match="expected 2 shards, got 1"):
        load_samples(tmp_path)
    assert begin_shards(tmp_path, SETTINGS) == digests
    with pytest.raises(ConflictError, match="expected seed 7, got 8"):
        begin_shards(tmp_path, SETTINGS | {"seed": 8})


def test_a_damaged_shard_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    save(tmp_path)
    path = tmp_path / "shard-00001.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptStateError, match="is damaged"):
        load_samples(tmp_path)
    path.unlink()
    with pytest.raises(CorruptStateError, match="is missing"):
        load_samples(tmp_path)


def test_a_folder_without_generations_and_an_unreadable_one_say_so(tmp_path: Path) -> None:
    assert load_settings(tmp_path) is None
    with pytest.raises(NotFoundError):
        load_samples(tmp_path)
    (tmp_path / "samples.json").write_text("[]")
    with pytest.raises(CorruptStateError):
        load_samples(tmp_path)


def test_samples_of_a_checkpoint_have_a_folder_of_their_own(workspace: Workspace) -> None:
    finished = samples_folder(workspace, "model-a", 8, 0, 3)
    checkpoint = samples_folder(workspace, "model-a", 8, 0, 3, checkpoint_update=5)
    assert (finished.name, checkpoint.name) == ("ddim-3-seed-0-count-8", "ddim-3-seed-0-count-8-update-5")
