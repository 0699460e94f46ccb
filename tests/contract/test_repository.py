"""What pre-commit and the forms for issues say: it parses, and the hooks that tests do not run elsewhere pass, offline."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT

HOOKS = {
    hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
}


def list_files(hook: dict[str, str]) -> list[str]:
    """The text files of the repository that a hook is given."""
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    files = [name for name in names if name and not re.search(hook["exclude"], name) and (ROOT / name).is_file()]
    return [name for name in files if b"\0" not in (ROOT / name).read_bytes()[:8192]]


@pytest.mark.parametrize("name", ["codespell", "detect-secrets"])
def test_the_hook_finds_nothing(name: str) -> None:
    hook = HOOKS[name]
    program, *options = shlex.split(hook["entry"])
    command = [str(Path(sys.executable).parent / Path(program).name), *options, *list_files(hook)]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_hooks_run_from_the_environment_alone() -> None:
    assert set(HOOKS) == {"ruff", "ruff-format", "mypy", "codespell", "detect-secrets"}
    for hook in HOOKS.values():
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")


def test_the_forms_for_issues_have_what_a_form_needs() -> None:
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 3
    for path in forms:
        form = yaml.safe_load(path.read_text("utf-8"))
        assert {"name", "description", "body"} <= set(form), path
        for field in form["body"]:
            assert field["type"] == "markdown" or field["attributes"]["label"], path
