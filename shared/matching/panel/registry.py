"""The registry of matching rules: every module of `shared/matching/rules` is a rule, and there is no other list of them.

Rules, in order:

1. A module states its rule in the constant `RULE`. Its file is named as the rule, with underscores for hyphens.
2. Names are read from the files, without importing any. So a configuration can be checked in a process that has no use for
   the rules themselves.
3. No two rules share a position in the panel.

docs/extending/matching-rule.md says how to add one.
"""

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from shared.matching.panel.rule import RuleDefinition

_PACKAGE = "shared.matching.rules"
_FOLDER = Path(__file__).parents[1] / "rules"


def list_rule_names() -> tuple[str, ...]:
    """Return the names of all rules, in alphabetical order.

    >>> "l2-ratio" in list_rule_names()
    True
    """
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules([str(_FOLDER)])))


def _verify_rule_name(name: str) -> str:
    if name not in list_rule_names():
        raise ValueError(f"expected one of {', '.join(list_rule_names())}, got {name!r}")
    return name


# The name of a matching rule, checked against the registry where a model is validated.
RuleName = Annotated[str, AfterValidator(_verify_rule_name)]


@cache
def load_rules() -> tuple[RuleDefinition, ...]:
    """Return all rules, in the order of the panel.

    Raises:
        ValueError: a module of the folder states no rule, another name than its file's, or a position that is taken.
    """
    rules = [_load_rule(name) for name in list_rule_names()]
    rules.sort(key=lambda rule: rule.position)
    if len({rule.position for rule in rules}) < len(rules):
        raise ValueError(f"expected rules with positions of their own, got {[(rule.name, rule.position) for rule in rules]}")
    return tuple(rules)


def list_deciding_rules() -> tuple[str, ...]:
    """Return the names of the rules that a policy may decide by, in alphabetical order.

    >>> list_deciding_rules()
    ('fused', 'ssim', 'ssim-turned', 'works')
    """
    return tuple(sorted(rule.name for rule in load_rules() if rule.may_decide))


def load_rule(name: str) -> RuleDefinition:
    """Return a rule by its name.

    Raises:
        ValueError: no rule has this name.
    """
    return _load_rule(_verify_rule_name(name))


def _load_rule(name: str) -> RuleDefinition:
    module = import_module(f"{_PACKAGE}.{name.replace('-', '_')}")
    rule = getattr(module, "RULE", None)
    if not isinstance(rule, RuleDefinition) or rule.name != name:
        raise ValueError(f"expected {module.__name__} to state a RULE named {name!r}, got {getattr(rule, 'name', rule)!r}")
    return rule
