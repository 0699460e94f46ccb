"""The report in a real browser: what a reader meets first, and that nothing is loaded from elsewhere.

Uses Debian's Chromium; skipped with its reason where it is not installed.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from services.audit.audits.audit import audit_model
from services.audit.reports.kinds.audit_report import write_report
from shared.workspace import Workspace
from tests.e2e.conftest import SLICE, audit_context, audited, audited_workspace, save_noisy_copies
from tests.support.paths import RESULTS

__all__ = ["audited", "audited_workspace"]

STUDY = RESULTS / "study-cpu.html"
CHROMIUM = shutil.which("chromium")
# Chromium refuses its sandbox to root; the rest keeps it from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


@pytest.fixture
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1100, "height": 900})
        browser.close()


@pytest.fixture
def report(audited_workspace: Workspace, tmp_path: Path) -> Path:
    samples = save_noisy_copies(audited_workspace, tmp_path / "samples")
    audit, content = audit_model(audit_context(audited_workspace), "model-a", samples)
    write_report(audited_workspace, [(audit, content, samples)], tmp_path / "report.html")
    return tmp_path / "report.html"


def test_the_first_screen_has_denominator_control_and_limits(page: Page, report: Path) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    assert page.get_by_role("heading", level=1).inner_text() == "Memorisation audit"
    for text in (f"{SLICE} of {SLICE}", "Control:", "It does not decide originality"):
        found = page.get_by_text(text).first
        box = found.bounding_box()
        assert box is not None, text
        assert box["y"] + box["height"] <= 900, text
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1100


def test_figures_pictures_and_receipts_are_there(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    assert page.get_by_role("img", name="Best SSIM of generations and of held-out images").count() == 1
    pictures = page.locator("article img")
    assert pictures.count() == 3 * SLICE
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0 && image.alt)")
    with page.expect_download() as download:
        page.get_by_role("link", name="receipt of its registration").first.click()
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("c2sp.org/tlog-proof@v1\n")


def test_the_page_fits_a_telephone(page: Page, report: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_first_screen_of_a_study_has_denominators_control_quality_and_limits(page: Page) -> None:
    page.goto(STUDY.as_uri())
    for text in ("of 1,536", "Control:", "Quality:", "Few copies are no virtue", "It does not decide originality"):
        box = page.get_by_text(text).first.bounding_box()
        assert box is not None, text
        assert box["y"] + box["height"] <= 900, text
