"""The quality benchmark's result as a page: tables of the rules, of the transforms, and of what one leaves out."""

from typing import Any

MAIN_RULES = ("ssim", "l2", "pdq", "descriptor_single", "descriptor", "descriptor_standardised", "fused")
MEANS = (
    "Means over the twelve transforms below, without `combined` and `replay`; intervals 95 %, bootstrap over items and "
    "negatives."
)
ABLATIONS = (
    "`fused_5`, `fused_1`: five candidates, or one, instead of twenty. `fused_without_x`: the weight of x set to 0, the "
    "others as they are. `only_x`: x alone over the same candidates."
)


def write_report(judged: dict[str, Any]) -> str:
    """Write the page.

    Args:
        judged: what `quality.judge` gave, with date, machine and half.
    """
    rules, variants = judged["rules"], judged["pictures"]["variant"]
    parts = [
        "# Quality of copy detection",
        _introduction(judged),
        "## Rules",
        _table(
            ["rule", "mean TPR at 1 % FPR", "mean TPR at 0.1 % FPR", "mean AUC", "right design named"],
            [_rule_row(name, rules[name]) for name in MAIN_RULES],
        ),
        MEANS,
        "## TPR at 1 % FPR by transform",
        _table(["transform", *MAIN_RULES], [_transform_row(name, rules) for name in rules["fused"]["transforms"]]),
        "## The fused score by transform",
        _table(
            ["transform", "TPR at 1 % FPR", "TPR at 0.1 % FPR", "AUC", "right design named"],
            [_fused_row(name, cell) for name, cell in rules["fused"]["transforms"].items()],
        ),
        "Intervals 95 %, Wilson, for a fixed threshold.",
        "## What each part contributes",
        _table(["score", "mean TPR at 1 % FPR", "mean TPR at 0.1 % FPR"], _ablation_rows(rules)),
        ABLATIONS,
        "## A threshold set on the control",
        _table(
            ["rule", "stated rate", "false positives among negatives", "mean TPR"],
            [_control_row(name, rules[name]["control"]) for name in MAIN_RULES],
        ),
        "## Classes of their own, at the threshold of 1 % FPR",
        _table(
            ["rule", f"recoloured variants of registered designs flagged ({variants})", "negatives flagged after a transform"],
            [_class_row(name, rules[name]) for name in MAIN_RULES],
        ),
        f"The fused score names the variant's own design in {rules['fused']['variant_named']:.0%} of them.",
        "## The negatives that score highest",
        _table(
            ["score", "negative", "taken for"],
            [
                [f"{negative['score']:.2f}", negative["negative"], negative["registered"]]
                for negative in judged["top_negatives"]
            ],
        ),
        "## Time of a check",
        _speed(judged["speed"], judged["judged"]["registered"]),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(judged: dict[str, Any]) -> str:
    counts, used = judged["pictures"], judged["judged"]
    return (
        f"{judged['half'].capitalize()} half of the protocol in [docs/methods/quality.md](../methods/quality.md), measured "
        f"{judged['measured']}: {counts['registered']:,} items registered, {counts['negative']:,} negatives, "
        f"{counts['control']:,} control pictures, {used['positives_a_transform']} copies a transform, {used['replays']} "
        "replayed generations. Made by `python -m tests.campaigns.quality`."
    )


def _ablation_rows(rules: dict[str, Any]) -> list[list[str]]:
    named = [name for name in rules if name.startswith(("descriptor", "only", "fused"))]
    return [[f"`{name}`", *(f"{rules[name][f'mean_tpr_{rate}'][0]:.3f}" for rate in (0.01, 0.001))] for name in named]


def _class_row(name: str, row: dict[str, Any]) -> list[str]:
    return [f"`{name}`", _interval(row["variant_flagged"]), _interval(row["transformed_negatives_flagged"])]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _interval(figures: list[float]) -> str:
    value, low, high = figures
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def _rule_row(name: str, row: dict[str, Any]) -> list[str]:
    tpr = [_interval(row[f"mean_tpr_{rate}"]) for rate in (0.01, 0.001)]
    return [f"`{name}`", *tpr, f"{row['mean_auc']:.4f}", f"{row['mean_named']:.3f}"]


def _transform_row(name: str, rules: dict[str, Any]) -> list[str]:
    return [name, *(f"{rules[rule]['transforms'][name]['tpr_0.01'][0]:.3f}" for rule in MAIN_RULES)]


def _fused_row(name: str, cell: dict[str, Any]) -> list[str]:
    return [name, _interval(cell["tpr_0.01"]), _interval(cell["tpr_0.001"]), f"{cell['auc']:.4f}", f"{cell['named']:.3f}"]


def _control_row(name: str, control: dict[str, Any]) -> list[str]:
    return [
        f"`{name}`",
        f"{control['attained_rate']:.4f}",
        _interval(control["false_positives"]),
        f"{control['mean_tpr']:.3f}",
    ]


def _speed(speed: dict[str, float], items: int) -> str:
    def pair(name: str) -> str:
        return f"{speed[f'{name}_median_ms']} ({speed[f'{name}_fastest_ms']}) ms"

    return (
        f"One generation against {items:,} items held in memory, median (fastest) of 30 on two shared cores: whole detection "
        f"{pair('detect')}, of which finding candidates by comparing with every indexed view {pair('find_candidates')}; best "
        f"SSIM among the same items in the same run {pair('best_ssim')}. Aligning and weighing twenty candidates is the "
        "difference of the first two; it does not grow with the register."
    )
