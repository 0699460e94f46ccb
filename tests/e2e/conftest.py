"""One real audited model for all end-to-end tests: registered, sealed, trained, sampled and audited once, then copied."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.audit.audits.audit import audit_model
from services.audit.comparison.context import AuditContext
from services.audit.models.trained_models import train_model
from services.audit.sampling.sample_shards import begin_shards, load_samples, save_shard
from services.audit.sampling.samples import sample_model
from services.audit.training.training_config import TrainingConfig
from services.audit.training_sets.sealed_set import load_sealed_set, load_views
from services.audit.training_sets.slices import draw_slice
from services.ingest.bulk.pipeline import register_rows
from services.ingest.sources.kinds.imagefolder import read_imagefolder
from shared.db import open_engine
from shared.records.manifests import seal_manifest
from shared.settings import Settings
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace, open_workspace
from tests.support.copied_database import copy_database
from tests.support.factories import imagefolder

# As small as training, sampling and comparison can be and still run through every step.
CONFIG = TrainingConfig(
    resolution=16,
    channels=3,
    block_out_channels=(8, 16),
    layers_per_block=1,
    train_batch_size=4,
    max_train_steps=6,
    checkpointing_steps=3,
    num_threads=1,
)
ITEMS, SLICE, GENERATIONS, STEPS = 40, 6, 8, 3


def audit_context(workspace: Workspace, control: str = "small-control", rate: float = 0.001, **options: Any) -> AuditContext:
    """Return how the models of these tests are audited."""
    return AuditContext(workspace, control, PixelEmbedder(16), 1000, rate, **options)


@dataclass(frozen=True)
class Audited:
    """A workspace with one audited model, and what the audit found."""

    home: Path
    content: dict  # type: ignore[type-arg]


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """The workspace that tests copy; nobody writes to it."""
    return build_audited(tmp_path_factory.mktemp("audited"))


def build_audited(folder: Path) -> Audited:
    """Do the whole job in a folder, on SQLite."""
    workspace = open_workspace(Settings(home=folder / "home", database_url=None))
    rows = read_imagefolder(imagefolder(folder / "in", ITEMS), "works", "Ada", workspace.limits.max_bytes)
    assert register_rows(workspace, rows).created == ITEMS
    with workspace.writing() as session:
        drawn = draw_slice(session, "works", SLICE, seed=1)
        seal_manifest(session, "small", "train", drawn.training)
        seal_manifest(session, "small-control", "control", drawn.held_out)
    workspace.log.integrate()
    train_model(workspace, "model-a", "small", CONFIG)
    samples = sample_model(workspace, "model-a", GENERATIONS, 0, STEPS)
    _, content = audit_model(audit_context(workspace), "model-a", samples)
    workspace.engine.dispose()
    return Audited(folder / "home", content)


@pytest.fixture
def audited_workspace(audited: Audited, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the audited workspace, free to be changed."""
    shutil.copytree(audited.home, tmp_path / "home")
    workspace = open_workspace(Settings(home=tmp_path / "home", database_url=None))
    yield workspace
    workspace.engine.dispose()


@pytest.fixture
def any_audited_workspace(audited: Audited, tmp_path: Path, database_url: str) -> Iterator[Workspace]:
    """A copy of the audited workspace, once on SQLite and once on PostgreSQL."""
    home = tmp_path / "copied"
    shutil.copytree(audited.home, home)
    if not database_url.startswith("sqlite"):
        source = open_engine(Settings(home=home, database_url=None).resolved_database_url)
        copy_database(source, database_url, home)
        source.dispose()
    workspace = open_workspace(Settings(home=home, database_url=None if database_url.startswith("sqlite") else database_url))
    yield workspace
    workspace.engine.dispose()


def save_noisy_copies(workspace: Workspace, folder: Path, noise_levels: float = 4.0) -> Path:
    """Save generations that are copies: every training view with slight noise, as if the model had drawn them."""
    sealed = load_sealed_set(workspace, "small")
    views = np.asarray(load_views(workspace, sealed, ViewRecipe(resolution_px=CONFIG.resolution, channels=CONFIG.channels)))
    noise = np.random.default_rng(0).normal(0, noise_levels, views.shape)
    images = np.clip(views + noise, 0, 255).astype(np.uint8)
    drawn = load_samples(sample_model(workspace, "model-a", GENERATIONS, 0, STEPS))
    settings = drawn.settings | {"count": len(images), "sampler": "noisy copies"}
    save_shard(folder, settings, begin_shards(folder, settings), images, np.arange(len(images), dtype=np.int64))
    return folder
