"""What all steps of an audit share: one value, made once and handed on from function to function."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.matching import Corpus, LoadPicture, Matched, Matcher, embed_views, find_works, match_against
from shared.index.exact_neighbours import exact_neighbours
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.whole_picture.local_features import ComparisonSize
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels
from shared.workspace import Workspace


@dataclass(frozen=True)
class AuditContext:
    """How models are audited.

    Attributes:
        workspace: holds the models, the manifests and the items' bytes.
        control: name or id of the held-out manifest.
        embedder: makes the shortlists.
        neighbours: length of a shortlist.
        rate: chosen false-positive rate, 0 < rate ≤ 0.5.
        relied_on: rules that the figures rest on; an audit is void where a control fails by one of them. None is every rule.
        all_pairs: write `pairs.parquet` as well.
        matcher: matches pictures with a corpus.
        whole_pictures: look for works anywhere in pictures as well; the gate's rule of works needs it.
    """

    workspace: Workspace
    control: str
    embedder: Embedder
    neighbours: int
    rate: float
    relied_on: Collection[str] | None = None
    all_pairs: bool = False
    matcher: Matcher = match_against
    whole_pictures: bool = True

    @property
    def comparison_size(self) -> ComparisonSize | None:
        """At which size whole pictures are compared; None where they are not."""
        return ComparisonSize(self.workspace.settings.comparison_px) if self.whole_pictures else None

    def match(self, corpus: Corpus, pictures: Pixels, load_whole: LoadPicture | None = None) -> Matched:
        """Match pictures with a corpus.

        Args:
            corpus: of the training set.
            pictures: uint8 (G, C, H, W).
            load_whole: returns the picture with a number, whole; by default what was given is all there is of it.
        """
        matched = self.matcher(corpus, pictures, self.embedder, self.neighbours)
        return find_works(corpus, matched, load_whole) if corpus.works else matched

    def find_best_ssim(
        self, pictures: Pixels, views: Pixels, vectors: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the best SSIM of pictures as `match` does, and nothing else.

        Args:
            pictures: uint8 (G, C, H, W).
            views: uint8 (N, C, H, W), what they are compared with.
            vectors: float32 (N, D), embeddings of the originals of these.

        Returns:
            The row of the best view of each picture, int64 (G,), and the SSIM with it, float64 (G,).
        """
        shortlists, _ = exact_neighbours(embed_views(pictures, self.embedder), vectors, self.neighbours)
        return best_ssim(pictures, views, shortlists)
