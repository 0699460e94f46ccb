"""Matching on many processes with Ray, where it is installed and asked for. Nothing else of Sleeve needs Ray.

Rules, in order:

1. Each task calls the functions of the plain path on some of the pictures. A picture's figures do not depend on the others
   (ADR 17), so the parts, joined in order, are what the plain path returns, byte for byte.
2. The vectors of a network do depend on the others. They are made here, as in the plain path, and sent along.
3. The corpus is put into the object store once. A task works on one core.
4. Ray starts with the first pictures, on this machine alone: without usage statistics or dashboard, its ports on the loopback,
   its files in a temporary folder. RAY_ADDRESS names a running cluster to use instead.
5. A task whose process dies is started again, three times. A failure after that, or inside a task, is an error. An audit is
   recorded whole or not at all, and its samples stay.
"""

import importlib
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.matching import Corpus, Matched, Matcher, embed_views, match_against, match_embedded
from shared.compute.threads import cut_evenly, limited_cores, usable_cores
from shared.errors import InputError, SleeveError, UnavailableError
from shared.index.coded_scan import ScannedRows
from shared.matching.panel.comparison_block import ComparisonBlock
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels

Vectors = NDArray[np.float32]

# Pictures of the smallest part that is worth a task.
LEAST_PICTURES = 16
CONNECT_SECONDS = 10
# Of a local Ray. By default it takes the address by which other machines reach this one, unless it believes that there can be
# no other; it reads this once, when it is imported. The token keeps other users of this machine out.
LOCAL_SETTINGS = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


@contextmanager
def open_matcher(*, by_ray: bool) -> Iterator[Matcher]:
    """Yield what matches pictures until the block ends: `match_against`, or the same by Ray.

    Raises:
        InputError: Ray is asked for and not installed.
    """
    if not by_ray:
        yield match_against
        return
    with RayMatcher(_import_ray()) as matcher:
        yield matcher


def _import_ray() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.update(LOCAL_SETTINGS)
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise InputError(
            "Ray is not installed; install it with: pip install 'sleeve[ray]'", code="ray_not_installed"
        ) from error


class RayMatcher:
    """`match_against` on as many processes as Ray has cores; a context that stops what it started.

    Args:
        ray: the package.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._cleanup = ExitStack()
        self._stored_corpus: tuple[Corpus, Any] | None = None

    def __enter__(self) -> Self:
        """Do nothing yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop Ray if it was started."""
        self._stored_corpus = None
        self._cleanup.close()

    def __call__(self, corpus: Corpus, pictures: Pixels, embedder: Embedder, neighbours: int) -> Matched:
        """Do what `match_against` does.

        Raises:
            SleeveError: what it raises.
            UnavailableError: Ray cannot be started or reached, its processes die again and again, or a task fails.
        """
        if len(pictures) < 2 * LEAST_PICTURES:
            return match_against(corpus, pictures, embedder, neighbours)
        embedding = embedder if isinstance(embedder, PixelEmbedder) else embed_views(pictures, embedder)
        try:
            parts = self._match_parts(corpus, pictures, embedding, neighbours)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, SleeveError):
                raise error.cause from error
            raise UnavailableError(f"a task of Ray failed: {error.cause!r}", code="ray_task_failed") from error
        except (self._ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
            raise UnavailableError(f"Ray failed: {error}", code="ray_failed") from error
        vectors, matches, shortlists, cosines, hashes, copies, turned = (
            _join(list(column)) for column in zip(*parts, strict=True)
        )
        best = matches.index, matches.ssim
        evidence = ComparisonBlock(corpus.side, pictures, shortlists, cosines, *best, hashes, copies, turned)
        return Matched(pictures, vectors, matches, evidence)

    def _match_parts(
        self, corpus: Corpus, pictures: Pixels, embedding: Embedder | Vectors, neighbours: int
    ) -> list[tuple[Any, ...]]:
        if not self._ray.is_initialized():
            _start(self._ray, self._cleanup)
        if self._stored_corpus is None or self._stored_corpus[0] is not corpus:
            self._stored_corpus = corpus, self._ray.put(_in_memory(corpus))
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        task = self._ray.remote(_match_part)
        tasks = []
        for start, stop in cut_evenly(len(pictures), min(cores, len(pictures) // LEAST_PICTURES)):
            of_part = embedding[start:stop] if isinstance(embedding, np.ndarray) else embedding
            tasks.append(task.remote(self._stored_corpus[1], np.asarray(pictures[start:stop]), of_part, neighbours))
        return list(self._ray.get(tasks))


def _start(ray: Any, cleanup: ExitStack) -> None:
    """Start Ray on this machine, or join the cluster that is named; `cleanup` undoes it."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address := os.environ.get("RAY_ADDRESS"):
        _try_to_connect(address)
        ray.init(address, **quiet)
    else:
        folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="sleeve-ray-", ignore_cleanup_errors=True))
        ray.init("local", num_cpus=usable_cores(), include_dashboard=False, _temp_dir=folder, **quiet)
    cleanup.callback(ray.shutdown)


def _try_to_connect(address: str) -> None:
    """Raise OSError where nothing answers at host:port; Ray itself would go on trying for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()


def _in_memory(corpus: Corpus) -> Corpus:
    """Take memory maps for the arrays that they are, which Ray shares among the processes of a machine."""
    detector, points = corpus.detector, corpus.detector.points
    scanned = ScannedRows(np.asarray(points.rows), np.asarray(points.codes), np.asarray(points.terms))
    return replace(
        corpus,
        side=replace(corpus.side, views=np.asarray(corpus.side.views)),
        detector=replace(detector, views=np.asarray(detector.views), points=scanned),
    )


def _match_part(corpus: Corpus, pictures: Pixels, embedding: Embedder | Vectors, neighbours: int) -> tuple[Any, ...]:
    """Match a part, and return what belongs to the pictures alone: the corpus does not travel back."""
    with limited_cores(1):
        if isinstance(embedding, np.ndarray):
            matched = match_embedded(corpus, pictures, embedding, neighbours)
        else:
            matched = match_against(corpus, pictures, embedding, neighbours)
    evidence = matched.evidence
    found = evidence.shortlists, evidence.cosines, evidence.hashes, evidence.copies, evidence.turned
    return matched.vectors, matched.matches, *found


def _join(parts: list[Any]) -> Any:
    """Put arrays, or the arrays of records field by field, one after another."""
    first: Any = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    if isinstance(first, str):  # a setting, the same for every part
        return first
    return type(first)(*(_join([getattr(part, field.name) for part in parts]) for field in fields(first)))
