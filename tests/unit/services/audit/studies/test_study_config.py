"""A study's file, and the slices that are drawn from it."""

import re
from pathlib import Path

import pytest

from services.audit.studies.study_config import CONFIGS, StudyConfig, load_study_config
from services.audit.studies.study_slices import draw_study_slices
from services.audit.training import training_config
from shared.errors import InputError
from shared.matching.ssim_search import ssim_terms

SMOKE = (CONFIGS / "smoke.toml").read_text(encoding="utf-8")


def test_the_configurations_that_come_along_are_read_by_name() -> None:
    configs = {name: load_study_config(name) for name in ("paper", "cpu", "smoke")}
    assert len(list(configs["paper"].models())) == 10
    assert (configs["paper"].generations, configs["paper"].neighbours) == (10_000, 1000)
    cpu = configs["cpu"]
    assert cpu.sizes[-1] / cpu.sizes[0] >= 1000
    assert (cpu.twins, len(cpu.seeds)) == (2, 3)
    # A control of 999 attains the rate of 0.001 exactly.
    assert 1 / (cpu.control + 1) == cpu.false_positive_rate


@pytest.mark.parametrize("name", ["paper", "cpu", "smoke"])
def test_what_a_configuration_says_of_itself_is_what_it_needs(name: str) -> None:
    config = load_study_config(name)
    needed = config.control + config.twins * config.sizes[-1]
    said = re.search(r"needs ([\d,]+) distinct pictures", (CONFIGS / f"{name}.toml").read_text(encoding="utf-8"))
    assert said is None or int(said[1].replace(",", "")) == needed


def test_no_model_is_trained_that_is_too_large_to_be_compared() -> None:
    assert training_config.LARGEST_SIDE_PX == ssim_terms.LARGEST_SIDE_PX


def test_models_are_named_after_slice_and_seed_and_differ_in_their_seed_alone() -> None:
    config = load_study_config("cpu")
    first, second = list(config.models())[:2]
    assert (first.name, first.manifest, second.name) == ("cpu-1a-s0", "cpu-1a", "cpu-1a-s1")
    assert config.training_of(second).model_dump() == config.training_of(first).model_dump() | {"seed": 1}


def test_the_digest_leaves_out_what_the_results_do_not_depend_on() -> None:
    config = load_study_config("smoke")
    assert config.model_copy(update={"at_once": 1}).sha256 == config.sha256
    assert config.model_copy(update={"generations": 9}).sha256 != config.sha256


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("sizes = [2, 6]", "sizes = [6, 2]", "study_sizes"),
        ("sizes = [2, 6]", "sizes = [0, 2]", "study_invalid"),
        ("seeds = [0]", "seeds = [0, 0]", "study_seeds"),
        ("kept_updates = [2]", "kept_updates = [4]", "study_kept_updates"),
        ("kept_updates = [2]", "kept_updates = []", "study_kept_updates"),
        ("twins = 2", "twins = 3", "study_invalid"),
        ("control = 8", "controls = 8", "study_invalid"),
        ("control = 8", "control = nan", "study_invalid"),
        ('name = "smoke"', 'name = "../smoke"', "study_invalid"),
        ("twins = 2", "twins = ", "study_unreadable"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(tmp_path: Path, old: str, new: str, code: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(SMOKE.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_study_config(path)
    assert caught.value.code == code


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(InputError, match=r"cpu.*paper.*smoke.*got nowhere"):
        load_study_config("nowhere")


def drawn(config: StudyConfig, count: int = 40) -> dict[str, list[str]]:
    return draw_study_slices([str(at) for at in range(count)], config)


def test_twins_share_nothing_slices_of_a_twin_are_nested_and_the_control_is_apart() -> None:
    found = drawn(load_study_config("smoke"), 20)
    assert {name: len(ids) for name, ids in found.items()} == {
        "smoke-control": 8,
        "smoke-2a": 2,
        "smoke-2b": 2,
        "smoke-6a": 6,
        "smoke-6b": 6,
    }
    assert set(found["smoke-2a"]) < set(found["smoke-6a"])
    everything = found["smoke-control"] + found["smoke-6a"] + found["smoke-6b"]
    assert len(set(everything)) == len(everything) == 20


def test_a_draw_follows_its_seed() -> None:
    config = load_study_config("smoke")
    assert drawn(config) == drawn(config)
    assert drawn(config.model_copy(update={"slice_seed": 1})) != drawn(config)


def test_too_few_pictures_are_refused_with_the_number_needed() -> None:
    with pytest.raises(InputError, match=r"expected 20 distinct pictures.*got 19"):
        drawn(load_study_config("smoke"), 19)
