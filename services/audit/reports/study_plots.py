"""Figures of a study: the curve over slice sizes, its threshold sweep, and copying in the course of training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from services.audit.reports.accessible_svg import CONTROL_INK, GENERATION_INK, RULE_INK, styled, to_svg
from services.audit.reports.page import format_percent

# Shapes of the twins' points; points are moved aside by this share of a slice size, so that they do not lie on each other.
TWIN_MARKERS = {"a": "o", "b": "^"}
ASIDE = 0.05
LINES = ("-", "--", "-.", ":")


def plot_curve(content: dict[str, Any]) -> str:
    """Draw the share of generations that are copies over the slice size: a point a sound model, a line of means.

    Args:
        content: of `study.json`.

    Returns:
        One SVG element.
    """
    sizes, points = content["sizes"], [point for point in content["points"] if point["state"] == "completed"]
    with styled():
        figure = Figure(figsize=(8.2, 3.6), layout="constrained")
        axes = figure.subplots()
        for twin, marker in TWIN_MARKERS.items():
            of_twin = [point for point in points if point["twin"] == twin]
            if of_twin:
                _draw_models(axes, of_twin, twin, marker)
        at = [line["size"] for line in sizes]
        axes.plot(
            at, [100 * line["mean_rate"] for line in sizes], color=GENERATION_INK, linewidth=1.6, label="mean of the models"
        )
        control = [100 * line["control"]["value"] for line in sizes]
        axes.plot(at, control, color=RULE_INK, linestyle="--", linewidth=1.2, label="held-out pictures")
        _style_sizes(axes, at)
        axes.set_ylabel("% taken for copies")
        axes.set_ylim(-3, 103)
        axes.legend(frameon=False, fontsize=8)
        description = "; ".join(map(_describe_size, sizes))
        return to_svg(figure, "curve", "Share of generations that are copies, by number of training pictures", description)


def _describe_size(line: dict[str, Any]) -> str:
    mean, low, high = (format_percent(line[name]) for name in ("mean_rate", "lowest_rate", "highest_rate"))
    held_out = format_percent(line["control"]["value"])
    return (
        f"{line['size']} pictures: mean {mean} of generations, {low} to {high} over {line['models']} models, "
        f"held-out {held_out}"
    )


def _draw_models(axes: Any, points: Sequence[dict[str, Any]], twin: str, marker: str) -> None:
    seeds = sorted({point["seed"] for point in points})
    aside = {seed: (seeds.index(seed) - (len(seeds) - 1) / 2) * ASIDE + (twin == "b") * ASIDE / 2 for seed in seeds}
    rates = np.array([100 * point["rate"] for point in points])
    low, high = (np.array([100 * point["interval"][end] for point in points]) for end in (0, 1))
    axes.errorbar(
        [point["size"] * (1 + aside[point["seed"]]) for point in points],
        rates,
        yerr=[np.maximum(rates - low, 0), np.maximum(high - rates, 0)],
        fmt=marker,
        color=GENERATION_INK,
        ecolor=CONTROL_INK,
        markersize=4,
        markerfacecolor="white" if twin == "b" else GENERATION_INK,
        linewidth=1,
        label=f"a model, twin {twin}, with its 95 % interval",
    )


def _style_sizes(axes: Any, sizes: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("training pictures (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)


def plot_sweep(content: dict[str, Any]) -> str:
    """Draw, for each slice size, the share of generations above every level of SSIM, with the held-out pictures' beside it.

    Args:
        content: of `study.json`.

    Returns:
        One SVG element.
    """
    sizes = content["sizes"]
    with styled():
        figure = Figure(figsize=(8.2, 2.5 * ((len(sizes) + 2) // 3) + 0.3), layout="constrained")
        grid = np.atleast_1d(figure.subplots((len(sizes) + 2) // 3, min(3, len(sizes)), sharex=True, sharey=True)).ravel()
        for axes, line in zip(grid, sizes, strict=False):
            levels, generations, control = np.array(line["sweep"]).T
            axes.plot(levels, 100 * generations, color=GENERATION_INK, label="generations")
            axes.plot(levels, 100 * control, color=RULE_INK, linestyle="--", label="held-out pictures")
            axes.set_title(f"{line['size']:,} training pictures", loc="left", fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in grid[len(sizes) :]:
            axes.set_axis_off()
        grid[0].legend(frameon=False, fontsize=8)
        figure.supxlabel("level of best SSIM", fontsize=9)
        figure.supylabel("% above the level", fontsize=9)
        description = "; ".join(f"{line['size']} pictures: {_at_levels(line['sweep'])}" for line in sizes)
        return to_svg(figure, "sweep", "Share above every level of SSIM, by number of training pictures", description)


def _at_levels(sweep: Sequence[Sequence[float]]) -> str:
    rows = [row for row in sweep if round(row[0], 2) in {0.5, 0.7, 0.9}]
    return ", ".join(
        f"above {level:.1f} {format_percent(generations)} (held-out {format_percent(control)})"
        for level, generations, control in rows
    )


def plot_training(content: dict[str, Any]) -> str:
    """Draw the share of copies in the course of training, a line for each slice size.

    Args:
        content: of `study.json`, of a study that sampled checkpoints.

    Returns:
        One SVG element.
    """
    updates, lines = rates_in_training(content)
    with styled():
        figure = Figure(figsize=(8.2, 2.8), layout="constrained")
        axes = figure.subplots()
        for number, (size, rates) in enumerate(lines.items()):
            shade = str(0.75 * number / max(len(lines) - 1, 1))
            style = LINES[number % len(LINES)]
            axes.plot(updates, [100 * rate for rate in rates], style, marker="o", markersize=3, color=shade, label=f"{size:,}")
        axes.set_xticks(updates, [f"{update:,}" for update in updates])
        axes.set_xlabel("optimiser updates")
        axes.set_ylabel("mean % of copies")
        axes.set_ylim(-3, 103)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, title="training pictures", loc="center left", bbox_to_anchor=(1, 0.5))
        description = "; ".join(
            f"{size} pictures: "
            + ", ".join(f"{format_percent(rate)} after {at}" for at, rate in zip(updates, rates, strict=True))
            for size, rates in lines.items()
        )
        return to_svg(figure, "training", "Share of copies in the course of training", description)


def rates_in_training(content: dict[str, Any]) -> tuple[list[int], dict[int, list[float]]]:
    """Return the updates at which sound models were sampled, and for each slice size the mean rate of copies at each."""
    sound = [point for point in content["points"] if point["state"] == "completed"]
    updates = sorted({stage["updates"] for point in sound for stage in [*point["kept"], point]})
    lines = {}
    for size in content["sizes"]:
        stages = [stage for point in sound if point["size"] == size["size"] for stage in [*point["kept"], point]]
        lines[size["size"]] = [
            float(np.mean([stage["rate"] for stage in stages if stage["updates"] == update])) for update in updates
        ]
    return updates, lines
