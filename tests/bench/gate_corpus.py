"""The corpus of `gate_at_scale`: real pictures and their transforms, registered and sealed, with a model on record.

Rules, in order:

1. Pictures are those of the quality benchmark: four real sets, each as its view of 64 px, equal views once. Dealt by a fixed
   seed: 200 to ask with, 999 as control, the rest as the register.
2. The register is the pictures themselves, then all of them through one transform after the other (`quality_transforms`),
   until there are as many as asked for; equal pictures count once. Half of what is asked is copies of registered pictures by
   a transform that the register has not seen; half is held out.
3. The model is real and tiny, trained for a few steps: the gate needs its record, not its pictures.
4. Everything follows from the data sets and the seed, so a corpus can be made again anywhere.
"""

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlmodel import select

from services.audit.models.trained_models import train_model
from services.audit.training.training_config import TrainingConfig
from services.ingest.sources.registry import open_source
from services.ingest.sources.run import add_source
from services.ingest.sources.source import SourceOptions
from shared.records.items import Item
from shared.records.manifests import seal_manifest
from shared.settings import Settings
from shared.vision.views import view_to_image
from shared.workspace import Workspace, open_workspace
from tests.campaigns.quality_pictures import DATA, load_pictures
from tests.campaigns.quality_transforms import TRANSFORMS, transform_views

ASKED, CONTROL, SEED = 200, 999, 14
# What copies are asked by; the register holds the other transforms.
ASKED_BY = "crop_10"
MODEL = "bench"
TINY = TrainingConfig(
    resolution=64,
    channels=3,
    block_out_channels=(8, 16),
    layers_per_block=1,
    train_batch_size=4,
    max_train_steps=4,
    num_threads=1,
)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class CorpusPictures:
    """Views, uint8 (n, 3, 64, 64) each, all different: to register, to calibrate with, to ask with."""

    registered: Pixels
    control: Pixels
    copies: Pixels
    held_out: Pixels


def build_pictures(data: Path, size: int) -> CorpusPictures:
    """Make the pictures of a corpus of a size.

    Args:
        data: the folder of the real sets.
        size: how many to register.
    """
    views = np.stack([picture.view for picture in load_pictures(data)])
    order = np.random.default_rng(SEED).permutation(len(views))
    held_out, control = views[order[: ASKED // 2]], views[order[ASKED : ASKED + CONTROL]]
    base = views[order[ASKED + CONTROL :]]
    registered = np.stack([*_take_different(base, held_out, control, size)])
    return CorpusPictures(registered, control, transform_views(ASKED_BY, registered[: ASKED // 2]), held_out)


def _take_different(base: Pixels, held_out: Pixels, control: Pixels, size: int) -> Iterator[Pixels]:
    seen = {view.tobytes() for view in (*held_out, *control)}
    taken = 0
    for name in ("", *(name for name in TRANSFORMS if name != ASKED_BY)):
        for start in range(0, len(base), 1000):
            part = base[start : start + 1000]
            for view in transform_views(name, part) if name else part:
                if taken < size and view.tobytes() not in seen:
                    seen.add(view.tobytes())
                    taken += 1
                    yield view
        if taken == size:
            return
    raise SystemExit(f"the sets give {taken} pictures, not {size}")


def encode_view(view: Pixels) -> bytes:
    """Encode a view as the bytes of a PNG."""
    out = io.BytesIO()
    view_to_image(view).save(out, format="PNG")
    return out.getvalue()


def build_corpus(home: Path, size: int, data: Path = DATA) -> Workspace:
    """Register, seal and record everything but the calibration; goes on where an earlier run stopped.

    Args:
        home: the workspace's folder.
        size: items of the training manifest.
        data: the folder of the real sets.
    """
    workspace = open_workspace(Settings(home=home, database_url=None))
    with workspace.reading() as session:
        done = session.exec(select(Item.id)).first() is not None and (home / "asked.npz").exists()
    if not done:
        pictures = build_pictures(data, size)
        for dataset, views in (("registered", pictures.registered), ("control", pictures.control)):
            _register(workspace, home / f"{dataset}.tar", dataset, views)
        np.savez(home / "asked.npz", copies=pictures.copies, held_out=pictures.held_out)
    with workspace.writing() as session:
        for dataset, purpose in (("registered", "train"), ("control", "control")):
            ids = session.exec(select(Item.id).where(Item.dataset == dataset)).all()
            seal_manifest(session, dataset, "train" if purpose == "train" else "control", ids)
    workspace.log.integrate()
    train_model(workspace, MODEL, "registered", TINY)
    return workspace


def _register(workspace: Workspace, path: Path, dataset: str, views: Pixels) -> None:
    with tarfile.open(path, "w") as tar:
        for number, view in enumerate(views):
            columns = {"title": f"Picture {number}", "creator": f"Creator {number % 100}", "licence": "CC0-1.0"}
            for suffix, data in (("png", encode_view(view)), ("json", json.dumps(columns).encode())):
                member = tarfile.TarInfo(f"{number:09d}.{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    options = SourceOptions(dataset, "bench", workspace.limits.max_bytes)
    result = add_source(workspace, open_source(path, options), options)
    if result.rows.created + result.rows.known != len(views):
        raise SystemExit(f"expected {len(views)} items, got {result.rows}")
    path.unlink()


def load_asked(home: Path) -> tuple[list[bytes], list[bytes]]:
    """Return what to ask with, as PNG: copies of registered pictures, and held-out ones."""
    with np.load(home / "asked.npz") as arrays:
        copies, held_out = ([encode_view(view) for view in arrays[name]] for name in ("copies", "held_out"))
    return copies, held_out


if __name__ == "__main__":
    build_corpus(Path(sys.argv[1]), int(sys.argv[2])).engine.dispose()
