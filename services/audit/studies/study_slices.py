"""The slices of a study: drawn by a seed from the distinct pictures of a data set, sealed as manifests.

Rules, in order:

1. Duplicates, and pictures that are alike by the measure of the study, are left out first (`distinct`), in the order of
   keys. Their number is reported.
2. The rest is permuted by a seed. The control is its front. Of what follows, twin a takes the front and twin b the end. So
   slices of one twin are nested, twins share nothing, and slices share nothing with the control.
3. Manifests are sealed before any model is trained. A study that goes on finds its own again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.audit.sealing.distinct import find_distinct
from services.audit.studies.study_config import StudyConfig
from services.audit.studies.study_context import StudyContext
from services.audit.training_sets.sealed_set import open_view_store
from shared.errors import InputError
from shared.records.items import Item, load_dataset_items
from shared.records.manifests import seal_manifest
from shared.vision.views import Pixels


@dataclass(frozen=True)
class StudySlices:
    """The pictures that slices and control were drawn from.

    Attributes:
        items: items of the data set that may be trained on.
        clusters: clusters of duplicates among them.
        cluster_sizes: how many clusters have how many members.
        distinct: pictures that slices and control were drawn from.
        alike: uint8 (A, C, H, W), pictures that were left out because they are alike to one that stays.
    """

    items: int
    clusters: int
    cluster_sizes: dict[int, int]
    distinct: int
    alike: Pixels


def seal_study_slices(context: StudyContext) -> StudySlices:
    """Draw and seal the slices and the control of a study.

    Raises:
        InputError: the data set has too few distinct pictures.
        ConflictError: the study's names stand for other slices.
    """
    workspace, config = context.workspace, context.config
    with workspace.reading() as session:
        items = load_dataset_items(session, config.dataset)
    views = _build_views(context, items)
    distinct = find_distinct([item.blob_sha256 for item in items], views, context.embedder, config.neighbours)
    ids_by_manifest = draw_study_slices([items[row].id for row in distinct.rows], config)
    with workspace.writing() as session:
        for name, ids in ids_by_manifest.items():
            seal_manifest(session, name, "control" if name == config.control_manifest else "train", ids)
    workspace.log.integrate()
    return StudySlices(len(items), distinct.clusters, distinct.cluster_sizes, len(distinct.rows), views[distinct.alike])


def _build_views(context: StudyContext, items: Sequence[Item]) -> Pixels:
    if not items:
        raise InputError(f"expected items in data set {context.config.dataset!r}, got none", code="dataset_empty")
    store = open_view_store(context.workspace)
    return np.stack([store.build_blob_view(item.blob_sha256, context.recipe) for item in items])


def draw_study_slices(distinct: Sequence[str], config: StudyConfig) -> dict[str, list[str]]:
    """Draw control and slices.

    Args:
        distinct: ids of pictures that are no duplicates of each other, in a stable order.
        config: the study.

    Returns:
        Ids by the name of the manifest that they are sealed as, the control first.

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
    order = [distinct[row] for row in np.random.default_rng(config.slice_seed).permutation(len(distinct))]
    control, rest = order[: config.control], order[config.control :]
    sides = dict(zip(config.twin_letters, (rest, rest[::-1]), strict=False))
    slices = {f"{config.name}-{size}{twin}": side[:size] for size in config.sizes for twin, side in sides.items()}
    return {config.control_manifest: control} | slices
