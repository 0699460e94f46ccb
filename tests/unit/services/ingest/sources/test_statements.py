"""What hosts say of the images of a list: read once a host, recorded with where it stands, and never taken for permission."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from services.ingest.bulk.pipeline import register_rows
from services.ingest.bulk.rows import BadRow, NoPicture, Row
from services.ingest.sources.kinds.url_list import FetchedRow, UrlList
from services.ingest.sources.source import SourceOptions
from services.ingest.sources.statements import TDMREP_PATH, Statements, find_page
from shared.canonical import sha256_hex
from shared.records.items import Item, load_dataset_items, load_entry_ids, load_signals
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png
from tests.support.log_entries import open_entries
from tests.support.web_server import Page, WebServer, make_fetcher, web_server
from tests.unit.services.ingest.signals.xmp_pictures import data_mining

HTML = ("Content-Type", "text/html; charset=utf-8")
NOAI_PAGE = b'<html><head><meta name="robots" content="noimageai"></head></html>'
ROBOTS = b"""License: https://public.test/licence.xml
User-agent: *
Disallow: /private
Content-Usage: /drawings train-ai=n
"""
TDMREP = b'[{"location": "/photos/", "tdm-reservation": 1}, {"location": "/free/", "tdm-reservation": 0}]'


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


def rows_of(site: WebServer, folder: Path, *rows: dict[str, str], read_pages: bool = False) -> list[Row | BadRow | NoPicture]:
    path = folder / "list.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    options = SourceOptions("works", "Ada", 2**20, "CC0-1.0", read_pages=read_pages)
    return list(UrlList(path, options, make_fetcher(site, attempts=1)).rows())


def said(row: Row | BadRow | NoPicture) -> list[tuple[str, str]]:
    assert isinstance(row, FetchedRow), row
    return [(one.kind, one.verdict) for one in row.source_signals()]


def test_the_files_of_the_origin_are_read_once_and_judged_for_each_url(site: WebServer, tmp_path: Path) -> None:
    site.pages |= {"/robots.txt": Page(ROBOTS), TDMREP_PATH: Page(TDMREP)}
    for number, folder in enumerate(("drawings", "photos", "free", "private")):
        site.pages[f"/{folder}/a.png"] = Page(png(number))
    rows = rows_of(site, tmp_path, *({"url": site.url(f"/{one}/a.png")} for one in ("drawings", "photos", "free", "private")))
    licence = ("rsl-license", "unknown")
    assert said(rows[0]) == [("content-usage-robots", "deny"), licence]
    assert said(rows[1]) == [licence, ("tdmrep-file", "deny")]
    assert said(rows[2]) == [licence, ("tdmrep-file", "allow")]
    assert isinstance(rows[3], BadRow)
    assert rows[3].error.code == "robots_disallowed"
    assert "/private/a.png" not in site.paths()
    assert [site.paths().count(path) for path in ("/robots.txt", TDMREP_PATH)] == [1, 1]
    assert isinstance(rows[1], FetchedRow)
    rsl, tdmrep = rows[1].source_signals()
    assert (rsl.raw_sha256, tdmrep.raw_sha256) == (sha256_hex(ROBOTS), sha256_hex(TDMREP))
    assert (rsl.detail["read_from"], tdmrep.detail["read_from"]) == (site.url("/robots.txt"), site.url(TDMREP_PATH))


def test_what_was_said_is_on_record_and_keeps_a_denied_image_out_of_manifests(
    site: WebServer, any_workspace: Workspace, tmp_path: Path
) -> None:
    site.pages |= {"/robots.txt": Page(ROBOTS), TDMREP_PATH: Page(TDMREP)}
    # The file in the image allows; its host reserves the rights, and the more restrictive one counts.
    site.pages["/photos/a.jpg"] = Page(encode(picture(1), "JPEG", xmp=data_mining("DMI-ALLOWED")))
    site.pages["/other/b.png"] = Page(png(2))
    rows = [{"url": site.url("/photos/a.jpg")}, {"url": site.url("/other/b.png")}]
    assert register_rows(any_workspace, rows_of(site, tmp_path, *rows)).created == 2
    again = register_rows(any_workspace, rows_of(site, tmp_path, *rows))
    assert (again.known, again.bad) == (2, [])
    with any_workspace.reading() as session:
        denied, silent = session.exec(select(Item).order_by(Item.source_key.desc()))  # type: ignore[attr-defined]
        assert (denied.rights_verdict, silent.rights_verdict) == ("deny", "unknown")
        kinds = [(one.kind, one.verdict) for one in load_signals(session, denied.id)]
        assert [item.id for item in load_dataset_items(session, "works")] == [silent.id]
        entry_ids = load_entry_ids(session, denied)
    assert kinds == [("rsl-license", "unknown"), ("tdmrep-file", "deny"), ("xmp-plus-data-mining", "allow")]
    entries = open_entries(any_workspace, entry_ids)
    assert [entry.type for entry in entries] == ["item.registered", *["signal.observed"] * 3]
    assert entries[2].body["raw_sha256"] == sha256_hex(TDMREP)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Page(b"broken", 500), "server_busy"),
        (Page(b"", 503), "server_busy"),
        (Page(b"no", 403), "url_unavailable"),
        (Page(b"", 302, (("Location", "http://127.0.0.1/inside"),)), "url_refused"),
        (lambda handler: handler.connection.close(), "connection_failed"),
    ],
)
def test_a_file_that_cannot_be_had_is_unknown(site: WebServer, tmp_path: Path, answer: Page, code: str) -> None:
    site.pages |= {TDMREP_PATH: answer, "/a.jpg": Page(encode(picture(1), "JPEG", xmp=data_mining("DMI-ALLOWED")))}
    [row] = rows_of(site, tmp_path, {"url": site.url("/a.jpg")})
    assert said(row) == [("tdmrep-file", "unknown")]
    assert isinstance(row, FetchedRow)
    assert row.source_signals()[0].detail == {"error": code, "read_from": site.url(TDMREP_PATH)}


def test_no_file_says_nothing_and_a_robots_txt_that_is_too_long_is_unknown(site: WebServer, tmp_path: Path) -> None:
    site.pages |= {"/a.png": Page(png(1))}
    assert said(rows_of(site, tmp_path, {"url": site.url("/a.png")})[0]) == []
    long = b"User-agent: *\nAllow: /\n" + b"# nothing\n" * 60_000
    site.pages["/robots.txt"] = Page(long)
    [row] = rows_of(site, tmp_path, {"url": site.url("/a.png")})
    assert said(row) == [("robots-txt", "unknown")]
    assert isinstance(row, FetchedRow)
    assert row.source_signals()[0].raw_sha256 == sha256_hex(long)


def test_a_tdmrep_file_that_we_may_not_fetch_is_unknown_and_not_fetched(site: WebServer, tmp_path: Path) -> None:
    site.pages |= {
        "/robots.txt": Page(b"User-agent: *\nDisallow: /.well-known"),
        TDMREP_PATH: Page(TDMREP),
        "/free/a.png": Page(png(1)),
    }
    [row] = rows_of(site, tmp_path, {"url": site.url("/free/a.png")})
    assert said(row) == [("tdmrep-file", "unknown")]
    assert TDMREP_PATH not in site.paths()


def test_the_host_that_was_asked_speaks_as_well_as_the_one_that_served(site: WebServer, tmp_path: Path) -> None:
    served = site.url("/b.png", "other.test")
    site.pages |= {"/photos/a.png": Page(b"", 302, (("Location", served),)), "/b.png": Page(png(1)), TDMREP_PATH: Page(TDMREP)}
    [row] = rows_of(site, tmp_path, {"url": site.url("/photos/a.png")})
    assert said(row) == [("tdmrep-file", "deny")]
    hosts = [one.headers["Host"].partition(":")[0] for one in site.seen if one.path == TDMREP_PATH]
    assert hosts == ["public.test", "other.test"]


def test_pages_are_read_when_asked_for_only(site: WebServer, tmp_path: Path) -> None:
    site.pages |= {"/a.png": Page(png(1)), "/b.png": Page(png(2)), "/works/1": Page(NOAI_PAGE, headers=(HTML,))}
    rows = [{"url": site.url(f"/{one}.png"), "page_url": site.url("/works/1")} for one in "ab"]
    assert [said(row) for row in rows_of(site, tmp_path, *rows)] == [[], []]
    assert "/works/1" not in site.paths()
    read = rows_of(site, tmp_path, *rows, read_pages=True)
    assert [said(row) for row in read] == [[("robots-meta", "deny")]] * 2
    assert site.paths().count("/works/1") == 1
    assert isinstance(read[0], FetchedRow)
    [signal] = read[0].source_signals()
    assert (signal.raw_sha256, signal.detail["read_from"]) == (sha256_hex(NOAI_PAGE), site.url("/works/1"))
    assert read[0].registration.extra["page_url"] == site.url("/works/1")


def test_a_page_that_cannot_be_read_is_unknown_and_what_is_no_page_says_nothing(site: WebServer, tmp_path: Path) -> None:
    site.pages |= {
        "/robots.txt": Page(b"User-agent: *\nDisallow: /closed"),
        "/a.png": Page(png(1)),
        "/closed": Page(NOAI_PAGE, headers=(HTML,)),
        "/image": Page(NOAI_PAGE, headers=(("Content-Type", "image/png"),)),
    }
    pages = {"/closed": "robots_disallowed", "/gone": "url_gone", "/image": None}
    for path, code in pages.items():
        row = {"url": site.url("/a.png"), "source_url": site.url(path)}
        [read] = rows_of(site, tmp_path, row, read_pages=True)
        assert isinstance(read, FetchedRow)
        found = [(one.kind, one.verdict, one.detail["error"]) for one in read.source_signals()]
        assert found == ([("robots-meta", "unknown", code)] if code else [])
    assert "/closed" not in site.paths()


def test_the_page_is_found_among_the_columns() -> None:
    assert find_page({"listed_source_url": " https://a.test/1 "}, "https://a.test/1.png") == "https://a.test/1"
    assert find_page({"page_url": "https://a.test/1.png", "listed_original_url": None}, "https://a.test/1.png") is None


def test_statements_address_us_by_product_and_not_by_words_of_our_user_agent(site: WebServer) -> None:
    site.pages |= {"/robots.txt": Page(b"User-agent: images\nContent-Usage: train-ai=n"), "/a.png": Page(png(1))}
    fetcher = make_fetcher(site)
    assert "images" in fetcher.user_agent
    statements = Statements(fetcher)
    fetched = fetcher.fetch(site.url("/a.png"), check=statements.verify_allowed)
    assert statements.read(fetched) == ()
