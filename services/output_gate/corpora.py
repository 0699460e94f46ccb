"""Corpora: what generations of the models of one manifest are compared with, made ready beside the requests.

Rules, in order:

1. A corpus is ready when the index holds the whole manifest and every file is present and intact: views, hashes, clusters,
   means, points and vectors (`shared.array_store`). What the index lacks of the manifest is repaired first. Files are read in
   full once. After that each check looks at their stamps, and one that was written to makes the corpus be loaded anew.
2. It is loaded by a thread of its own. A request waits for a moment only and then says `building`: a hundred thousand items
   take minutes once, which goes on from where it was when the process is started again.
3. Vectors come from the index, as it keeps them; nothing is embedded twice. Beyond the size up to which the gate searches
   exactly they stay in the index, which is then asked.
4. What fails while loading has its code, and the next request tries again.
"""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlmodel import col, select

from services.output_gate.indexer import Indexer
from shared.array_store import ArrayPlan, StoredArray
from shared.errors import NotFoundError, SleeveError, UnavailableError
from shared.index.coded_scan import ScannedRows
from shared.index.vector_index import VectorIndex, is_searched_exactly
from shared.index.vector_store import StoredVectors, load_vectors
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.detector_store import load_copy_detector
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.training_set_store import load_bounded_training_set
from shared.matching.whole_picture.detector import PictureDetector
from shared.matching.whole_picture.feature_store import load_pictures
from shared.matching.whole_picture.local_features import ComparisonSize
from shared.matching.whole_picture.region_index import load_regions
from shared.records.items import Item
from shared.records.manifests import Manifest, ManifestItem, load_manifest
from shared.vision.training_backgrounds import TrainingRows, list_training_rows
from shared.vision.view_store import TrainingBackground, ViewStore
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace

# How long a request waits for a corpus: many times what a small one takes, and below the 30 s after which callers give up.
PATIENCE_SECONDS = 20.0
# Corpora held at once. What they map costs no memory that others could not have; ids and hashes are 20 MB for 100,000 items.
MOST_CORPORA = 64

# Manifest, digest of the recipe, further backgrounds, whether works are looked for.
CorpusKey = tuple[str, str, tuple[TrainingBackground, ...], bool]

log = structlog.get_logger()


class NotReadyError(SleeveError):
    """A model cannot be checked against yet; the code says why and becomes the reason of an undecided answer."""

    code = "not_ready"


@dataclass(frozen=True)
class ReadyCorpus:
    """A manifest that generations can be compared with; rows stand in its order.

    Attributes:
        manifest: which.
        item_ids: the item of each row: its items in order, then those of further views (`shared.vision.training_backgrounds`).
        side: views, hashes and clusters.
        means: what bounds the SSIM of the views.
        detector: the copy detector.
        works: the detector of works in whole pictures; None where no policy asks for it.
        vectors: embeddings of the originals; None where the index is searched instead.
        files: what is mapped.
    """

    manifest: Manifest
    item_ids: tuple[str, ...]
    side: TrainingSet
    means: NDArray[np.float32]
    detector: CopyDetector
    works: PictureDetector | None
    vectors: ScannedRows | None
    files: tuple[StoredArray, ...]

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each item over white."""
        return {item_id: at for at, item_id in enumerate(self.item_ids[: self.manifest.size])}

    def cluster_ids(self, row: int) -> list[str]:
        """Return the ids of the items of a row's duplicate cluster, its own included, each once."""
        return list(dict.fromkeys(self.item_ids[member] for member in self.side.clusters.members(row)))

    @property
    def is_untouched(self) -> bool:
        """Whether every file is still the one that was held against its digest."""
        return all(file.is_untouched for file in self.files)


class CorpusSource(Protocol):
    """Where a gate gets its corpora from."""

    def load(
        self,
        manifest_id: str,
        recipe: ViewRecipe,
        backgrounds: tuple[TrainingBackground, ...] = (),
        *,
        with_works: bool = False,
    ) -> ReadyCorpus:
        """Return the corpus of a manifest seen through a recipe, and over further backgrounds where that differs.

        `with_works` asks for the detector of works in whole pictures as well, whose features take a while to make once.

        Raises:
            NotReadyError: it is being built, or cannot be; the code says why.
            UnavailableError: index or database do not answer.
        """
        ...

    def close(self) -> None:
        """Stop what is being built."""
        ...


