"""The API's own page at /docs: it works without any network but the server itself."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from services.demo.gate_client import running_server
from shared.settings import Settings
from tests.browser.test_report import page

__all__ = ["page"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of uvicorn's websocket protocol, which is not used here
def test_the_docs_page_shows_the_operations_and_calls_nobody_else(page: Page, tmp_path: Path) -> None:
    with running_server(Settings(home=tmp_path / "home", database_url=None)) as client:
        origin = str(client.base_url)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{origin}/docs")
        page.get_by_text("Check generations before they are released").wait_for(timeout=20_000)
        assert page.get_by_text("Register one training image").is_visible()
    assert [url for url in requests if not url.startswith((origin, "data:"))] == []
