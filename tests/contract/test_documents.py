"""What holds of every document: lines that fit a review page, links that lead somewhere, and an index of all decisions."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

LINE_LENGTH = 127
# Written by programs: the command line's own texts, and pages of figures.
GENERATED = {
    ROOT / "docs" / name
    for name in ("commands.md", "results/gate.md", "results/quality.md", "results/recall.md", "results/study-cpu.md")
}
DOCUMENTS = sorted(ROOT / name for name in subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).split())
LINK = re.compile(r"\]\(([^)\s]+)\)")


def list_prose(document: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a document without the rows of tables, and without where links lead: neither can be broken."""
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("|"):
            yield number, LINK.sub("]", line)


def slug(heading: str) -> str:
    words = re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", heading).lower())
    return re.sub(r"[\s]+", "-", words.strip())


@pytest.mark.parametrize("document", sorted({*DOCUMENTS} - GENERATED), ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_fit(document: Path) -> None:
    assert [(number, len(line)) for number, line in list_prose(document) if len(line) > LINE_LENGTH] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_lists_in_lists_are_indented_by_four(document: Path) -> None:
    # By less, the site would show the inner items among the outer ones.
    text = document.read_text(encoding="utf-8")
    assert re.findall(r"^(?: {1,3}| {5,7})(?:[-*]|\d+\.) .*$", text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        target, _, anchor = link.partition("#")
        if re.match(r"\w+:", target):
            continue
        page = (document.parent / target).resolve() if target else document
        assert page.exists(), link
        if anchor and page.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:services|shared|tests|deploy|docs)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"-m ((?:services|shared|tests|deploy)[\w.]+)", text):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for decision in sorted(folder.glob("[0-9]*.md")):
        number = int(decision.name[:4])
        assert f"\n| [{number}]({decision.name}) | " in index
        title, _, rest = decision.read_text(encoding="utf-8").partition("\n")
        assert title.startswith(f"# {number}. ")
        assert rest.lstrip().startswith("Status: ")


def test_the_architecture_names_every_folder() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for pattern in ("services/*/", "shared/*/", "services/ingest/*/", "services/audit/*/", "services/output_gate/*/"):
        for folder in ROOT.glob(pattern):
            if any(folder.glob("*.py")):
                assert f"{folder.name}/`" in text or f"`{folder.name}`" in text, folder