@dataclass
class Corpora:
    """The corpora of a gate.

    Args:
        workspace: where manifests, blobs and views are.
        index: holds the vectors.
        indexer: brings the index up to the log.
        collection: name of the index's collection.
        patience_seconds: how long a request waits; None for as long as it takes.
    """

    workspace: Workspace
    index: VectorIndex
    indexer: Indexer
    collection: str
    patience_seconds: float | None = PATIENCE_SECONDS
    _ready: dict[CorpusKey, ReadyCorpus] = field(default_factory=dict)
    _loading: dict[CorpusKey, Future[ReadyCorpus]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)

    def load(
        self,
        manifest_id: str,
        recipe: ViewRecipe,
        backgrounds: tuple[TrainingBackground, ...] = (),
        *,
        with_works: bool = False,
    ) -> ReadyCorpus:
        """Return the corpus of a manifest seen through a recipe, and over further backgrounds where that differs.

        `with_works` asks for the detector of works in whole pictures as well, whose features take a while to make once.

        Raises:
            NotReadyError: it is being built, or cannot be; the code says why.
            UnavailableError: index or database do not answer.
        """
        key = (manifest_id, recipe.sha256, backgrounds, with_works)
        with self._guard:
            corpus = self._ready.get(key)
            if corpus is not None and corpus.is_untouched:
                return corpus
            if corpus is not None:
                log.warning("corpus_files_changed", manifest=manifest_id)
                del self._ready[key]
            loading = self._loading.get(key)
            if loading is None:
                loading = self._loading[key] = Future()
                # A daemon: a build that a stopped process leaves is taken up by the next one.
                threading.Thread(target=self._run, args=(key, recipe, loading), name="load corpus", daemon=True).start()
        try:
            return loading.result(self.patience_seconds)
        except TimeoutError as error:
            raise NotReadyError("what its generations are compared with is being built", code="building") from error
        except UnavailableError:
            raise
        except SleeveError as error:
            raise NotReadyError(error.message, code=error.code) from error

    def close(self) -> None:
        """Stop what is being built, behind its next block."""
        self._closed.set()

    def _run(self, key: CorpusKey, recipe: ViewRecipe, loading: "Future[ReadyCorpus]") -> None:
        try:
            corpus = self._load(key[0], recipe, key[2], with_works=key[3])
        except BaseException as error:
            with self._guard:
                del self._loading[key]
            loading.set_exception(error)
            return
        with self._guard:
            del self._loading[key]
            while len(self._ready) >= MOST_CORPORA:
                del self._ready[next(iter(self._ready))]
            self._ready[key] = corpus
        loading.set_result(corpus)

    def _load(
        self, manifest_id: str, recipe: ViewRecipe, backgrounds: tuple[TrainingBackground, ...], *, with_works: bool
    ) -> ReadyCorpus:
        with self.workspace.reading() as session:
            manifest = load_manifest(session, manifest_id)
            query = (
                select(Item.id, Item.blob_sha256)
                .join(ManifestItem, col(ManifestItem.item_id) == col(Item.id))
                .where(ManifestItem.manifest_id == manifest.id)
                .order_by(col(ManifestItem.position))
            )
            members = session.exec(query).all()
        item_ids, blobs = tuple(item_id for item_id, _ in members), [blob for _, blob in members]
        self.indexer.catch_up()
        held = self.index.count(manifest.id)
        if held != manifest.size and self.indexer.repair(manifest.id):
            held = self.index.count(manifest.id)
        if held != manifest.size:
            why = self.indexer.explain_behind(manifest.id)
            raise NotReadyError(f"index holds {held} of {manifest.size} items", code=why)
        store = ViewStore(self.workspace.home / "views", self.workspace.blobs, self.workspace.limits)
        rows = list_training_rows(store, manifest.root, blobs, recipe, backgrounds)
        views = store.load_stored(rows.root, rows.blobs, recipe, self._go_on, rows.backgrounds)
        bounded = load_bounded_training_set(store.folder, rows.root, recipe, rows.blobs, views, self._go_on)
        copies = load_copy_detector(store, rows.root, rows.blobs, self._go_on, rows.backgrounds)
        works, work_files = self._load_works(store, rows, copies.detector) if with_works else (None, ())
        vectors = self._load_vectors(store, rows, item_ids) if is_searched_exactly(manifest.size) else None
        item_ids = tuple(item_ids[item] for item in rows.items)
        files = (*bounded.files, *copies.files, *work_files, *(vectors.files if vectors else ()))
        log.info("corpus_ready", manifest=manifest.id, items=manifest.size)
        scanned = vectors.scanned if vectors else None
        return ReadyCorpus(manifest, item_ids, bounded.side, bounded.means, copies.detector, works, scanned, files)

    def _load_works(
        self, store: ViewStore, rows: TrainingRows, views: CopyDetector
    ) -> tuple[PictureDetector, tuple[StoredArray, ...]]:
        size = ComparisonSize(self.workspace.settings.comparison_px)
        pictures = load_pictures(store, rows.root, rows.blobs, size, self._go_on, rows.backgrounds)
        regions = load_regions(pictures, rows.root, self._go_on)
        return PictureDetector.of(pictures, views, regions.index), (pictures.index, *regions.vectors.files)

    def _load_vectors(self, store: ViewStore, rows: TrainingRows, item_ids: tuple[str, ...]) -> StoredVectors:
        """Take the items' vectors from the index; only what they look like over other backgrounds is embedded here."""

        def make_block(start: int, stop: int) -> NDArray[np.float32]:
            middle = min(max(start, len(item_ids)), stop)
            further = zip(rows.blobs[middle:stop], rows.backgrounds[middle:stop], strict=True)
            pictures = [store.load_picture(blob, background) for blob, background in further]
            try:
                parts = [self.index.vectors(item_ids[start:middle])] if start < middle else []
            except NotFoundError as error:
                raise NotReadyError(error.message, code="index_behind") from error
            return np.concatenate([*parts, *([self.indexer.embedder.embed(pictures)] if pictures else [])])

        plan = ArrayPlan((len(rows.blobs), self.index.dimensions), "float32", make_block)
        return load_vectors(store.folder, f"{rows.root[:32]}-{self.collection}", plan, self._go_on)

    def _go_on(self, _done: int, _whole: int) -> None:
        if self._closed.is_set():
            raise UnavailableError("the gate was closed", code="gate_closed")
