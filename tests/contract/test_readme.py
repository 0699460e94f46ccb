"""The README holds: its commands and options are the command line's own, and what it links to is there."""

import re
import shlex
from pathlib import Path
from typing import Any

import typer.main

from services.commands.main import app
from services.commands.reference_page import build_page
from shared.command_line.groups import load_subcommand
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def links_of(document: Path) -> list[str]:
    return re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))


def commands() -> list[list[str]]:
    lines = [line.partition("  #")[0].strip() for line in README.splitlines() if line.startswith("sleeve ")]
    assert len(lines) >= 8
    return [shlex.split(line)[1:] for line in lines]


def test_every_command_and_option_of_the_readme_exists() -> None:
    for words in commands():
        command: Any = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = load_subcommand(command, words.pop(0))
        assert not hasattr(command, "commands"), words
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, (command.name, words)


def test_the_page_of_commands_is_the_command_line() -> None:
    # Not so? `make commands` writes the page anew.
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == build_page()


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        if page.is_dir():
            waiting += page.glob("*.md")
        elif page.suffix == ".md":
            waiting += [(page.parent / target).resolve() for target in links_of(page)]
    assert not {page.relative_to(ROOT) for page in ROOT.glob("docs/**/*.md")} - {page.relative_to(ROOT) for page in reached}


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for document in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")):
        for target in links_of(document):
            assert (document.parent / target).exists(), (document, target)


def test_make_has_the_targets_that_the_readme_names() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, flags=re.MULTILINE)) <= targets
    assert {"demo", "test", "lint", "types", "bench", "serve"} <= targets
