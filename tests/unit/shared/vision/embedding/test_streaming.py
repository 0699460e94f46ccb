"""Embedding of many files: the same vectors in the same order, in bounded memory, nothing left out."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.blobs import BlobStore
from shared.errors import InputError, NotFoundError
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.embedding.streaming import BATCH_IMAGES, BATCHES_AHEAD, embed_blobs, embed_files
from shared.vision.image_limits import ImageLimits
from tests.support.factories import picture, png

LIMITS = ImageLimits(max_bytes=1 << 20, max_px=1 << 20, min_side_px=8)
COUNT = 3 * BATCH_IMAGES + 5


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(COUNT)]
    for number, path in enumerate(paths):
        path.write_bytes(png(number))
    return paths


class CountingEmbedder(PixelEmbedder):
    """Counts what is prepared and not yet embedded."""

    def __init__(self) -> None:
        super().__init__(16)
        self.held, self.most_held = 0, 0
        self._lock = threading.Lock()

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        with self._lock:
            self.held += 1
            self.most_held = max(self.most_held, self.held)
        return super().prepare(image)

    def embed_prepared(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        with self._lock:
            self.held -= len(prepared)
        return super().embed_prepared(prepared)


def test_files_give_the_vectors_of_their_pictures_in_order(files: list[Path]) -> None:
    embedder = PixelEmbedder(16)
    batches = [*embed_files(embedder, files, LIMITS)]
    assert [len(batch) for batch in batches] == [BATCH_IMAGES] * 3 + [5]
    np.testing.assert_array_equal(np.concatenate(batches), embedder.embed([picture(number) for number in range(COUNT)]))


def test_blobs_give_the_same(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    digests = [blobs.save(png(number)) for number in range(3)]
    [vectors] = embed_blobs(PixelEmbedder(16), digests, blobs, LIMITS)
    np.testing.assert_array_equal(vectors, PixelEmbedder(16).embed([picture(number) for number in range(3)]))
    with pytest.raises(NotFoundError):
        [*embed_blobs(PixelEmbedder(16), [*digests, "0" * 64], blobs, LIMITS)]


def test_memory_is_bounded_and_sources_are_read_as_needed(files: list[Path]) -> None:
    asked: list[Path] = []

    def sources() -> Iterator[Path]:
        for _ in range(20):
            for path in files:
                asked.append(path)
                yield path

    embedder = CountingEmbedder()
    stream = embed_files(embedder, sources(), LIMITS)
    next(stream)
    assert len(asked) <= (1 + BATCHES_AHEAD) * BATCH_IMAGES
    for _ in range(10):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert embedder.most_held <= (1 + BATCHES_AHEAD) * BATCH_IMAGES


def test_a_bad_file_stops_the_stream_where_it_stands(files: list[Path]) -> None:
    files[BATCH_IMAGES + 1].write_bytes(b"not an image")
    stream = embed_files(PixelEmbedder(16), files, LIMITS)
    assert len(next(stream)) == BATCH_IMAGES
    with pytest.raises(InputError) as caught:
        next(stream)
    assert caught.value.code == "not_an_image"


def test_nothing_gives_nothing() -> None:
    assert [*embed_files(PixelEmbedder(16), [], LIMITS)] == []
