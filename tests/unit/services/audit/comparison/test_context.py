"""The context of an audit: the best SSIM alone is that of a whole match, and the matcher can be another."""

from dataclasses import replace

import numpy as np

from services.audit.comparison.matching import Corpus, Matched, match_against
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels
from shared.workspace import Workspace
from tests.unit.services.audit.tiny_slices import SLICE, build_slice


def test_the_best_ssim_alone_is_that_of_a_match(workspace: Workspace) -> None:
    tiny = build_slice(workspace)
    corpus, pictures = tiny.calibration.corpus, tiny.noisy_copies()
    rows, scores = tiny.context.find_best_ssim(pictures, corpus.side.views, corpus.vectors)
    matches = tiny.context.match(corpus, pictures).matches
    assert rows.tolist() == matches.index.tolist()
    assert np.array_equal(scores, matches.ssim)


def test_another_matcher_gets_the_pictures_with_embedder_and_neighbours(workspace: Workspace) -> None:
    tiny = build_slice(workspace)
    calls: list[tuple[int, str, int]] = []

    def matcher(corpus: Corpus, pictures: Pixels, embedder: Embedder, neighbours: int) -> Matched:
        calls.append((len(pictures), embedder.name, neighbours))
        return match_against(corpus, pictures, embedder, neighbours)

    replace(tiny.context, matcher=matcher, neighbours=3).match(tiny.calibration.corpus, tiny.noisy_copies())
    assert calls == [(SLICE, tiny.context.embedder.name, 3)]
