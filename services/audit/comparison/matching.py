"""Matching: each picture of a model, or of a control, with the training picture that it is most similar to.

Every picture takes one path, which is also the gate's: view at the model's resolution, embedding, shortlist among the
embeddings of the training originals, best SSIM in the shortlist, the similarity metrics of that pair, and the copy detector.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.audit.training_sets.sealed_set import SealedSet, open_view_store
from shared.index.exact_neighbours import exact_neighbours
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.copy_embedder import RECIPE as COPY_RECIPE
from shared.matching.copy_detection.detector_store import load_copy_detector
from shared.matching.panel.comparison_block import ComparisonBlock, ItemScores
from shared.matching.ssim_search.best_match import BestMatches, find_best_matches
from shared.matching.ssim_search.turned_ssim import best_turned_ssim
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.training_set_store import load_training_set
from shared.matching.training_set.view_hashes import hash_views
from shared.matching.whole_picture.detector import PictureDetector, best_works
from shared.matching.whole_picture.feature_store import load_pictures
from shared.matching.whole_picture.local_features import ComparisonSize
from shared.matching.whole_picture.region_index import load_regions
from shared.vision.embedding import Embedder
from shared.vision.training_backgrounds import TrainingRows, list_training_rows
from shared.vision.view_store import TrainingBackground, ViewStore
from shared.vision.views import Pixels, ViewRecipe, build_view, view_to_image
from shared.workspace import Workspace

# Originals decoded at a time while embedding: bounds memory at this many full-size pictures.
BATCH_ORIGINALS = 64


@dataclass(frozen=True)
class Corpus:
    """What pictures are matched with: the views of a manifest and the embeddings of its originals, in its order.

    `works` looks for items anywhere in whole pictures; None where that is not asked for.

    Behind the items come those that look otherwise over another background (`shared.vision.training_backgrounds`); `item_ids`
    names the item of each row.
    """

    item_ids: tuple[str, ...]
    side: TrainingSet
    vectors: NDArray[np.float32]
    detector: CopyDetector
    works: PictureDetector | None = None

    @cached_property
    def item_count(self) -> int:
        """How many items there are; their rows come first."""
        return len({*self.item_ids})

    def ids_of(self, rows: NDArray[np.int64]) -> tuple[str, ...]:
        """Return the ids of the items in some rows, each once, in their order."""
        return tuple(sorted({self.item_ids[row] for row in rows}))


@dataclass(frozen=True)
class Matched:
    """Pictures, uint8 (G, C, H, W), with their embeddings and best matches, and what the rules look at."""

    pictures: Pixels
    vectors: NDArray[np.float32]
    matches: BestMatches
    evidence: ComparisonBlock


# `match_against`, or another function that returns the same.
Matcher: TypeAlias = Callable[[Corpus, Pixels, Embedder, int], Matched]
# Returns the picture with a number, whole, upright and RGB.
LoadPicture: TypeAlias = Callable[[int], Image.Image]


def build_corpus(
    workspace: Workspace,
    sealed: SealedSet,
    recipe: ViewRecipe,
    embedder: Embedder,
    backgrounds: Sequence[TrainingBackground] = (),
    size: ComparisonSize | None = None,
) -> Corpus:
    """Gather what pictures are matched with; over further backgrounds too, where an item looks otherwise there.

    Args:
        workspace: holds the items' bytes.
        sealed: the items.
        recipe: of the views compared.
        embedder: makes the shortlists.
        backgrounds: beside white, that training may have used.
        size: at which whole pictures are compared; None where they are not.
    """
    store = open_view_store(workspace)
    rows = list_training_rows(store, sealed.manifest.root, sealed.blobs, recipe, backgrounds)
    vectors = [embedder.embed(batch) for batch in _originals(store, rows)]
    views = store.load_stored(rows.root, rows.blobs, recipe, backgrounds=rows.backgrounds).rows
    side = load_training_set(store.folder, rows.root, recipe, rows.blobs, views)
    detector = load_copy_detector(store, rows.root, rows.blobs, backgrounds=rows.backgrounds).detector
    works = None
    if size is not None:
        pictures = load_pictures(store, rows.root, rows.blobs, size, backgrounds=rows.backgrounds)
        works = PictureDetector.of(pictures, detector, load_regions(pictures, rows.root).index)
    ids = tuple(sealed.items[item].id for item in rows.items)
    return Corpus(ids, side, np.concatenate(vectors), detector, works)


def match_against(corpus: Corpus, pictures: Pixels, embedder: Embedder, neighbours: int) -> Matched:
    """Match pictures with a corpus.

    Args:
        corpus: of the training set.
        pictures: uint8 (G, C, H, W).
        embedder: makes the shortlists.
        neighbours: length of a shortlist.
    """
    return match_embedded(corpus, pictures, embed_views(pictures, embedder), neighbours)


def match_embedded(corpus: Corpus, pictures: Pixels, vectors: NDArray[np.float32], neighbours: int) -> Matched:
    """Do what `match_against` does with pictures that are embedded already, float32 (G, D)."""
    copies = corpus.detector.detect(np.stack([build_view(image, COPY_RECIPE) for image in _images(pictures)]))
    shortlists, cosines = exact_neighbours(vectors, corpus.vectors, neighbours)
    views = np.asarray(corpus.side.views)
    matches = find_best_matches(pictures, views, shortlists)
    items, scores = best_turned_ssim(pictures, views, shortlists, copies.items, (matches.index, matches.ssim))
    evidence = ComparisonBlock(
        training=corpus.side,
        views=pictures,
        shortlists=shortlists,
        cosines=cosines.astype(np.float64),
        best_item=matches.index,
        best_ssim=matches.ssim,
        hashes=hash_views(pictures),
        copies=ItemScores(copies.scores, copies.items),
        turned=ItemScores(scores, items),
    )
    return Matched(pictures, vectors, matches, evidence)


def find_works(corpus: Corpus, matched: Matched, load_whole: LoadPicture | None = None) -> Matched:
    """Look for works anywhere in pictures that are matched, for the rule of works.

    Args:
        corpus: of the training set, with a detector of works.
        matched: the pictures, matched with it.
        load_whole: as `AuditContext.match` takes it.
    """
    if corpus.works is None:
        raise ValueError("expected a corpus with a detector of works")

    def load(number: int) -> Image.Image:
        return load_whole(number) if load_whole else view_to_image(matched.pictures[number]).convert("RGB")

    found = corpus.works.detect_many(load, matched.evidence.shortlists)
    return replace(matched, evidence=replace(matched.evidence, works=best_works(found)))


def embed_views(views: Pixels, embedder: Embedder) -> NDArray[np.float32]:
    """Embed views, uint8 (N, C, H, W); returns float32 (N, D)."""
    return embedder.embed(_images(views))


def _images(views: Pixels) -> list[Image.Image]:
    return [view_to_image(view).convert("RGB") for view in np.asarray(views)]


def _originals(store: ViewStore, rows: TrainingRows) -> Iterator[list[Image.Image]]:
    for start in range(0, len(rows.blobs), BATCH_ORIGINALS):
        part = slice(start, start + BATCH_ORIGINALS)
        originals = zip(rows.blobs[part], rows.backgrounds[part], strict=True)
        yield [store.load_picture(digest, background) for digest, background in originals]
