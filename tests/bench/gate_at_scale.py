"""`make bench-gate`: what one check of the gate takes at 1,000, 10,000 and 100,000 items, step by step.

Rules, in order:

1. The corpora are real pictures and their transforms (`gate_corpus`), kept below the folder that BENCH_GATE_FOLDER names, so
   that a run can be stopped and goes on. Each size runs in a process of its own: memory is that of one gate.
2. A check is the whole way: bytes in, decision, record, log, receipt out. Its steps are those that the service itself times;
   candidates, alignment and each rule are timed again beside them, alone.
3. Beside every wall-clock time stands the processor time of the process, all threads together: other work on the machine
   lengthens the one and hardly the other.
4. References, in the same run: a loop over scikit-image's SSIM (timed on a sample, and multiplied), NumPy's matrix product,
   and the vector engine's own exact search.
5. ViT-B-32 has random weights, saved and loaded as a deployment loads them. Its forward pass is in the path; the vectors that
   are searched stay those of the pixel embedder, as wide, because to embed 100,000 pictures takes hours on two cores.
6. Writes docs/results/gate.json and gate.md. With sizes as arguments only those are measured; the others are kept.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from services.audit.comparison.context import AuditContext
from services.audit.controls.calibration import calibrate_model, record_calibration
from services.output_gate.checks.answers import build_answers
from services.output_gate.checks.service import check_generations
from services.output_gate.gate import Gate, ReadyModel, view_recipe
from services.output_gate.opening import open_gate
from services.output_gate.policy.policy import DEFAULT_POLICY, load_policy_file
from shared.errors import SleeveError
from shared.index.exact_neighbours import exact_neighbours
from shared.matching.copy_detection.copy_embedder import RECIPE
from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.training_set.view_hashes import hash_views
from shared.records.checks import Check
from shared.records.models import list_calibrations, load_model_record
from shared.vision.embedding import Embedder, open_embedder
from shared.vision.image_decoding import decode_image
from shared.vision.views import Pixels, build_view, view_to_image
from shared.workspace import Workspace
from tests.bench.gate_corpus import MODEL, build_corpus, load_asked
from tests.bench.gate_page import write_page
from tests.bench.run import describe_machine
from tests.support.paths import RESULTS

SIZES = (1_000, 10_000, 100_000)
NEIGHBOURS, RATE = 1000, 0.001
# Asked one at a time before timing begins, and timed alone: enough for a median.
WARM, ALONE, PAIRS = 5, 24, 200


@dataclass
class PassedThrough:
    """The pixel embedder behind another one's forward pass (rule 5)."""

    real: Embedder
    passed: Embedder

    def __getattr__(self, name: str) -> Any:
        """Answer for name, digest and width of the vectors that are searched."""
        return getattr(self.real, name)

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Do both, and keep the pixel vectors."""
        self.passed.embed(images)
        return self.real.embed(images)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall-clock and processor milliseconds."""
    wall, used = perf_counter(), process_time()
    work()
    return (perf_counter() - wall) * 1000, (process_time() - used) * 1000


