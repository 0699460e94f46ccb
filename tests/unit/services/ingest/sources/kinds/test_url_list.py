"""URL lists: fetched politely, in order, each row with its record and headers or with what is wrong with it."""

import csv
import gc
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlmodel import select

from services.ingest.bulk.pipeline import register_rows
from services.ingest.bulk.rows import BadRow
from services.ingest.sources.kinds.url_list import WINDOW_ROWS, FetchedRow, UrlList
from services.ingest.sources.source import SourceOptions
from services.ingest.sources.statements import TDMREP_PATH
from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png
from tests.support.web_server import Page, WebServer, make_fetcher, web_server

OPTIONS = SourceOptions("works", "Ada Acquirer", max_bytes=2**20, licence="CC0-1.0")


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def url_list(site: WebServer, path: Path, **limits: Any) -> UrlList:
    return UrlList(path, OPTIONS, make_fetcher(site, **limits))


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_list_is_registered_and_a_second_run_adds_nothing(
    site: WebServer, workspace: Workspace, tmp_path: Path, write: Any
) -> None:
    for number in range(5):
        site.pages[f"/{number}.png"] = Page(png(number))
    rows = [{"URL": site.url(f"/{number}.png"), "TEXT": f"Work {number}", "similarity": "0.3"} for number in range(5)]
    source = url_list(site, write(tmp_path / f"list.{write.__name__.removeprefix('write_')}", rows))
    assert source.count() == 5
    first, second = (register_rows(workspace, source.rows()) for _ in range(2))
    assert (first.created, first.bad, second.created, second.known) == (5, [], 0, 5)
    with workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
    assert [item.source_key for item in items] == [site.url(f"/{number}.png") for number in range(5)]
    assert (items[3].title, items[3].source_url, items[3].blob_sha256) == ("Work 3", rows[3]["URL"], sha256_hex(png(3)))
    assert items[3].extra == {"similarity": "0.3"}
    assert site.paths().count("/robots.txt") == 1


