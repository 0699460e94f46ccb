"""The documentation site builds without a warning, has every page, and loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

# What a browser fetches by itself: elements with a source, styles and icons, imports and fonts in styles.
FETCHED = (
    r"<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|srcset|data)=[\"']?((?:https?:)?//[^\"' >]+)",
    r"<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|icon|pre|dns-prefetch|manifest))[^>]*?\bhref=[\"']?((?:https?:)?//[^\"' >]+)",
    r"@import\s+(?:url\()?[\"']?((?:https?:)?//[^\"')]+)",
    r"url\([\"']?((?:https?:)?//[^\"')]+)",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_every_document_is_a_page_and_a_decision_is_in_the_navigation(site: Path) -> None:
    for document in (ROOT / "docs").glob("**/*.md"):
        relative = document.relative_to(ROOT / "docs")
        page = relative.with_name("index.html") if relative.name == "README.md" else relative.with_suffix("") / "index.html"
        assert (site / page).is_file(), page
    front = (site / "index.html").read_text(encoding="utf-8")
    for decision in (ROOT / "docs" / "adr").glob("0*.md"):
        assert f'href="adr/{decision.stem}/"' in front


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert [hit for pattern in FETCHED for hit in re.findall(pattern, text)] == [], page
