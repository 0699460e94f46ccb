"""Captures: read back by locator, readable by warcio itself, whole after damage, crashes and concurrent writers."""

import gzip
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator  # type: ignore[import-untyped]
from warcio.checker import Checker  # type: ignore[import-untyped]

from services.ingest.archive.warc import WarcLocator, WarcStore
from shared.canonical import sha256_hex
from shared.errors import CorruptStateError, InputError, NotFoundError
from tests.support.factories import png
from tests.support.web_server import PUBLIC, Page, WebServer, make_fetcher, web_server

IMAGE = png(1)


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as running:
        running.pages["/a.png"] = Page(IMAGE, headers=(("Content-Type", "image/png"), ("X-Note", "caf\xe9")))
        running.pages["/old"] = Page(b"moved", 301, (("Location", "/a.png"),))
        yield running


@pytest.fixture
def store(tmp_path: Path) -> WarcStore:
    return WarcStore(tmp_path / "warc")


def records(path: Path) -> list[tuple[str, str, str | None]]:
    with path.open("rb") as file:
        return [
            (one.rec_type, one.rec_headers.get_header("WARC-Target-URI") or "", one.rec_headers.get_header("WARC-IP-Address"))
            for one in ArchiveIterator(file)
        ]


def test_a_capture_is_read_back_by_its_locator(site: WebServer, store: WarcStore) -> None:
    fetched = make_fetcher(site).fetch(site.url("/a.png"), headers={"Authorization": "LOW key:secret"})
    capture = store.save(fetched)
    assert capture.payload_sha256 == sha256_hex(IMAGE)
    assert WarcLocator.parse(str(capture.locator)) == capture.locator
    read = store.load(capture.locator)
    assert (read.url, read.status, read.body, read.payload) == (site.url("/a.png"), 200, IMAGE, IMAGE)
    assert read.captured_at == fetched.answer.started_at
    assert ("Content-Type", "image/png") in read.headers
    assert b"secret" not in gzip.decompress((store.folder / capture.locator.file).read_bytes())


def test_every_hop_is_kept_and_other_tools_agree(site: WebServer, store: WarcStore) -> None:
    fetcher = make_fetcher(site)
    captures = store.save_many([fetcher.fetch(site.url("/old")), fetcher.fetch(site.url("/nowhere"))])
    [path] = store.folder.glob("*.warc.gz")
    hops = [(kind, site.url(place), PUBLIC) for place in ("/old", "/a.png", "/nowhere") for kind in ("response", "request")]
    assert records(path) == [("warcinfo", "", None), *hops]
    assert [store.load(one.locator).status for one in captures] == [200, 404]
    said = io.StringIO()
    with redirect_stdout(said):
        problems = Checker(type("Options", (), {"inputs": [str(path)], "verbose": True})()).process_all()
    assert not problems, said.getvalue()
    assert "digest pass" in said.getvalue()


def test_a_coded_body_is_kept_as_sent(site: WebServer, store: WarcStore) -> None:
    sent = gzip.compress(b"words")
    site.pages["/words"] = Page(sent, headers=(("Content-Encoding", "gzip"),))
    capture = store.save(make_fetcher(site).fetch(site.url("/words")))
    read = store.load(capture.locator)
    assert (read.payload, read.body, capture.payload_sha256) == (sent, b"words", sha256_hex(sent))


def test_writers_at_once_lose_nothing(site: WebServer, store: WarcStore) -> None:
    fetched = make_fetcher(site).fetch(site.url("/a.png"))
    with ThreadPoolExecutor(4) as pool:
        captures = list(pool.map(lambda _number: WarcStore(store.folder).save(fetched), range(12)))
    assert len({str(one.locator) for one in captures}) == 12
    assert all(store.load(one.locator).body == IMAGE for one in captures)
    [path] = store.folder.glob("*.warc.gz")
    assert len(records(path)) == 1 + 2 * 12


def test_after_a_writer_died_the_day_goes_on_in_another_file(site: WebServer, store: WarcStore) -> None:
    fetched = make_fetcher(site).fetch(site.url("/a.png"))
    first = store.save(fetched)
    with (store.folder / first.locator.file).open("ab") as file:
        file.write(b"\x1f\x8b half a member")
    second = store.save(fetched)
    third = store.save(fetched)
    assert second.locator.file == third.locator.file == first.locator.file.replace(".warc", ".2.warc")
    assert all(store.load(one.locator).body == IMAGE for one in (first, second, third))
    assert len(records(store.folder / second.locator.file)) == 5


def test_damage_is_an_error_or_does_no_harm(site: WebServer, store: WarcStore) -> None:
    capture = store.save(make_fetcher(site).fetch(site.url("/a.png")))
    path, locator = store.folder / capture.locator.file, capture.locator
    whole, intact, found = path.read_bytes(), store.load(locator), 0
    for position in range(locator.offset + 10, locator.offset + locator.length, 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x20]) + whole[position + 1 :])
        # A few bits of a compressed stream can differ without a change in what it says.
        try:
            assert store.load(locator) == intact
        except CorruptStateError:
            found += 1
    assert found > 50
    path.write_bytes(whole)
    for wrong in (WarcLocator(locator.file, 0, locator.offset), WarcLocator(locator.file, locator.offset, locator.length - 1)):
        with pytest.raises(CorruptStateError):
            store.load(wrong)
    with pytest.raises(NotFoundError):
        store.load(WarcLocator("1999-01-01.warc.gz", 0, 1))


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd#0+1", "2026-01-31.warc.gz", "2026-01-31.warc.gz#-1+2", "a.warc.gz#0+1"]
)
def test_a_locator_names_a_days_file_and_nothing_else(store: WarcStore, text: str) -> None:
    with pytest.raises(InputError):
        WarcLocator.parse(text)
    with pytest.raises(InputError):
        store.load(WarcLocator("../secret", 0, 1))
