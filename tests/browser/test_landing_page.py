"""The page at `/` in a real browser: its structure, its contrast in light and dark, and its width from phone to desk."""

from collections.abc import Iterator
from typing import Literal

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page

from services.server.landing import router
from tests.browser.test_report import page
from tests.support.live_server import serve

__all__ = ["page"]

# The least ratio of contrast over all elements that hold text of their own (WCAG 2.2, "contrast ratio", "relative luminance").
LEAST_CONTRAST = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return (channels(color)[3] ?? 1) > 0 ? color : background(element.parentElement);
  };
  const ratios = [...document.body.querySelectorAll('*')]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .map((element) => [luminance(getComputedStyle(element).color), luminance(background(element))])
    .map(([text, paper]) => (Math.max(text, paper) + 0.05) / (Math.min(text, paper) + 0.05));
  return Math.min(...ratios);
}"""
# WCAG 2.2, success criterion 1.4.3, for text of normal size.
AA_CONTRAST = 4.5


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    app = FastAPI()
    app.include_router(router)
    with serve(app) as url:
        yield url


def test_headings_and_landmarks_tell_what_is_where(page: Page, origin: str) -> None:
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: errors.append(message.text))
    page.goto(f"{origin}/")
    assert page.title() == "Sleeve"
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["Sleeve"]
    assert page.get_by_role("heading", level=2).all_inner_texts() == ["Use the API", "Verify the log", "Health"]
    for landmark in ("banner", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    for name in ("API description", "Checkpoint", "Public key", "Up", "Ready"):
        assert page.get_by_role("link", name=name, exact=True).is_visible()
    assert [url for url in requests if not url.startswith(origin)] == []
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(page: Page, origin: str, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{origin}/")
    assert page.evaluate(LEAST_CONTRAST) >= AA_CONTRAST


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_is_wider_than_the_window(page: Page, origin: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{origin}/")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for box in (link.bounding_box() for link in page.get_by_role("link").all()):
        assert box is not None
        assert box["height"] >= 24  # WCAG 2.2, success criterion 2.5.8


def test_every_link_is_reached_by_the_keyboard(page: Page, origin: str) -> None:
    page.goto(f"{origin}/")
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href')"))
    assert {"/docs", "/openapi.json", "/checkpoint", "/log.vkey", "/healthz", "/readyz"} <= reached
