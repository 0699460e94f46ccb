"""Slices sealed without near copies, of one data set or several, and near copies found and listed before a training."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from services.audit.models.trained_models import model_recipe
from services.audit.sealing.left_out import load_left_out
from services.audit.sealing.near_copies import COLUMNS, check_near_copies
from services.audit.sealing.sealed_slices import COLUMNS as LEFT_OUT_COLUMNS
from services.audit.sealing.sealed_slices import seal_slice
from services.commands.main import app
from services.ingest.bulk.pipeline import register_rows
from services.ingest.sources.kinds.imagefolder import read_imagefolder
from shared.errors import NotFoundError
from shared.records.manifests import load_manifest_items
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import register

PICTURES = 8
RECIPE = model_recipe(24, 3)


def noise(seed: int) -> np.ndarray:
    """A picture of 6 × 6 patches, unlike any other."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.kron(patches, np.ones((8, 8, 1), np.uint8))


def encode(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def pairs(workspace: Workspace) -> Workspace:
    """Each picture twice: the second a few grey levels brighter."""
    for number in range(PICTURES):
        pixels = noise(number)
        register(workspace, f"{number}-a.png", encode(pixels))
        register(workspace, f"{number}-b.png", encode(np.clip(pixels.astype(int) + 3, 0, 255).astype(np.uint8)))
    return workspace


def pictures(workspace: Workspace, manifest_id: str) -> set[str]:
    with workspace.reading() as session:
        return {item.source_key[0] for item in load_manifest_items(session, manifest_id)}


def test_near_copies_are_found_between_slice_and_control_and_listed(pairs: Workspace) -> None:
    sealed = seal_slice(pairs, "slice", ["works"], PICTURES, control="rest")
    assert sealed.near_copies is None
    across = pictures(pairs, sealed.manifests[0].id) & pictures(pairs, sealed.manifests[1].id)
    near, path = check_near_copies(pairs, "slice", "rest", RECIPE)
    assert (near.control, len(near)) == (PICTURES, len(across))
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert all(row[1][0] == row[3][0] and float(row[4]) > 0.9 for row in rows[1:])


def test_distinct_leaves_them_out_of_both_and_says_how_many(pairs: Workspace) -> None:
    sealed = seal_slice(pairs, "slice", ["works"], 5, control="rest", distinct=RECIPE)
    assert sealed.near_copies == PICTURES
    training, control = sealed.manifests
    assert (training.size, control.size) == (5, PICTURES - 5)
    near, path = check_near_copies(pairs, "slice", "rest", RECIPE)
    assert (len(near), path.exists()) == (0, False)
    header, *rows = csv.reader(load_left_out(pairs, "slice").decode().splitlines())
    assert tuple(header) == LEFT_OUT_COLUMNS
    assert sorted((row[1], row[3]) for row in rows) == [(f"{at}-b.png", f"{at}-a.png") for at in range(PICTURES)]
    assert all(0.9 <= float(row[4]) < 1 for row in rows)
    # Sealed again, it is the same.
    again = seal_slice(pairs, "slice", ["works"], 5, control="rest", distinct=RECIPE)
    assert [manifest.id for manifest in again.manifests] == [training.id, control.id]


def test_several_data_sets_are_drawn_from_together(workspace: Workspace) -> None:
    for number in range(4):
        register(workspace, f"{number}.png", encode(noise(number)), dataset="works" if number < 2 else "others")
    [manifest] = seal_slice(workspace, "both", ["works", "others"], 4).manifests
    assert pictures(workspace, manifest.id) == {"0", "1", "2", "3"}
    with pytest.raises(NotFoundError, match="nowhere"):
        seal_slice(workspace, "more", ["works", "nowhere"], 1)


def test_the_command_seals_openmoji_without_near_copies(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEVE_HOME", str(tmp_path / "home"))
    workspace = open_workspace(Settings(home=tmp_path / "home"))
    register_rows(workspace, read_imagefolder(shared_data / "openmoji", "openmoji", "Example Archive", 1 << 24))
    seal_slice(workspace, "plain", ["openmoji"], 300, control="plain-rest")
    assert len(check_near_copies(workspace, "plain", "plain-rest", model_recipe(24, 1))[0]) > 50
    command = ["audit", "seal", "slice", "--dataset", "openmoji", "--size", "300", "--control", "rest", "--distinct"]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    assert "near copies left out" in answer.output
    assert "near-copies/left-out/slice.csv" in answer.output
    near, _ = check_near_copies(workspace, "slice", "rest", model_recipe(24, 1))
    assert len(near) == 0
