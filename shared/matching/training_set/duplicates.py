"""Duplicate clusters of a training set: a match names the whole cluster, and the l2-ratio rule takes d2 outside it.

Rules, in order:

1. Items of the same bytes, or of the same canonical view, are duplicates.
2. Items are near duplicates where their perceptual hashes are within the published distance and their views are similar by
   SSIM as well. Each test alone joins flat pictures that are different works: hashes see few bits of them, SSIM much white.
3. Clusters are the connected components, so a chain of small changes is one cluster. Labels follow the order of the items.

Source: Facebook 2019 (PDQ) for the distance; Webster et al. 2023, "On the De-duplication of LAION-2B", for clusters as
connected components.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.matching.training_set.training_set import Clusters, Pairs
from shared.matching.training_set.view_hashes import ViewHashes
from shared.vision.near_hash_pairs import near_pairs
from shared.vision.perceptual_hash import MATCH_DISTANCE
from shared.vision.similarity.ssim_constants import UNIFORM_SIDE_PX
from shared.vision.views import Pixels

# The level from which SSIM of faces and drawings is a copy by eye in the studies of docs/methods/decision.md.
NEAR_SSIM = 0.9
# Pairs measured at once, so that many near pairs of large views fit into memory.
BLOCK_PAIRS = 1024


def build_clusters(blob_sha256s: Sequence[str], views: Pixels, hashes: ViewHashes) -> Clusters:
    """Cluster the items of a training set.

    Args:
        blob_sha256s: digests of the items' bytes.
        views: uint8 (N, C, H, W), their canonical views.
        hashes: PDQ of the views.

    Raises:
        InputError: lengths that differ.
    """
    if not len(blob_sha256s) == len(views) == len(hashes):
        raise InputError(f"expected one digest, view and hash each, got {len(blob_sha256s)}, {len(views)}, {len(hashes)}")
    exact = _same(blob_sha256s) + _same([sha256_hex(np.ascontiguousarray(view).tobytes()) for view in views])
    links = np.array(sorted(set(exact)), dtype=np.int64).reshape(-1, 2)
    near = _near(views, hashes)
    return Clusters(_components(len(views), np.concatenate([links, near])), links, near)


def _same(keys: Sequence[str]) -> list[tuple[int, int]]:
    """Link each item to the first one with its key."""
    first: dict[str, int] = {}
    return [(first[key], at) for at, key in enumerate(keys) if first.setdefault(key, at) != at]


def _near(views: Pixels, hashes: ViewHashes) -> Pairs:
    clear = np.flatnonzero(hashes.defined)
    if min(views.shape[2:]) < UNIFORM_SIDE_PX:
        return np.empty((0, 2), dtype=np.int64)
    blocks = [np.empty((0, 2), dtype=np.int64)]
    for pairs in near_pairs(hashes.packed[clear], MATCH_DISTANCE):
        for start in range(0, len(pairs), BLOCK_PAIRS):
            block = clear[pairs[start : start + BLOCK_PAIRS]]
            blocks.append(block[_pair_ssim(views, block) >= NEAR_SSIM])
    return np.concatenate(blocks)


def _pair_ssim(views: Pixels, pairs: Pairs) -> NDArray[np.float64]:
    return pairwise_ssim(np.ascontiguousarray(views[pairs[:, 0]]), np.asarray(views), pairs[:, 1:])[:, 0]


def _components(count: int, pairs: Pairs) -> NDArray[np.int64]:
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
