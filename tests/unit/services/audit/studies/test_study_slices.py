"""The slices of a study: nested within a twin, disjoint between twins, and apart from the control."""

import pytest

from services.audit.studies.study_config import StudyConfig, load_study_config
from services.audit.studies.study_slices import draw_study_slices
from shared.errors import InputError

IDS = [f"item-{number:02d}" for number in range(20)]


@pytest.fixture(scope="module")
def config() -> StudyConfig:
    return load_study_config("smoke")


def test_slices_are_nested_and_share_nothing_with_their_twins_or_the_control(config: StudyConfig) -> None:
    slices = draw_study_slices(IDS, config)
    assert list(slices) == ["smoke-control", "smoke-2a", "smoke-2b", "smoke-6a", "smoke-6b"]
    assert slices["smoke-6a"][:2] == slices["smoke-2a"]
    assert slices["smoke-6b"][:2] == slices["smoke-2b"]
    parts = [set(slices[name]) for name in ("smoke-control", "smoke-6a", "smoke-6b")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 20


def test_the_same_seed_draws_the_same_and_another_seed_does_not(config: StudyConfig) -> None:
    assert draw_study_slices(IDS, config) == draw_study_slices(IDS, config)
    assert draw_study_slices(IDS, config) != draw_study_slices(IDS, config.model_copy(update={"slice_seed": 1}))


def test_too_few_pictures_are_refused(config: StudyConfig) -> None:
    with pytest.raises(InputError, match="20 distinct pictures") as refused:
        draw_study_slices(IDS[:-1], config)
    assert refused.value.code == "slice_size"
