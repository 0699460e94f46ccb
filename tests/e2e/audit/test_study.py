"""A study from end to end, as small as it can be and still run through every step; killed, it comes to the same figures."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.audit.commands.options import EXIT_VOID
from services.audit.reports.kinds.study_report import build_study_report
from services.audit.studies.study import FinishedStudy, run_study
from services.audit.studies.study_config import StudyConfig, load_study_config
from services.commands.main import app
from services.ingest.bulk.pipeline import register_rows
from services.ingest.sources.kinds.imagefolder import read_imagefolder
from shared.canonical import sha256_hex
from shared.errors import ConflictError, CorruptStateError, InputError
from shared.ledger.verify import verify_receipt
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.campaigns.processes import kill, output_of, start
from tests.support.factories import imagefolder

PICTURES = 24


def open_with_pictures(folder: Path) -> Workspace:
    workspace = open_workspace(Settings(home=folder / "home", database_url=None))
    rows = read_imagefolder(imagefolder(folder / "in", PICTURES), "works", "Ada", workspace.limits.max_bytes)
    assert register_rows(workspace, rows).created == PICTURES
    return workspace


@pytest.fixture(scope="module")
def smoke() -> StudyConfig:
    return load_study_config("smoke")


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, smoke: StudyConfig
) -> tuple[Workspace, FinishedStudy, set[tuple[str, str]]]:
    workspace = open_with_pictures(tmp_path_factory.mktemp("study"))
    told: set[tuple[str, str]] = set()
    study = run_study(workspace, smoke, lambda name, step, done, of: told.add((name, step)) if done == of else None)
    return workspace, study, told


def figures(content: dict) -> list[dict]:  # type: ignore[type-arg]
    """What does not hang on the ids that a workspace gives."""
    by_chance = {"audit", "audit_sha256", "manifest_root"}
    return [{key: value for key, value in point.items() if key not in by_chance} for point in content["points"]]


def test_every_model_is_a_point_with_its_figures(finished: tuple, smoke: StudyConfig) -> None:  # type: ignore[type-arg]
    _, study, told = finished
    content = study.content
    assert [point["model"] for point in content["points"]] == [model.name for model in smoke.models()]
    for point in content["points"]:
        assert point["updates"] == smoke.training.max_train_steps
        assert point["updates_per_image"] == pytest.approx(4 * 2 / point["size"])
        assert (point["generations"], point["control_size"]) == (smoke.generations, smoke.control)
        assert point["rate"] == point["copies"] / point["generations"]
        assert point["interval"][0] <= point["rate"] <= point["interval"][1]
        assert [(one["updates"], one["generations"]) for one in point["kept"]] == [(2, 4)]
        assert point["kept"][0]["weights_sha256"] != point["weights_sha256"]
        assert point["shortlist_recall"] == 1  # every slice is shorter than the shortlist
    assert [one["size"] for one in content["sizes"]] == list(smoke.sizes)
    assert all(one["twins"]["counterfactual"]["items"] == 2 * one["size"] for one in content["sizes"])
    assert told == {(model.name, step) for model in smoke.models() for step in ("training", "kept", "sampling", "audit")}


def test_the_log_proves_the_study_and_its_audits(finished: tuple) -> None:  # type: ignore[type-arg]
    workspace, study, _ = finished
    data = (workspace.home / study.record.folder / "study.json").read_bytes()
    entry = verify_receipt(workspace.log.receipt(study.record.entry_id), workspace.log.vkey).entry
    assert entry.type == "study.completed"
    assert entry.body["report_sha256"] == sha256_hex(data) == study.record.report_sha256
    assert entry.body["audits"] == [point["audit"] for point in json.loads(data)["points"]]


def test_again_it_is_the_same_and_nothing_is_logged(finished: tuple, smoke: StudyConfig) -> None:  # type: ignore[type-arg]
    workspace, study, _ = finished
    size = workspace.log.size
    again = run_study(workspace, smoke, lambda *_: None)
    assert (again.record.id, again.content, workspace.log.size) == (study.record.id, study.content, size)


def test_the_report_says_what_the_study_found(finished: tuple) -> None:  # type: ignore[type-arg]
    workspace, study, _ = finished
    page = build_study_report(workspace, study.record, study.content)
    assert study.record.report_sha256 in page
    assert all(point["model"] in page and point["audit_sha256"][:16] in page for point in study.content["points"])
    assert "does not decide originality" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_damaged_intermediate_results_are_found(finished: tuple, smoke: StudyConfig) -> None:  # type: ignore[type-arg]
    workspace, _, _ = finished
    path = workspace.home / "studies" / "smoke" / smoke.sha256[:16] / "size-2.json"
    kept = path.read_bytes()
    for damaged in (kept[:-9], kept.replace(b'"copies":', b'"copies" :').replace(b'"distinct_items":', b'"distinct_items":1')):
        path.write_bytes(damaged)
        with pytest.raises(CorruptStateError, match=r"size-2\.json"):
            run_study(workspace, smoke, lambda *_: None)
    path.write_bytes(kept)


def test_what_another_embedder_found_is_not_taken_up(finished: tuple, smoke: StudyConfig) -> None:  # type: ignore[type-arg]
    workspace, study, _ = finished
    other = open_workspace(workspace.settings.model_copy(update={"embedder": "pixels:8"}))
    again = run_study(other, smoke, lambda *_: None)
    assert again.content["embedder"]["name"].startswith("pixels:8")
    audits = [{point["audit"] for point in one.content["points"]} for one in (study, again)]
    assert not audits[0] & audits[1]
    assert run_study(workspace, smoke, lambda *_: None).content == study.content


def test_a_study_of_which_every_audit_is_void_ends_with_status_5(
    finished: tuple,  # type: ignore[type-arg]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace, study, _ = finished
    void = study.content | {"sizes": [], "void": [point["model"] for point in study.content["points"]]}
    monkeypatch.setattr("services.audit.commands.study.open_home", lambda: workspace)
    monkeypatch.setattr("services.audit.commands.study.run_study", lambda *_: FinishedStudy(study.record, void))
    result = CliRunner().invoke(app, ["audit", "study", "smoke"])
    assert (result.exit_code, result.exception.__class__) == (EXIT_VOID, SystemExit)
    assert "every audit is void" in result.stdout


def test_models_that_were_trained_otherwise_are_not_taken_for_those_of_the_study(finished: tuple, smoke: StudyConfig) -> None:  # type: ignore[type-arg]
    workspace, _, _ = finished
    other = smoke.training.model_copy(update={"learning_rate": 2e-3})
    with pytest.raises(ConflictError, match="smoke-2a-s0"):
        run_study(workspace, smoke.model_copy(update={"training": other}), lambda *_: None)


def test_too_few_pictures_are_an_error(finished: tuple, smoke: StudyConfig) -> None:  # type: ignore[type-arg]
    workspace, _, _ = finished
    with pytest.raises(InputError, match="distinct pictures"):
        run_study(workspace, smoke.model_copy(update={"name": "large", "sizes": (2, 60)}), lambda *_: None)


# Three commands that import torch in three processes each: minutes on a machine that does other work as well.
@pytest.mark.timeout(900)
def test_killed_in_every_step_it_comes_to_the_same_figures(tmp_path: Path, finished: tuple) -> None:  # type: ignore[type-arg]
    _, study, _ = finished
    workspace = open_with_pictures(tmp_path)
    # What has to be there when the process group is killed: a model, samples, an audit.
    for wanted in ("models/*/training.json", "samples/*/*/samples.json", "audits/*/*/audit.json"):
        process = start(["audit", "study", "smoke"], workspace.home, workspace.settings.resolved_database_url)
        try:
            while not list(workspace.home.glob(wanted)) and process.poll() is None:
                time.sleep(0.02)
            assert process.poll() is None, output_of(workspace.home)
        finally:
            assert kill(process, group=True) == 0
    again = run_study(workspace, load_study_config("smoke"), lambda *_: None)
    assert figures(again.content) == figures(study.content)
    with workspace.reading() as session:
        assert session.connection().exec_driver_sql("select count(*), count(distinct model_id) from audit").one() == (4, 4)
