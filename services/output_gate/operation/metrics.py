"""Metrics in Prometheus' text format: what the gate did, how long its steps take, how far the index is, what is missing.

Rules, in order:

1. What the log and the database know, such as decisions, flags, jobs and gaps, is counted from them: every server over one
   database gives the same figure, whichever process did the work. Of several such servers take one; do not add.
2. Durations are of the process that answers, as `process_start_time_seconds` is; add them over servers. Several processes
   behind one port need `PROMETHEUS_MULTIPROC_DIR`, the client's own way of adding them up.
3. Labels are decisions, codes, steps, states and kinds: no ids and no names, and so no person.
4. What cannot be asked is left out, and `sleeve_scrape_failed` names it; a scrape never fails.

Source: Prometheus exposition formats, text format 0.0.4; prometheus_client documentation, "Multiprocess Mode".
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic

import structlog
from prometheus_client import CollectorRegistry, Histogram, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from services.output_gate.completeness.count import Completeness, CompletenessCount
from services.output_gate.gate import Gate
from shared.errors import SleeveError
from shared.records.flags import count_flags
from shared.records.jobs import count_jobs

# A count of completeness is renewed at most so often: it reads the entries that came since.
RECOUNT_SECONDS = 10.0
# From a fraction of the pixel embedder's step to a large model's on a busy machine.
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_DURATIONS = CollectorRegistry()
STEP_SECONDS = Histogram(
    "sleeve_check_step_seconds",
    "Duration of a step of a check; `total` is all of them together. Of this process.",
    ["step"],
    registry=_DURATIONS,
    buckets=BUCKETS_SECONDS,
)

log = structlog.get_logger()


def observe_steps(timings_ms: Mapping[str, float]) -> None:
    """Count how long the steps of a check took."""
    for step, milliseconds in timings_ms.items():
        STEP_SECONDS.labels(step).observe(milliseconds / 1000)


class GateCollector(Collector):
    """Asks log, database and index at each scrape.

    Args:
        gate: index, policy and workspace.
        completeness: the count that the server keeps.
    """

    def __init__(self, gate: Gate, completeness: CompletenessCount) -> None:
        self._gate, self._completeness = gate, completeness
        self._counted: Completeness | None = None
        self._counted_at = float("-inf")
        self._busy = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Yield every family that can be asked for."""
        failed = GaugeMetricFamily("sleeve_scrape_failed", "1 where something could not be asked.", labels=["part"])
        for part, ask in (("log", self._of_log), ("index", self._of_index), ("database", self._of_database)):
            families, code = self._try(part, ask)
            yield from families
            failed.add_metric([part], float(code))
        yield failed

    def _try(self, part: str, ask: Callable[[], Iterable[Metric]]) -> tuple[list[Metric], bool]:
        try:
            return [*ask()], False
        except Exception as error:  # a dependency that is down is what metrics are for: it must not take them along
            code = error.code if isinstance(error, SleeveError) else type(error).__name__
            log.warning("scrape_failed", part=part, code=code)
            return [], True

    def _count(self) -> Completeness:
        with self._busy:
            if self._counted is None or monotonic() - self._counted_at > RECOUNT_SECONDS:
                self._counted = self._completeness.bring_up()
                self._counted_at = monotonic()
            return self._counted

    def _of_log(self) -> Iterator[Metric]:
        counted = self._count()
        checks = CounterMetricFamily("sleeve_checks", "Checks decided, by the log.", labels=["decision", "reason"])
        for (decision, reason), count in sorted(counted.recount.decisions.items()):
            checks.add_metric([decision, reason], count)
        yield checks
        yield GaugeMetricFamily("sleeve_log_entries", "Entries under the newest checkpoint.", self._gate.workspace.log.size)
        gaps = GaugeMetricFamily("sleeve_completeness_gaps", "What is missing or doubled, by kind.", labels=["kind"])
        for kind, count in sorted(Counter(gap.kind for gap in counted.gaps).items()):
            gaps.add_metric([kind], count)
        yield gaps
        total = "What is missing or doubled between the log and the database."
        yield GaugeMetricFamily("sleeve_completeness_gaps_all", total, len(counted.gaps))
        open_flags = "Flags raised and without an outcome, by the log."
        yield GaugeMetricFamily("sleeve_flags_open", open_flags, len(counted.recount.open_flags))

    def _of_index(self) -> Iterator[Metric]:
        state = self._gate.indexer.measure()
        behind = "Log entries that the index has not taken in."
        yield GaugeMetricFamily("sleeve_index_behind_entries", behind, state.behind_entries)
        yield GaugeMetricFamily("sleeve_index_behind_seconds", "Age of the oldest of them.", state.behind_seconds)
        yield GaugeMetricFamily("sleeve_index_gaps", "Items that could not be embedded.", state.gaps)
        stopped = float(self._gate.indexer.failure is not None)
        yield GaugeMetricFamily("sleeve_index_stopped", "1 while something stops the indexer.", stopped)

    def _of_database(self) -> Iterator[Metric]:
        with self._gate.workspace.reading() as session:
            flags, jobs = count_flags(session), count_jobs(session)
        by_state = GaugeMetricFamily("sleeve_flags", "Flags by state.", labels=["state"])
        for state, count in sorted(flags.items()):
            by_state.add_metric([state], count)
        yield by_state
        by_kind = GaugeMetricFamily("sleeve_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        for (kind, state), count in sorted(jobs.items()):
            by_kind.add_metric([kind, state], count)
        yield by_kind


def render_metrics(collector: GateCollector) -> bytes:
    """Return everything in the text format."""
    registry = CollectorRegistry()
    registry.register(collector)
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        PlatformCollector(registry)
        ProcessCollector(registry=registry)
    texts = [generate_latest(registry)]
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        texts.append(generate_latest(_DURATIONS))
    return b"".join(texts)
