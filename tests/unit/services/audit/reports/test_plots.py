"""Figures of an audit: the same bytes again, readable without seeing them."""

from typing import Any

from services.audit.reports.plots import median_ssim, plot_distributions, rank_of_threshold

CONTENT: dict[str, Any] = {
    "model": {"name": "model <a>"},
    "manifest": {"size": 6},
    "generations": [{"metrics": {"ssim": ssim}} for ssim in (0.2, 0.9, 0.95)],
    "control_scores": [0.3, 0.5, 0.4],
    "threshold": 0.5,
    "copies": {"hits": 2, "trials": 3},
}


def test_a_figure_names_itself_and_states_its_figures() -> None:
    svg = plot_distributions([CONTENT])
    assert svg == plot_distributions([CONTENT])
    assert svg.startswith('<svg role="img" aria-labelledby="distributions-title distributions-text"')
    assert "model &lt;a&gt;: threshold 0.500, 2 of 3 generations above it, median best SSIM 0.900" in svg


def test_median_and_rank_are_those_of_the_content() -> None:
    assert median_ssim(CONTENT) == 0.9
    assert rank_of_threshold(CONTENT) == "highest held-out picture"
    assert rank_of_threshold(CONTENT | {"threshold": 0.4}) == "held-out picture 2 from the top"
