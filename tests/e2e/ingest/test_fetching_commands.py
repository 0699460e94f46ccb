"""What the command line fetches: URL lists, checks and captures of archival links, within the networks that are allowed."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.commands.main import app
from services.ingest.archive import snapshots
from services.ingest.sources.registry import open_source
from services.ingest.sources.run import RunResult, add_source
from services.ingest.sources.source import SourceOptions
from shared.fetching.fetcher import build_fetcher
from shared.settings import load_settings
from shared.workspace import open_workspace
from tests.support.factories import png
from tests.support.web_server import LOOPBACK, Page, WebServer, web_server
from tests.unit.services.ingest.archive.fake_wayback import FakeWayback

COUNT = 4


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server(LOOPBACK) as running:
        running.pages |= {f"/{number}.png": Page(png(number)) for number in range(COUNT)}
        yield running


@pytest.fixture
def url_list(site: WebServer, tmp_path: Path) -> Path:
    path = tmp_path / "pictures.csv"
    lines = [f"{site.url(f'/{number}.png', LOOPBACK)},Work {number},CC0-1.0" for number in range(COUNT)]
    path.write_text("\n".join(["url,title,licence", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def environment(site: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("SLEEVE_FETCH_ALLOWED_NETWORKS", raising=False)
    monkeypatch.setenv("SLEEVE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLEEVE_FETCH_ALLOWED_PORTS", f"80, 443, {site.port}")
    monkeypatch.setenv("SLEEVE_FETCH_USER_AGENT", "PictureBot/1.0 (+https://example.org/bot)")
    return monkeypatch


def add(path: Path) -> RunResult:
    workspace = open_workspace(load_settings())
    make_fetcher = partial(build_fetcher, workspace.settings)
    options = SourceOptions("pictures", "Ada", workspace.limits.max_bytes, make_fetcher=make_fetcher)
    try:
        return add_source(workspace, open_source(path, options), options)
    finally:
        workspace.engine.dispose()


def test_a_list_is_registered_from_an_allowed_network(
    environment: pytest.MonkeyPatch, site: WebServer, url_list: Path
) -> None:
    environment.setenv("SLEEVE_FETCH_ALLOWED_NETWORKS", "127.0.0.0/8")
    result = add(url_list)
    assert (result.rows.created, result.rows.bad) == (COUNT, [])
    assert {one.headers["User-Agent"] for one in site.seen} == {"PictureBot/1.0 (+https://example.org/bot)"}
    assert add(url_list).rows.known == COUNT


@pytest.mark.usefixtures("environment")
def test_without_the_network_allowed_each_row_is_refused(site: WebServer, url_list: Path) -> None:
    result = add(url_list)
    assert result.rows.created == 0
    assert [bad.error.code for bad in result.rows.bad] == ["url_refused"] * COUNT
    assert site.seen == []


def test_the_commands_add_verify_and_capture(environment: pytest.MonkeyPatch, site: WebServer, url_list: Path) -> None:
    environment.setenv("SLEEVE_FETCH_ALLOWED_NETWORKS", "127.0.0.1/32")
    runner = CliRunner(env={"COLUMNS": "160"})
    added = runner.invoke(app, ["ingest", "add", str(url_list), "--acquirer", "Ada"])
    assert added.exit_code == 0, added.output
    assert "pictures: 4 registered" in added.output
    site.pages["/1.png"] = Page(b"gone", 410)
    verified = runner.invoke(app, ["ingest", "archive", "verify", "--dataset", "pictures", "--limit", "3"])
    assert verified.exit_code == 0, verified.output
    assert "3 links: 2 verified, 0 drifted, 1 missing, 0 unchecked" in verified.output
    rest = runner.invoke(app, ["ingest", "archive", "verify"])
    assert "1 links: 1 verified" in rest.output
    captured = runner.invoke(app, ["ingest", "archive", "capture", "--older-than-days", "0"])
    assert "4 links: 3 verified, 0 drifted, 1 missing, 0 unchecked" in captured.output
    assert runner.invoke(app, ["verify", "log"]).exit_code == 0


def test_pages_are_read_when_the_command_is_told_to(environment: pytest.MonkeyPatch, site: WebServer, tmp_path: Path) -> None:
    environment.setenv("SLEEVE_FETCH_ALLOWED_NETWORKS", "127.0.0.1/32")
    site.pages["/work"] = Page(b'<meta name="robots" content="noai">', headers=(("Content-Type", "text/html"),))
    for number, options in enumerate(([], ["--read-pages"])):
        path = tmp_path / f"list{number}.csv"
        image, page = site.url(f"/{number}.png", LOOPBACK), site.url("/work", LOOPBACK)
        path.write_text(f"url,page_url,licence\n{image},{page},CC0-1.0\n", encoding="utf-8")
        added = CliRunner().invoke(app, ["ingest", "add", str(path), "--acquirer", "Ada", *options])
        assert added.exit_code == 0, added.output
        assert site.paths().count("/work") == number
    shown = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["ingest", "status"]).output
    denied = {line.split("│")[1].strip(): line.split("│")[-2].strip() for line in shown.splitlines() if "list" in line}
    assert denied == {"list0": "0%", "list1": "100%"}


def test_originals_are_captured_in_the_wayback_machine_as_well(
    environment: pytest.MonkeyPatch, site: WebServer, url_list: Path
) -> None:
    environment.setenv("SLEEVE_FETCH_ALLOWED_NETWORKS", "127.0.0.1/32")
    environment.setattr(snapshots, "PAUSE_SECONDS", 0.01)
    runner = CliRunner(env={"COLUMNS": "160"})
    assert runner.invoke(app, ["ingest", "add", str(url_list), "--acquirer", "Ada"]).exit_code == 0
    refused = runner.invoke(app, ["ingest", "archive", "capture", "--wayback"])
    assert refused.exit_code != 0
    # The same server is the archive: the port that a fetch may name is its.
    archive = FakeWayback(site, polls=0)
    archive.content |= {site.url(f"/{number}.png", LOOPBACK): png(number) for number in range(COUNT)}
    environment.setenv("SLEEVE_WAYBACK_ACCESS_KEY", "key")
    environment.setenv("SLEEVE_WAYBACK_SECRET", "secret")
    environment.setenv("SLEEVE_WAYBACK_URL", site.url("", LOOPBACK))
    captured = runner.invoke(app, ["ingest", "archive", "capture", "--wayback"])
    assert captured.exit_code == 0, captured.output
    assert f"{COUNT} links: {COUNT} verified" in captured.output
    assert f"{COUNT} snapshots kept" in captured.output
    assert "secret" not in captured.output
    # The originals go; the snapshots still have the bytes.
    site.pages.clear()
    verified = runner.invoke(app, ["ingest", "archive", "verify", "--older-than-days", "0"])
    assert f"{COUNT} links: {COUNT} verified" in verified.output
    assert runner.invoke(app, ["verify", "log"]).exit_code == 0
