"""The registry of rules: every module of the folder is a rule, and names can be checked without importing any."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.matching.panel.registry import RuleName, list_deciding_rules, list_rule_names, load_rules
from tests.support.paths import ROOT


def test_every_file_of_the_folder_is_a_rule() -> None:
    files = {path.stem.replace("_", "-") for path in (ROOT / "shared/matching/rules").glob("[!_]*.py")}
    assert {rule.name for rule in load_rules()} == set(list_rule_names()) == files


def test_rules_that_decide_take_their_threshold_from_a_control() -> None:
    by_name = {rule.name: rule for rule in load_rules()}
    assert list_deciding_rules() == ("fused", "ssim", "ssim-turned", "works")
    assert all(by_name[name].threshold is None for name in list_deciding_rules())


def test_every_rule_stands_in_the_documentation() -> None:
    page = Path(ROOT / "docs/methods/rules.md").read_text(encoding="utf-8")
    assert not [name for name in list_rule_names() if f"`{name}`" not in page]


def test_a_name_is_checked_where_it_is_configured() -> None:
    names = TypeAdapter(tuple[RuleName, ...])
    assert names.validate_python(["ssim", "l2-ratio"]) == ("ssim", "l2-ratio")
    with pytest.raises(ValidationError, match="expected one of carlini-adaptive, clip"):
        names.validate_python(["l2_ratio"])


def test_names_are_read_without_the_rules() -> None:
    script = (
        "import sys; from shared.matching.panel.registry import list_rule_names; list_rule_names();"
        "print([name for name in sys.modules if name.startswith('shared.matching.rules')], 'torch' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[] False"
