"""Embedding of many files: threads load, decode and prepare pictures while the model is busy, in bounded memory.

Rules, in order:

1. Vectors come in the order of the sources, a batch at a time.
2. At most a few batches of prepared pictures exist at once, however many sources there are. An original is dropped as soon as
   it is prepared.
3. A source that cannot be loaded or decoded raises its error where its vector would have been. None is skipped.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.blobs import BlobStore
from shared.vision.embedding.embedder import Embedder
from shared.vision.image_decoding import decoding
from shared.vision.image_limits import ImageLimits

# Pictures a batch: larger ones gained nothing for ViT-B-32 on two CPU cores.
BATCH_IMAGES = 32
# Batches prepared ahead of the model: one to take next, one to cover a slow picture.
BATCHES_AHEAD = 2

Source = TypeVar("Source")


def embed_files(embedder: Embedder, paths: Iterable[Path], limits: ImageLimits) -> Iterator[NDArray[np.float32]]:
    """Embed image files.

    Args:
        embedder: the map.
        paths: the files; read as they are needed.
        limits: what an image may cost.

    Yields:
        float32 (at most 32, D), rows of length 1, in the order of the paths.

    Raises:
        InputError: a file is no acceptable image.
        OSError: a file cannot be read.
    """
    return _embed(embedder, paths, lambda path: path.read_bytes(), limits)


def embed_blobs(
    embedder: Embedder, sha256s: Iterable[str], blobs: BlobStore, limits: ImageLimits
) -> Iterator[NDArray[np.float32]]:
    """Embed stored blobs.

    Args:
        embedder: the map.
        sha256s: digests of the blobs; read as they are needed.
        blobs: where the bytes are.
        limits: what an image may cost.

    Yields:
        float32 (at most 32, D), rows of length 1, in the order of the digests.

    Raises:
        InputError: a blob is no acceptable image.
        NotFoundError: a blob is missing.
        CorruptStateError: a blob is damaged.
    """
    return _embed(embedder, sha256s, blobs.load, limits)


def _embed(
    embedder: Embedder, sources: Iterable[Source], load: Callable[[Source], bytes], limits: ImageLimits
) -> Iterator[NDArray[np.float32]]:
    def prepare(source: Source) -> Any:
        with decoding(load(source), limits) as image:
            return embedder.prepare(image.pixels)

    pending: deque[Future[Any]] = deque()
    rest = iter(sources)
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="prepare") as pool:
        try:
            while True:
                free = BATCH_IMAGES * (1 + BATCHES_AHEAD) - len(pending)
                pending.extend(pool.submit(prepare, source) for source in islice(rest, free))
                if not pending:
                    return
                batch = [pending.popleft().result() for _ in range(min(BATCH_IMAGES, len(pending)))]
                yield embedder.embed_prepared(batch)
        finally:
            for future in pending:
                future.cancel()
