"""The slices of a study: drawn by a seed from the distinct pictures of a data set, sealed as manifests.

Rules, in order:

1. Duplicates, and pictures that are alike by the measure of the study, are left out first (`distinct`), in the order of
   keys. How many is reported.
2. A seeded permutation of what stays: the control from its front, then twin a from the front of the rest and twin b from
   its end. So slices of one twin are nested, twins share nothing, and nothing is in slice and control.
3. Manifests are sealed before any model is trained. A study that goes on finds its own again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.audit.models.trained_models import model_recipe
from services.audit.studies.distinct import find_distinct
from services.audit.studies.study_config import StudyConfig
from shared.errors import InputError
from shared.records.items import Item, load_dataset_items
from shared.records.manifests import seal_manifest
from shared.vision.embedding import Embedder
from shared.vision.view_store import ViewStore
from shared.vision.views import Pixels
from shared.workspace import Workspace


@dataclass(frozen=True)
class StudySlices:
    """What was drawn.

    Attributes:
        control: name of the control's manifest.
        items: items of the data set that may be trained on.
        clusters: clusters of duplicates among them.
        cluster_sizes: how many clusters have how many members.
        distinct: pictures that were left to draw from.
        alike: uint8 (A, C, H, W), the pictures that were left out because they are alike to one that stays.
    """

    control: str
    items: int
    clusters: int
    cluster_sizes: dict[int, int]
    distinct: int
    alike: Pixels


def seal_study_slices(workspace: Workspace, config: StudyConfig, embedder: Embedder) -> StudySlices:
    """Draw and seal the slices and the control of a study.

    Raises:
        InputError: the data set has too few distinct pictures.
        ConflictError: the study's names stand for other slices.
    """
    with workspace.reading() as session:
        items = load_dataset_items(session, config.dataset)
    views = _build_views(workspace, items, config)
    found = find_distinct([item.blob_sha256 for item in items], views, embedder, config.neighbours)
    drawn = draw_study_slices([items[at].id for at in found.rows], config)
    control = f"{config.name}-control"
    with workspace.writing() as session:
        seal_manifest(session, control, "control", drawn.pop(control))
        for name, ids in drawn.items():
            seal_manifest(session, name, "train", ids)
    workspace.log.integrate()
    return StudySlices(control, len(items), found.clusters, found.cluster_sizes, len(found.rows), views[found.alike])


def _build_views(workspace: Workspace, items: Sequence[Item], config: StudyConfig) -> Pixels:
    if not items:
        raise InputError(f"expected items in data set {config.dataset!r}, got none", code="dataset_empty")
    recipe = model_recipe(config.training.resolution, config.training.channels)
    store = ViewStore(workspace.home / "views", workspace.blobs, workspace.limits)
    return np.stack([store.build_one(item.blob_sha256, recipe) for item in items])


def draw_study_slices(distinct: Sequence[str], config: StudyConfig) -> dict[str, list[str]]:
    """Draw control and slices.

    Args:
        distinct: ids of pictures that are no duplicates of each other, in a stable order.
        config: the study.

    Returns:
        Ids by the name of the manifest that they are sealed as.

    Raises:
        InputError: too few pictures.
    """
    needed = config.control + config.twins * config.sizes[-1]
    if needed > len(distinct):
        raise InputError(
            f"{config.dataset!r}: expected {needed:,} distinct pictures for a control of {config.control:,} and "
            f"{config.twins} slices of {config.sizes[-1]:,}, got {len(distinct):,}",
            code="slice_size",
        )
    order = [distinct[at] for at in np.random.default_rng(config.slice_seed).permutation(len(distinct))]
    control, rest = order[: config.control], order[config.control :]
    sides = dict(zip(config.twin_letters, (rest, rest[::-1]), strict=False))
    drawn = {f"{config.name}-{size}{twin}": side[:size] for size in config.sizes for twin, side in sides.items()}
    return {f"{config.name}-control": control} | drawn