def spread(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return median and 95th percentile of wall-clock times, and the median of processor times."""
    wall, used = np.array(times).T
    return {
        "runs": len(times),
        "p50_ms": round(float(np.median(wall)), 2),
        "p95_ms": round(float(np.percentile(wall, 95)), 2),
        "processor_ms": round(float(np.median(used)), 2),
    }


def ask(gate: Gate, images: Sequence[bytes]) -> list[Check]:
    """Check generations and make their answers; an error is one."""
    outcomes = check_generations(gate, MODEL, images)
    errors = [outcome for outcome in outcomes if isinstance(outcome, SleeveError)]
    if errors:
        raise SystemExit(f"a generation was refused: {errors[0].message}")
    checks = [outcome for outcome in outcomes if isinstance(outcome, Check)]
    build_answers(gate.workspace, checks)
    return checks


def _ask_into(checks: list[Check], gate: Gate, data: bytes) -> None:
    checks.extend(ask(gate, [data]))


def measure_checks(gate: Gate, images: Sequence[bytes]) -> dict[str, Any]:
    """Time checks one at a time, whole and by the service's own steps."""
    for data in images[:WARM]:
        ask(gate, [data])
    times, steps = [], []
    for data in images:
        checks: list[Check] = []
        times.append(timed(partial(_ask_into, checks, gate, data)))
        steps.append(checks[0].timings_ms)
        if checks[0].decision == "undecided":
            raise SystemExit(f"undecided: {checks[0].result['reason']}")
    names = list(dict.fromkeys(name for step in steps for name in step))
    whole = spread(times)
    by_step = {
        name: {
            "p50_ms": round(float(np.median([step.get(name, 0) for step in steps])), 2),
            "p95_ms": round(float(np.percentile([step.get(name, 0) for step in steps], 95)), 2),
        }
        for name in names
    }
    return whole | {"steps": by_step}


def measure_batch(gate: Gate, images: Sequence[bytes]) -> dict[str, float]:
    """Check all in one call."""
    wall, used = timed(lambda: ask(gate, images))
    return {
        "generations": len(images),
        "a_second": round(len(images) / wall * 1000, 1),
        "processor_ms_a_check": round(used / len(images), 2),
    }


def measure_alone(gate: Gate, ready: ReadyModel, views: Pixels) -> dict[str, Any]:
    """Time searches and rules by themselves, beside their references."""
    corpus = ready.corpus
    vectors = gate.embedder.embed([view_to_image(view) for view in views])
    if corpus.vectors is None:
        raise SystemExit("expected a corpus that is searched exactly")
    copies = np.stack([build_view(view_to_image(view), RECIPE) for view in views])
    shortlists, cosines = corpus.vectors.nearest(vectors, NEIGHBOURS)
    described = corpus.detector.descriptor.describe(copies)
    expected = exact_neighbours(vectors, corpus.vectors.rows, NEIGHBOURS)
    points = corpus.detector.points
    found_points, expected_points = points.nearest(described, 80), exact_neighbours(described, points.rows, 80)
    each = [slice(at, at + 1) for at in range(len(views))]
    exact = dict.fromkeys(("nearest_items", "nearest_points"), 0.0)
    exact["nearest_items"] = same_share(shortlists, expected[0])
    exact["nearest_points"] = same_share(found_points[0], expected_points[0])
    held = corpus.vectors
    searches: dict[str, Callable[[slice], object]] = {
        "nearest_items": lambda rows: held.nearest(vectors[rows], NEIGHBOURS),
        "nearest_items_numpy": lambda rows: exact_neighbours(vectors[rows], held.rows, NEIGHBOURS),
        "nearest_items_engine": lambda rows: gate.index.neighbours(
            vectors[rows][0], NEIGHBOURS, corpus.manifest.id, exact=True
        ),
        "copy_descriptor": lambda rows: corpus.detector.descriptor.describe(copies[rows]),
        "copy_candidates": lambda rows: corpus.detector.find_candidates(copies[rows]),
        "copy_candidates_numpy_one_side": lambda rows: exact_neighbours(described[rows], points.rows, 80),
        "copy_candidates_and_alignment": lambda rows: corpus.detector.detect(copies[rows]),
        "hash_of_the_generation": lambda rows: hash_views(views[rows]),
    }
    alone = {name: spread([timed(partial(work, rows)) for rows in each]) for name, work in searches.items()}
    for rule in ready.panel:
        times = []
        for rows in each:
            evidence = ComparisonBlock(
                corpus.side, views[rows], shortlists[rows], cosines[rows].astype(np.float64), shortlists[rows, 0],
                cosines[rows, 0].astype(np.float64), hash_views(views[rows]),
            )  # fmt: skip
            times.append(timed(partial(rule.score, evidence)))
        alone[f"rule {rule.name}"] = spread(times)
    return {"times": alone, "same_as_numpy": exact}


def same_share(shortlists: NDArray[np.int64], expected: NDArray[np.int64]) -> float:
    """Return the mean share of the expected neighbours that were found."""
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in zip(shortlists.tolist(), expected.tolist(), strict=True)]))


def measure_brute_force(ready: ReadyModel, generation: Pixels) -> dict[str, float]:
    """Time scikit-image's SSIM on a sample of pairs, and say what all pairs of one generation would take."""
    views = ready.corpus.side.views
    chosen = np.linspace(0, len(views) - 1, PAIRS).astype(int)

    def loop() -> None:
        for at in chosen:
            structural_similarity(generation, views[at], channel_axis=0, data_range=255)

    loop()
    wall, used = timed(loop)
    return {
        "pairs_timed": PAIRS,
        "ms_a_pair": round(wall / PAIRS, 3),
        "processor_ms_a_pair": round(used / PAIRS, 3),
        "seconds_a_generation_extrapolated": round(used / PAIRS * len(views) / 1000, 2),
    }


