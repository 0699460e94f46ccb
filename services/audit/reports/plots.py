"""Figures of an audit as SVG: readable in grey, with a title and a description for those who cannot see them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from services.audit.reports.accessible_svg import CONTROL_INK, GENERATION_INK, RULE_INK, styled, to_svg

BIN_WIDTH = 0.025


def plot_distributions(contents: Sequence[dict[str, Any]]) -> str:
    """Draw, for each audit, how similar generations and held-out images come to the training set.

    Args:
        contents: contents of `audit.json`.

    Returns:
        One SVG element with a title and a description.
    """
    with styled():
        figure = Figure(figsize=(8.2, 2.3 * len(contents) + 0.4), layout="constrained")
        for axes, content in zip(np.atleast_1d(figure.subplots(len(contents), 1, sharex=True)), contents, strict=True):
            _draw(axes, content)
        axes.set_xlabel("best SSIM with a training image (1 = identical)")
        return to_svg(figure, "distributions", "Best SSIM of generations and of held-out images", _describe(contents))


def _draw(axes: Any, content: dict[str, Any]) -> None:
    generated = [generation["metrics"]["ssim"] for generation in content["generations"]]
    control = content["control_scores"]
    low = min(0.0, *generated, *control)
    bins = np.arange(np.floor(low / BIN_WIDTH) * BIN_WIDTH, 1 + BIN_WIDTH, BIN_WIDTH)
    for scores, ink, hatch, label in (
        (control, CONTROL_INK, "", f"held-out images ({len(control)})"),
        (generated, GENERATION_INK, "////", f"generations ({len(generated)})"),
    ):
        weights = np.full(len(scores), 100 / len(scores))
        axes.hist(scores, bins=bins, weights=weights, color=ink, alpha=0.75, hatch=hatch, edgecolor="white", label=label)
    axes.axvline(
        content["threshold"], color=RULE_INK, linewidth=1.5, linestyle="--", label=f"threshold ({rank_of_threshold(content)})"
    )
    axes.set_title(f"{content['model']['name']}: trained on {content['manifest']['size']} images", loc="left")
    axes.set_ylabel("% of each")
    axes.set_xlim(bins[0], 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _describe(contents: Sequence[dict[str, Any]]) -> str:
    return "; ".join(
        f"{content['model']['name']}: threshold {content['threshold']:.3f}, "
        f"{content['copies']['hits']} of {content['copies']['trials']} "
        f"generations above it, median best SSIM {median_ssim(content):.3f}"
        for content in contents
    )


def median_ssim(content: dict[str, Any]) -> float:
    """Return the median of the generations' best SSIM."""
    return float(np.median([generation["metrics"]["ssim"] for generation in content["generations"]]))


def rank_of_threshold(content: dict[str, Any]) -> str:
    """Say which of the held-out pictures' scores the threshold is.

    >>> rank_of_threshold({"threshold": 0.7, "control_scores": [0.8, 0.7, 0.1]})
    'held-out picture 2 from the top'
    """
    rank = sum(score >= content["threshold"] for score in content["control_scores"])
    return "highest held-out picture" if rank == 1 else f"held-out picture {rank} from the top"
