"""Figures of a study: void models are in no line, and checkpoints stand before the finished model."""

from typing import Any

import pytest

from services.audit.reports.study_plots import plot_curve, plot_training, rates_in_training


def point(seed: int, rate: float, state: str = "completed") -> dict[str, Any]:
    return {
        "size": 4,
        "twin": "a",
        "seed": seed,
        "state": state,
        "rate": rate,
        "interval": [rate - 0.1, rate + 0.1],
        "updates": 10,
        "kept": [{"updates": 5, "rate": rate / 2}],
    }


LINE = {"size": 4, "models": 2, "mean_rate": 0.5, "lowest_rate": 0.4, "highest_rate": 0.6, "control": {"value": 0.0}}
CONTENT = {"sizes": [LINE], "points": [point(0, 0.4), point(1, 0.6), point(2, 1.0, "failed")]}


def test_rates_in_training_are_means_of_the_sound_models() -> None:
    updates, lines = rates_in_training(CONTENT)
    assert updates == [5, 10]
    assert lines == {4: pytest.approx([0.25, 0.5])}


def test_figures_state_their_figures_in_words() -> None:
    assert "4 pictures: mean 50\N{NO-BREAK SPACE}% of generations" in plot_curve(CONTENT)
    assert "25\N{NO-BREAK SPACE}% after 5" in plot_training(CONTENT)
