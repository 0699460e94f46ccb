"""A gate in memory: index, corpora and similarity metrics without files, without an engine and without torch.

Rules, embedder, copy detector, control, policy, database and log are the real ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity
from sqlmodel import Session, col, select

from services.output_gate.corpora import NotReadyError, ReadyCorpus
from services.output_gate.gate import Gate, view_recipe
from services.output_gate.indexer import Indexer
from services.output_gate.policy.adoption import adopt_policy
from services.output_gate.policy.policy import PolicyContent, content_of, parse_policy
from services.output_gate.results.schemas import Metrics
from shared.clock import utc_now
from shared.ids import new_id
from shared.index.coded_scan import ScannedRows
from shared.index.vector_index import VectorIndex
from shared.ledger.bodies import ModelImported
from shared.ledger.entries import build_entry
from shared.matching.calibration.null_distribution import ControlScores
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.copy_embedder import RECIPE as COPY_RECIPE
from shared.matching.copy_detection.orientations import ORIENTATIONS
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.ssim_search.ssim_terms import build_means
from shared.matching.ssim_search.turned_ssim import best_turned_ssim
from shared.matching.training_set.duplicates import build_clusters
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.view_hashes import hash_views
from shared.matching.whole_picture.detector import PictureDetector, best_works
from shared.matching.whole_picture.memory_pictures import MemoryPictures
from shared.records.entry_rows import append_and_add
from shared.records.items import Item
from shared.records.manifests import Manifest, ManifestItem, load_manifest, seal_manifest
from shared.records.models import Calibration, Model
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.image_decoding import decode_image
from shared.vision.view_store import TrainingBackground
from shared.vision.views import Pixels, ViewRecipe, build_view
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png, register
from tests.support.memory_index import MemoryIndex

RESOLUTION_PX, NEIGHBOURS = 32, 5
# Of held-out pictures, whose seeds lie beyond those of any item or generation.
CONTROL_SIZE, CONTROL_SEED = 99, 900_000

POLICY: dict[str, Any] = {
    "name": "memory",
    "version": 1,
    "rule": "ssim",
    "neighbours": NEIGHBOURS,
    "false_positive_rate": 0.02,
    "shares": "equal",
    "tariff": {"currency": "EUR", "amount_minor": 1001},
    "waiver_reasons": ["licensed"],
}


@dataclass
class MemoryCorpora:
    """Corpora built from the blobs, with vectors of an index."""

    workspace: Workspace
    index: VectorIndex
    indexer: Indexer
    # Whether the corpus holds its vectors, as a small one does, or leaves the search to the index.
    holds_vectors: bool = True
    _ready: dict[tuple[str, str, bool, bool], ReadyCorpus] = field(default_factory=dict)

    def load(
        self,
        manifest_id: str,
        recipe: ViewRecipe,
        backgrounds: tuple[TrainingBackground, ...] = (),
        *,
        with_works: bool = False,
    ) -> ReadyCorpus:
        """Return the corpus of a manifest, built on first use."""
        self.indexer.catch_up()
        with self.workspace.reading() as session:
            manifest = load_manifest(session, manifest_id)
            items = _load_items(session, manifest_id)
        if self.index.count(manifest_id) != manifest.size:
            raise NotReadyError("the index lacks items", code=self.indexer.explain_behind(manifest_id))
        key = (manifest_id, recipe.sha256, self.holds_vectors, with_works)
        if key not in self._ready:
            self._ready[key] = self._build(manifest, items, recipe, with_works=with_works)
        return self._ready[key]

    def _build(self, manifest: Manifest, items: Sequence[Item], recipe: ViewRecipe, *, with_works: bool) -> ReadyCorpus:
        blobs, item_ids = [item.blob_sha256 for item in items], tuple(item.id for item in items)
        pictures = [decode_image(self.workspace.blobs.load(blob), self.workspace.limits).pixels for blob in blobs]
        views = np.stack([build_view(pixels, recipe) for pixels in pictures])
        hashes = hash_views(views)
        side = TrainingSet(views, build_clusters(blobs, views, hashes), hashes)
        detector = CopyDetector.build(np.stack([build_view(pixels, COPY_RECIPE) for pixels in pictures]))
        vectors = ScannedRows.build(self.index.vectors(item_ids)) if self.holds_vectors else None
        shown = MemoryPictures(pictures) if with_works else None
        works = PictureDetector.of(shown, detector, shown.regions) if shown else None
        return ReadyCorpus(manifest, item_ids, side, build_means(views), detector, works, vectors, ())

    def close(self) -> None:
        """Nothing is being built."""


def _load_items(session: Session, manifest_id: str) -> Sequence[Item]:
    query = select(Item).join(ManifestItem, col(ManifestItem.item_id) == col(Item.id))
    query = query.where(ManifestItem.manifest_id == manifest_id).order_by(col(ManifestItem.position))
    return session.exec(query).all()


def measure_pairs(items: Pixels, generations: Pixels) -> list[Metrics]:
    """Measure pairs with numpy and scikit-image; FSIM stands for the SSIM of the gradients."""
    pairs = zip(items.astype(np.float64), generations.astype(np.float64), strict=True)
    return [_measure_pair(item, generation) for item, generation in pairs]


def _measure_pair(x: NDArray[np.float64], y: NDArray[np.float64]) -> Metrics:
    error = float(np.mean((x - y) ** 2))
    lengths = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0)
    angles = np.arccos(np.clip((x * y).sum(axis=0) / np.maximum(lengths, 1e-9), -1, 1))
    slopes = [np.hypot(*np.gradient(image.mean(axis=0))) for image in (x, y)]
    compared: dict[str, Any] = {"data_range": 255, "channel_axis": 0}
    return Metrics(
        ssim=structural_similarity(x, y, **compared),
        rmse=error**0.5 / 255,
        psnr=10 * np.log10(255**2 / error) if error else None,
        fsim=structural_similarity(*slopes, data_range=255),
        sre=10 * np.log10(float(x.mean()) ** 2 / error) if error else None,
        sam=float(np.degrees(angles).mean()),
        uiq=structural_similarity(x, y, K1=1e-6, K2=1e-6, **compared),
        identical=error == 0,
    )


@dataclass
class MemoryWorld:
    """A gate in memory, a model that it can decide about, and the items that the model was trained on."""

    workspace: Workspace
    gate: Gate
    model: Model
    manifest: Manifest
    items: list[Item]

    def adopt(self, **changed: Any) -> None:
        """Put another version of the policy in force; None takes a field away."""
        with self.workspace.writing() as session:
            adopt_policy(session, build_policy(**changed))


def build_policy(**changed: Any) -> PolicyContent:
    """A policy; None takes a field away."""
    return parse_policy({name: value for name, value in (POLICY | changed).items() if value is not None})


def build_memory_world(
    workspace: Workspace, items: int = 6, pictures: Sequence[Image.Image] | None = None, **changed: Any
) -> MemoryWorld:
    """Register and seal items, put a model and its calibration on record, and open a gate in memory.

    Args:
        workspace: an empty one.
        items: how many.
        pictures: others than the usual ones; the control is then measured by the rule of works as well.
        changed: of the policy.
    """
    files = [encode(shown) for shown in pictures] if pictures else [png(seed) for seed in range(items)]
    registered = [register(workspace, f"{number}.png", data) for number, data in enumerate(files)]
    embedder = PixelEmbedder(16)
    index = MemoryIndex(embedder.dimensions)
    indexer = Indexer(workspace, index, embedder)
    corpora = MemoryCorpora(workspace, index, indexer)
    with workspace.writing() as session:
        manifest = seal_manifest(session, "small", "train", [item.id for item in registered])
        model = add_model(session, manifest, RESOLUTION_PX)
        policy = adopt_policy(session, build_policy(**changed))
    workspace.log.integrate()
    corpus = corpora.load(manifest.id, view_recipe(model), with_works=bool(pictures))
    with workspace.writing() as session:
        session.add(_calibrate(model, corpus, embedder.sha256))
    gate = Gate(workspace, embedder, index, indexer, policy, content_of(policy), corpora, measure_pairs)
    return MemoryWorld(workspace, gate, model, manifest, registered)


@cache
def _score_control(items: int) -> dict[str, tuple[float, ...]]:
    """Send held-out pictures through the comparison with so many items; their scores by each rule that may decide."""
    held_out = [picture(CONTROL_SEED + number) for number in range(CONTROL_SIZE)]
    trained = [picture(seed) for seed in range(items)]
    recipe = ViewRecipe(resolution_px=RESOLUTION_PX, channels=3)
    views, training = (np.stack([build_view(image, recipe) for image in images]) for images in (held_out, trained))
    every = np.tile(np.arange(items), (len(views), 1))
    _, ssim = best_ssim(views, training, every)
    _, turned = best_turned_ssim(views, training, every)
    detector = CopyDetector.build(np.stack([build_view(image, COPY_RECIPE) for image in trained]))
    fused = detector.calibrate(np.stack([build_view(image, COPY_RECIPE) for image in held_out]))
    return {"ssim": tuple(map(float, ssim)), "ssim-turned": tuple(map(float, turned)), "fused": fused.scores}


def _score_works(works: PictureDetector) -> tuple[float, ...]:
    """Look for works in held-out pictures."""
    shown = works.detect_many(lambda at: picture(CONTROL_SEED + at), np.zeros((CONTROL_SIZE, 0), np.int64))
    return tuple(best_works(shown).scores.tolist())


def _calibrate(model: Model, corpus: ReadyCorpus, embedder_sha256: str) -> Calibration:
    pipeline: dict[str, Any] = {"neighbours": NEIGHBOURS, "embedder_sha256": embedder_sha256}
    pipeline |= {"copies": corpus.detector.digests, "orientations": ORIENTATIONS}
    by_rule = dict(_score_control(len(corpus.item_ids)))
    if corpus.works is not None:
        by_rule["works"] = _score_works(corpus.works)
        pipeline["works"] = corpus.works.digests
    scores = ControlScores(by_rule, pipeline)
    return Calibration(
        model_id=model.id,
        control_manifest_id=model.manifest_id,
        pipeline=pipeline,
        scores={rule: list(values) for rule, values in scores.by_rule.items()},
        sha256=scores.sha256,
    )


def add_model(session: Session, manifest: Manifest, resolution_px: int = 16, name: str = "model-a") -> Model:
    """Put an imported model on record, with its entry and without any weights."""
    model_id, digest, now = new_id(), "d" * 64, utc_now()
    body = ModelImported(
        name=name,
        manifest_id=manifest.id,
        manifest_root=manifest.root,
        weights_sha256=digest,
        config_sha256=digest,
        code_version="0",
        updates=None,
        seed=None,
    )
    fields: dict[str, Any] = {"name": name, "manifest_id": manifest.id, "weights_sha256": digest, "config_sha256": digest}
    return append_and_add(
        session,
        build_entry(body, at=now, subject={"model": model_id}),
        lambda entry_id: Model(
            id=model_id,
            folder=f"models/{name}",
            origin="imported",
            resolution_px=resolution_px,
            channels=3,
            entry_id=entry_id,
            created_at=now,
            **fields,
        ),
    )
