"""A pool of processes that train and sample small models, a few at a time: faster than one after the other on few cores.

Rules, in order:

1. A network for 24 px is too small to keep two cores busy, so each core gets one of its own. Each process trains and samples
   by the same functions as a single run, so an interrupted run is resumed in the same way.
2. At most so many processes run as are asked for. The next model begins when one is finished.
3. When the parent stops for any reason, SIGKILL included, the processes stop too. Their checkpoints carry on the next time.
4. What the processes record is recorded for whom the parent works.
5. A job that fails stops the others, and its error is raised here.
"""

import multiprocessing
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from services.audit.models.trained_models import train_model
from services.audit.processes.parent_process import end_with_parent
from services.audit.sampling.samples import sample_model
from services.audit.training.training_config import TrainingConfig
from shared.errors import SleeveError, UnavailableError
from shared.ledger.authorship import Author, current_author, writing_for
from shared.progress import ProgressCallback
from shared.settings import Settings
from shared.workspace import open_workspace

# How often the parent checks whether a process died without a message.
POLL_SECONDS = 0.5

# Called with the name of a model, its step ("training", "kept" or "sampling"), the steps done and the steps in all.
# "kept" is the sampling of checkpoints.
ModelProgressCallback: TypeAlias = Callable[[str, str, int, int], None]


@dataclass(frozen=True)
class ModelJob:
    """One model to train and sample.

    Attributes:
        name: of the model.
        manifest: name or id of its training manifest.
        config: what it is trained with.
        generations: how many to draw from it.
        first_seed: seed of the first one; generation i has `first_seed + i`.
        sampling_steps: denoising steps.
        checkpoint_updates: updates after which a checkpoint of the model is saved and sampled.
        checkpoint_generations: how many to draw from each checkpoint, from the same first seed.
    """

    name: str
    manifest: str
    config: TrainingConfig
    generations: int
    first_seed: int
    sampling_steps: int
    checkpoint_updates: tuple[int, ...] = ()
    checkpoint_generations: int = 0


@dataclass(frozen=True)
class _Progress:
    name: str
    step: str
    done: int
    total: int


@dataclass(frozen=True)
class _Finished:
    position: int
    samples: Path


@dataclass(frozen=True)
class _Failed:
    error: SleeveError


def train_and_sample(
    settings: Settings, jobs: Sequence[ModelJob], report_progress: ModelProgressCallback, *, at_once: int | None = None
) -> list[Path]:
    """Train and sample models side by side.

    Args:
        settings: of the workspace they share.
        jobs: the models; each should ask for one thread.
        report_progress: called as the models get on.
        at_once: how many at a time; all of them where it is not given.

    Returns:
        The folders of samples, in the order of the jobs.

    Raises:
        SleeveError: that of the first job that fails.
        UnavailableError: a process died, for want of memory say.
    """
    finished: dict[int, Path] = {}
    with _workers(settings, jobs, min(at_once or len(jobs), len(jobs))) as (processes, messages):
        while len(finished) < len(jobs):
            try:
                message = messages.get(timeout=POLL_SECONDS)
            except queue.Empty:
                _check_alive(processes, [job.name for position, job in enumerate(jobs) if position not in finished])
                continue
            if isinstance(message, _Failed):
                raise message.error
            if isinstance(message, _Finished):
                finished[message.position] = message.samples
            else:
                report_progress(message.name, message.step, message.done, message.total)
    return [finished[position] for position in range(len(jobs))]


@contextmanager
def _workers(settings: Settings, jobs: Sequence[ModelJob], count: int) -> Iterator[tuple[list[Any], Any]]:
    # Spawned, not forked: a fork of a process with running threads (torch, databases) may never come to life. A worker makes
    # one model after another, since loading torch takes some seconds.
    context = multiprocessing.get_context("spawn")
    messages: Any = context.Queue()
    waiting: Any = context.Queue()
    for task in [*enumerate(jobs), *[None] * count]:
        waiting.put(task)
    arguments = (settings, current_author(), waiting, messages)
    processes = [context.Process(target=_work, args=arguments, daemon=True) for _ in range(count)]
    try:
        for process in processes:
            process.start()
        yield processes, messages
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


def _work(settings: Settings, author: Author, waiting: Any, messages: Any) -> None:
    # Ctrl-C reaches the whole group; the parent speaks for all, and checkpoints make a sudden end harmless.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()
    while (task := waiting.get()) is not None:
        position, job = task
        try:
            with writing_for(author):
                samples = _train_and_sample_one(settings, job, messages)
            messages.put(_Finished(position, samples))
        except SleeveError as error:
            messages.put(_Failed(error))


def _train_and_sample_one(settings: Settings, job: ModelJob, messages: Any) -> Path:
    def report(step: str) -> ProgressCallback:
        return lambda done, total: messages.put(_Progress(job.name, step, done, total))

    workspace = open_workspace(settings)
    train_model(workspace, job.name, job.manifest, job.config, report("training"), checkpoint_updates=job.checkpoint_updates)

    def draw(count: int, step: str, checkpoint_update: int | None = None) -> Path:
        return sample_model(
            workspace,
            job.name,
            count,
            job.first_seed,
            job.sampling_steps,
            report(step),
            num_threads=job.config.num_threads,
            checkpoint_update=checkpoint_update,
        )

    for update in job.checkpoint_updates:
        draw(job.checkpoint_generations, "kept", update)
    return draw(job.generations, "sampling")