def test_each_bad_row_says_what_is_wrong_and_its_place_is_kept(site: WebServer, tmp_path: Path) -> None:
    site.pages |= {
        "/robots.txt": Page(b"User-agent: *\nDisallow: /private\nUser-agent: other\nDisallow: /"),
        "/good.png": Page(png(1), headers=(("X-Robots-Tag", "noai"), ("X-Robots-Tag", "noimageai"))),
        "/moved.png": Page(b"", 302, (("Location", "/private/a.png"),)),
        "/inside.png": Page(b"", 302, (("Location", "http://127.0.0.1/a.png"),)),
        "/closed.png": Page(b"", 403),
        "/busy.png": Page(b"", 503),
        "/large.png": Page(bytes(2**20 + 1)),
    }
    good, plain = site.url("/good.png"), {"sha256": "", "license": "", "acquired_at": "", "source_url": ""}
    expected = [
        ({"url": good, "sha256": sha256_hex(png(1)).upper(), "source_url": "https://example.org/page"}, None),
        ({"url": good, "sha256": "0" * 64}, "sha256_differs"),
        ({"url": good, "license": "no licence at all"}, "licence_not_spdx"),
        ({"url": site.url("/private/a.png")}, "robots_disallowed"),
        ({"url": site.url("/moved.png")}, "robots_disallowed"),
        ({"url": site.url("/inside.png")}, "url_refused"),
        ({"url": "http://169.254.169.254/latest"}, "url_refused"),
        ({"url": "file:///etc/passwd"}, "url_refused"),
        ({"url": site.url("/gone.png")}, "url_gone"),
        ({"url": site.url("/closed.png")}, "url_unavailable"),
        ({"url": site.url("/busy.png")}, "server_busy"),
        ({"url": site.url("/large.png")}, "body_too_large"),
        ({"url": ""}, "row_invalid"),
        ({"url": good, "acquired_at": "2001-01-01"}, None),
    ]
    path = write_csv(tmp_path / "list.csv", [plain | row for row, _ in expected])
    before = datetime.now().astimezone()
    found = list(url_list(site, path, max_bytes=2**20).rows())
    assert [one.error.code if isinstance(one, BadRow) else None for one in found] == [code for _, code in expected]
    keys = [row["url"] or "list.csv, row 12" for row, _ in expected]
    assert [one.key for one in found] == keys
    first, last = found[0], found[-1]
    assert isinstance(first, FetchedRow)
    assert isinstance(last, FetchedRow)
    assert [value for name, value in first.http_headers if name.lower() == "x-robots-tag"] == ["noai", "noimageai"]
    assert first.registration.archival_link is not None
    assert first.registration.archival_link.original_url == good
    assert first.registration.extra == {"listed_source_url": "https://example.org/page"}
    assert last.registration.acquired_at is not None
    assert last.registration.acquired_at >= before.replace(microsecond=before.microsecond // 1000 * 1000)
    assert last.registration.extra == {"listed_acquired_at": "2001-01-01"}
    assert "/private/a.png" not in site.paths()


def test_a_row_that_cannot_be_recorded_is_not_fetched(site: WebServer, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "list.csv", [{"url": site.url("/a.png"), "License": "all mine", "creator": "C"}])
    [bad] = UrlList(path, OPTIONS, make_fetcher(site)).rows()
    assert isinstance(bad, BadRow)
    assert (bad.error.code, "column license" in bad.error.message) == ("licence_not_spdx", True)
    no_licence = SourceOptions("works", "Ada", 2**20)
    [bad] = UrlList(write_csv(path, [{"url": site.url("/a.png")}]), no_licence, make_fetcher(site)).rows()
    assert isinstance(bad, BadRow)
    assert bad.error.code == "licence_missing"
    assert site.seen == []


def test_skipped_rows_are_not_fetched_and_folders_are_read_in_order(site: WebServer, tmp_path: Path) -> None:
    for number in range(6):
        site.pages[f"/{number}.png"] = Page(png(number))
    write_csv(tmp_path / "a.csv", [{"url": site.url(f"/{number}.png")} for number in range(3)])
    write_parquet(tmp_path / "b.parquet", [{"url": site.url(f"/{number}.png")} for number in range(3, 6)])
    (tmp_path / "readme.txt").write_text("no list")
    source = url_list(site, tmp_path)
    assert source.count() == 6
    assert [one.key for one in source.rows(skip=4)] == [site.url("/4.png"), site.url("/5.png"), "readme.txt"]
    assert [one.key for one in source.rows(skip=6)] == ["readme.txt"]
    assert set(site.paths()) == {"/robots.txt", TDMREP_PATH, "/4.png", "/5.png"}


def test_a_host_is_asked_for_two_things_at_once_and_rows_in_work_are_bounded(site: WebServer, tmp_path: Path) -> None:
    lock, image, running, most = threading.Lock(), png(1), 0, 0

    def slow(_handler: BaseHTTPRequestHandler) -> Page:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return Page(image)

    site.pages |= {"/robots.txt": Page(b""), TDMREP_PATH: Page(b"[]")}
    site.anything = slow
    total = 3 * WINDOW_ROWS
    path = write_csv(tmp_path / "list.csv", [{"url": site.url(f"/{number}.png")} for number in range(total)])
    alive = []
    for taken, row in enumerate(url_list(site, path).rows(), start=1):
        assert isinstance(row, FetchedRow)
        if taken % 20 == 0:
            gc.collect()
            # Not isinstance: asked for their class, some objects of other libraries import things and warn.
            alive.append(sum(type(one) is FetchedRow for one in gc.get_objects()))
            assert len(site.seen) <= taken + WINDOW_ROWS + 2
    assert most == 2
    assert max(alive) <= WINDOW_ROWS + 1


def test_leaving_a_list_early_stops_its_fetches(site: WebServer, tmp_path: Path) -> None:
    site.anything = Page(png(1))
    path = write_csv(tmp_path / "list.csv", [{"url": site.url(f"/{number}.png")} for number in range(200)])
    rows = url_list(site, path).rows()
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    seen = len(site.seen)
    time.sleep(0.1)
    assert len(site.seen) == seen <= WINDOW_ROWS + 2


def test_what_is_no_list_is_refused(site: WebServer, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError) as caught:
        list(url_list(site, tmp_path / "a.parquet").rows())
    assert caught.value.code == "source_damaged"


def test_one_odd_row_of_a_list_ends_nothing(site: WebServer, tmp_path: Path) -> None:
    site.pages["/a b.png"] = Page(png(1))
    site.pages["/a%20b.png"] = Page(png(1))
    good = site.url("/a b.png")
    lines = ["URL;Title", "\udcff;x", "x" * 200_000 + ";x", "s3://bucket/a.png;x", f"{good};surplus;more;cells", f"{good}"]
    (tmp_path / "a.csv").write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    rows = list(url_list(site, tmp_path / "a.csv").rows())
    assert [type(row) for row in rows] == [BadRow, BadRow, BadRow, FetchedRow, FetchedRow]
    first, second = rows[3:]
    assert isinstance(first, FetchedRow)
    assert isinstance(second, FetchedRow)
    assert first.key == good.replace(" ", "%20")
    assert first.registration.extra["surplus_cells"] == ["more", "cells"]
    assert set(second.registration.extra["column_notes"]) == {"Title"}
