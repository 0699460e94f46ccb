"""What an audit's figures are called in commands and reports: void comes first, and a copy is called one where that is sound.

Rules, in order:

1. A void audit says so before any figure, with what failed, what can be done, and which rules passed every control.
2. A generation above the threshold is called a copy where the threshold is as high as a near copy can look. Below
   `COPY_SSIM` pictures that merely have the same layout reach it, as among photographs. There a generation is "closer to a
   training picture than the control allows", and the threshold stands in the same sentence.

All is read from `audit.json`, so that the same file has the same words everywhere.
"""

from dataclasses import dataclass
from typing import Any

# Two photographs of one kind of scene reach an SSIM of 0.3 to 0.5 by their layout alone, a copy that was scaled or compressed
# stays above (docs/methods/audit.md).
COPY_SSIM = 0.5


@dataclass(frozen=True)
class Wording:
    """The words for what an audit counts.

    Attributes:
        is_copy: whether the threshold allows the word "copy".
        count: after "N of M generations", such as `are copies`.
        items: after "N of M training pictures".
        control: after "N of M held-out pictures".
        heading: of a list of these generations.
    """

    is_copy: bool
    count: str
    items: str
    control: str
    heading: str


def choose_wording(threshold: float) -> Wording:
    """Choose the words by the control's threshold, an SSIM.

    >>> choose_wording(0.9).count
    'are copies'
    >>> choose_wording(0.286).count
    'are closer to a training picture than the control allows (SSIM above 0.286)'
    """
    if threshold >= COPY_SSIM:
        return Wording(True, "are copies", "are copied", "were taken for copies", "The copies")
    closer = f"closer to a training picture than the control allows (SSIM above {threshold:.3f})"
    return Wording(False, f"are {closer}", "have a generation that close", f"were {closer}", "Closer than the control allows")


def usable_rules(content: dict[str, Any]) -> list[str]:
    """Return the rules that passed every control of an audit, at least one check each."""
    checks = [check for control in content["controls"] for check in control["checks"]]
    failed = {check["rule"] for check in checks if check["passed"] is False}
    passed = {check["rule"] for check in checks if check["passed"]}
    return [rule["name"] for rule in content["rules"] if rule["name"] in passed - failed]


def count_near_copies(content: dict[str, Any]) -> int:
    """Return how many pictures of the control are near copies of training pictures."""
    figures = [check["figures"] for control in content["controls"] for check in control["checks"]]
    return max((int(values["near_copies"]) for values in figures if "near_copies" in values), default=0)


def void_lines(content: dict[str, Any]) -> list[str]:
    """Say that an audit is void, why, what can be done, and which rules are still usable; empty where it is not void."""
    if content["state"] != "failed":
        return []
    model, control = content["model"], content["control"]
    lines = [f"{model['name']}: void. A control came out wrong: the audit proves nothing, and its figures are no findings"]
    near = count_near_copies(content)
    if near:
        view = f"--resolution {model['resolution_px']} --channels {model['channels']}"
        lines.append(
            f"{near:,} of {control['size']:,} pictures of control {control['name']!r} are near copies of training pictures "
            "(near-copies.csv beside audit.json lists them); seal slice and control anew with "
            f"`sleeve audit seal NAME --control CONTROL --distinct {view}`, which leaves near copies out of both"
        )
    usable = usable_rules(content)
    lines.append(f"rules that passed every control: {', '.join(usable)}" if usable else "no rule passed every control")
    return lines
