"""Several small models at a time, one process and one thread each: faster than one after the other on few cores.

Rules, in order:

1. A 24 px network is too small to keep two cores busy; two of them, one a core, are. Each process trains and samples its
   model through the same functions as a single run, so an interrupted run is resumed the same way.
2. At most so many processes run as are asked for; the next model begins when one is finished.
3. When the parent stops for any reason, SIGKILL included, the processes stop too; their checkpoints carry on the next time.
4. A job that fails stops the others, and its error is raised here.
"""

import multiprocessing
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.audit.models.trained_models import train_model
from services.audit.processes.parent_process import end_with_parent
from services.audit.sampling.samples import sample_model
from services.audit.training.training_config import TrainingConfig
from shared.errors import SleeveError, UnavailableError
from shared.progress import ProgressCallback
from shared.settings import Settings
from shared.workspace import open_workspace

# How often the parent looks whether a process died without a word.
POLL_SECONDS = 0.5

OnNews = Callable[[int, str, int, int], None]


@dataclass(frozen=True)
class ModelJob:
    """One model to train and sample."""

    name: str
    manifest: str
    config: TrainingConfig
    samples: int
    sample_seed: int
    sample_steps: int
    # Updates after which the model is kept as it is then, and how many images to draw from it: the first of the same seeds.
    kept_at: tuple[int, ...] = ()
    kept_samples: int = 0


@dataclass(frozen=True)
class _Progress:
    at: int
    step: str
    done: int
    of: int


@dataclass(frozen=True)
class _Finished:
    at: int
    samples: Path


@dataclass(frozen=True)
class _Failed:
    error: SleeveError


def train_and_sample(
    settings: Settings, jobs: Sequence[ModelJob], on_news: OnNews, *, at_once: int | None = None
) -> list[Path]:
    """Train and sample models side by side.

    Args:
        settings: of the workspace they share.
        jobs: what to make; each should ask for one thread.
        on_news: told (position of the job, "training" | "kept" | "sampling", done, in all); "kept" is sampling of kept models.
        at_once: how many at a time; all of them where it is not given.

    Returns:
        The folders of samples, in the order of the jobs.

    Raises:
        SleeveError: what the first failing job met.
        UnavailableError: a process died, for want of memory say.
    """
    finished: dict[int, Path] = {}
    with _workers(settings, jobs, min(at_once or len(jobs), len(jobs))) as (processes, news):
        while len(finished) < len(jobs):
            try:
                one = news.get(timeout=POLL_SECONDS)
            except queue.Empty:
                _check_alive(processes, [job.name for at, job in enumerate(jobs) if at not in finished])
                continue
            if isinstance(one, _Failed):
                raise one.error
            if isinstance(one, _Finished):
                finished[one.at] = one.samples
            else:
                on_news(one.at, one.step, one.done, one.of)
    return [finished[at] for at in range(len(jobs))]


@contextmanager
def _workers(settings: Settings, jobs: Sequence[ModelJob], count: int) -> Iterator[tuple[list[Any], Any]]:
    # Spawned, not forked: a fork of a process with running threads (torch, databases) may never come to life. A worker makes
    # one model after another, since loading torch takes some seconds.
    context = multiprocessing.get_context("spawn")
    news: Any = context.Queue()
    waiting: Any = context.Queue()
    for task in [*enumerate(jobs), *[None] * count]:
        waiting.put(task)
    processes = [context.Process(target=_work, args=(settings, waiting, news), daemon=True) for _ in range(count)]
    try:
        for process in processes:
            process.start()
        yield processes, news
    finally:
        for process in processes:
            process.terminate()
            process.join()
        waiting.cancel_join_thread()


def _check_alive(processes: Sequence[Any], unfinished: Sequence[str]) -> None:
    for process in processes:
        if process.exitcode not in {None, 0}:
            raise UnavailableError(
                f"a process died with status {process.exitcode}; unfinished models: {', '.join(unfinished)}",
                code="worker_died",
            )


def _work(settings: Settings, waiting: Any, news: Any) -> None:
    # Ctrl-C reaches the whole group; the parent speaks for all, and checkpoints make a sudden end harmless.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()
    while (task := waiting.get()) is not None:
        at, job = task
        try:
            news.put(_Finished(at, _run(settings, at, job, news)))
        except SleeveError as error:
            news.put(_Failed(error))


def _run(settings: Settings, at: int, job: ModelJob, news: Any) -> Path:
    def told(step: str) -> ProgressCallback:
        return lambda done, of: news.put(_Progress(at, step, done, of))

    workspace = open_workspace(settings)
    train_model(workspace, job.name, job.manifest, job.config, told("training"), keep_at=job.kept_at)

    def draw(count: int, step: str, kept_at: int | None = None) -> Path:
        return sample_model(
            workspace,
            job.name,
            count,
            job.sample_seed,
            job.sample_steps,
            told(step),
            num_threads=job.config.num_threads,
            kept_at=kept_at,
        )

    for update in job.kept_at:
        draw(job.kept_samples, "kept", update)
    return draw(job.samples, "sampling")