def memory() -> dict[str, int]:
    """Return what this process has in memory, MiB: its own, mapped files, and the most it ever had together."""
    lines = (line.split() for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    held = {line[0].rstrip(":"): int(line[1]) // 1024 for line in lines if line[0] in {"RssAnon:", "RssFile:", "VmHWM:"}}
    return {"own": held["RssAnon"], "mapped_files": held["RssFile"], "peak": held["VmHWM"]}


def prepare(home: Path, size: int) -> tuple[Workspace, dict[str, float]]:
    """Build corpus, index and calibration where they are missing, and time making the model ready."""
    workspace = build_corpus(home, size)
    with workspace.reading() as session:
        model = load_model_record(session, MODEL)
        calibrated = bool(list_calibrations(session, model.id))
    taken = home / "ready.json"
    if not taken.exists():
        for path in (home / "views").glob("*"):
            path.unlink()
        gate = open_gate(workspace, patience_seconds=None)
        catch_up, _ = timed(gate.indexer.catch_up)
        build, used = timed(lambda: gate.corpora.load(model.manifest_id, view_recipe(model)))
        gate.close()
        seconds = {"catch_up_seconds": catch_up, "build_seconds": build, "build_processor_seconds": used}
        taken.write_text(json.dumps({name: round(value / 1000, 1) for name, value in seconds.items()}), encoding="utf-8")
    if not calibrated:
        embedder = open_embedder(workspace.settings.embedder)
        calibrated_model = calibrate_model(AuditContext(workspace, "control", embedder, NEIGHBOURS, RATE), MODEL)
        with workspace.writing() as session:
            record_calibration(session, calibrated_model, (), RATE)
    figures: dict[str, float] = json.loads(taken.read_text(encoding="utf-8"))
    return workspace, figures


def measure_size(home: Path, size: int) -> dict[str, Any]:
    """Measure everything at one size."""
    workspace, building = prepare(home, size)
    with workspace.reading() as session:
        model = load_model_record(session, MODEL)
    gate = open_gate(workspace, load_policy_file(DEFAULT_POLICY), patience_seconds=None)
    before = memory()
    load, _ = timed(lambda: gate.load_ready_model(model))
    copies, held_out = load_asked(home)
    images = [data for pair in zip(copies, held_out, strict=True) for data in pair]
    checks = measure_checks(gate, images)
    after = memory()
    batch = measure_batch(gate, images)
    ready = gate.load_ready_model(model)
    views = np.stack([build_view(decode_image(data, workspace.limits).pixels, view_recipe(model)) for data in images[:ALONE]])
    figures: dict[str, Any] = {
        "load_on": os.getloadavg()[0],
        "ready": building | {"load_seconds": round(load / 1000, 2)},
        "check": checks,
        "batch": batch,
        "memory_mib": {"before": before, "after_checks": after, "after_batch": memory()},
        "alone": measure_alone(gate, ready, views),
        "brute_force": measure_brute_force(ready, views[1]),
    }
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        torch.save(open_clip.create_model("ViT-B-32").state_dict(), Path(folder) / "random.pt")
        gate.embedder = PassedThrough(gate.embedder, open_embedder(f"open_clip:ViT-B-32:{folder}/random.pt"))
        figures["check_with_vit"] = measure_checks(gate, images[:20])
        figures["batch_with_vit"] = measure_batch(gate, images[:32])
    gate.close()
    workspace.engine.dispose()
    return figures


def main() -> None:
    """Measure the sizes that are named, or all; each in a process of its own."""
    folder = Path(os.environ.get("BENCH_GATE_FOLDER", Path(tempfile.gettempdir()) / "sleeve-bench-gate"))
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        figures = measure_size(folder / sys.argv[2], int(sys.argv[2]))
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    path = RESULTS / "gate.json"
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"sizes": {}}
    for size in [int(size) for size in sys.argv[1:]] or SIZES:
        command = [sys.executable, "-m", "tests.bench.gate_at_scale", "--one", str(size)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        kept["sizes"][str(size)] = json.loads(done.stdout.splitlines()[-1])
        kept |= {"measured": datetime.now(UTC).date().isoformat(), "machine": describe_machine()}
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        write_page(kept, RESULTS / "gate.md")


if __name__ == "__main__":
    main()
