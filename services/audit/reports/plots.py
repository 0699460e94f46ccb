"""Figures of an audit as SVG: readable in grey, with a title and a description for those who cannot see them."""

import io
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

GENERATION_INK = "#1f2933"
CONTROL_INK = "#9aa5b1"
RULE_INK = "#b42318"
BIN_WIDTH = 0.025


def plot_distributions(contents: Sequence[dict[str, Any]]) -> str:
    """Draw, for each audit, how similar generations and held-out images come to the training set.

    Args:
        contents: contents of `audit.json`.

    Returns:
        One SVG element with a title and a description.
    """
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "sleeve", "font.size": 9}):
        figure = Figure(figsize=(8.2, 2.3 * len(contents) + 0.4), layout="constrained")
        for axes, content in zip(np.atleast_1d(figure.subplots(len(contents), 1, sharex=True)), contents, strict=True):
            _draw(axes, content)
        axes.set_xlabel("best SSIM with a training image (1 = identical)")
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return _accessible(svg.getvalue().decode(), contents)


def _draw(axes: Any, content: dict[str, Any]) -> None:
    generated = [one["metrics"]["ssim"] for one in content["generations"]]
    control = content["control_scores"]
    low = min(0.0, *generated, *control)
    bins = np.arange(np.floor(low / BIN_WIDTH) * BIN_WIDTH, 1 + BIN_WIDTH, BIN_WIDTH)
    for scores, ink, hatch, label in (
        (control, CONTROL_INK, "", f"held-out images ({len(control)})"),
        (generated, GENERATION_INK, "////", f"generations ({len(generated)})"),
    ):
        weights = np.full(len(scores), 100 / len(scores))
        axes.hist(scores, bins=bins, weights=weights, color=ink, alpha=0.75, hatch=hatch, edgecolor="white", label=label)
    axes.axvline(content["threshold"], color=RULE_INK, linewidth=1.5, linestyle="--", label="threshold (highest held-out)")
    axes.set_title(f"{content['model']['name']}: trained on {content['manifest']['size']} images", loc="left")
    axes.set_ylabel("% of each")
    axes.set_xlim(bins[0], 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _accessible(svg: str, contents: Sequence[dict[str, Any]]) -> str:
    described = "; ".join(
        f"{one['model']['name']}: threshold {one['threshold']:.3f}, {one['copies']['hits']} of {one['copies']['trials']} "
        f"generations above it, median best SSIM {median_ssim(one):.3f}"
        for one in contents
    )
    head = '<svg role="img" aria-labelledby="distributions-title distributions-text" '
    texts = (
        '<title id="distributions-title">Best SSIM of generations and of held-out images</title>'
        f'<desc id="distributions-text">{escape(described)}</desc>'
    )
    body = svg[svg.index("<svg") + len("<svg ") :]
    opening, _, rest = body.partition(">")
    return f"{head}{opening}>{texts}{rest}"


def median_ssim(content: dict[str, Any]) -> float:
    """Return the median of the generations' best SSIM."""
    return float(np.median([one["metrics"]["ssim"] for one in content["generations"]]))
