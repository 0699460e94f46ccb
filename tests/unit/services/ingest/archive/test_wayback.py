"""The Wayback client against a server that speaks the documented HTTP."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from services.ingest.archive.wayback import WaybackClient, WaybackKeys, raw_snapshot_url
from shared.errors import InputError, UnavailableError
from tests.support.web_server import Page, make_fetcher, web_server
from tests.unit.services.ingest.archive.fake_wayback import FakeWayback

ORIGINAL = "https://example.org/works/1?size=big&b=c"
KEYS = WaybackKeys(SecretStr("key"), SecretStr("secret"))


@pytest.fixture
def archive() -> Iterator[FakeWayback]:
    with web_server() as running:
        yield FakeWayback(running)


def client(archive: FakeWayback, keys: WaybackKeys | None = KEYS, job_seconds: float = 5.0) -> WaybackClient:
    fetcher = make_fetcher(archive.site, attempts=1)
    return WaybackClient(fetcher, keys, archive.site.url("/"), poll_seconds=0.01, job_seconds=job_seconds)


def test_a_snapshot_is_asked_for_waited_for_and_found_again(archive: FakeWayback) -> None:
    snapshot = client(archive).capture(ORIGINAL)
    assert snapshot.original_url == ORIGINAL
    assert snapshot.captured_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert snapshot.snapshot_url == archive.site.url(f"/web/20260131120000/{ORIGINAL}")
    assert archive.site.seen[0].method == "POST"
    assert len(archive.site.seen) == 1 + 3
    found = client(archive, keys=None).find_nearest(ORIGINAL, snapshot.captured_at)
    assert found is not None
    assert (found.snapshot_url, found.sha1) == (snapshot.snapshot_url, hashlib.sha1(b"captured").hexdigest())


def test_a_failed_job_gives_the_archives_reason(archive: FakeWayback) -> None:
    archive.failure = "error:invalid-host-resolution"
    with pytest.raises(UnavailableError, match="Cannot resolve host") as caught:
        client(archive).capture(ORIGINAL)
    assert caught.value.code == "wayback_failed"


def test_a_job_is_not_waited_for_for_ever(archive: FakeWayback) -> None:
    archive.polls = 10**6
    with pytest.raises(UnavailableError) as caught:
        client(archive, job_seconds=0.05).capture(ORIGINAL)
    assert caught.value.code == "wayback_pending"


def test_what_the_archive_does_not_take_is_refused(archive: FakeWayback) -> None:
    with pytest.raises(InputError, match="block list") as caught:
        client(archive).submit("https://blocked.example/")
    assert caught.value.code == "wayback_refused"
    with pytest.raises(InputError, match="expected keys"):
        client(archive, keys=None).submit(ORIGINAL)
    with pytest.raises(UnavailableError, match="got 401"):
        client(archive, WaybackKeys(SecretStr("wrong"), SecretStr("keys"))).submit(ORIGINAL)
    with pytest.raises(InputError, match="expected a job's id"):
        client(archive).poll("../../cdx")


def test_the_keys_are_not_shown(archive: FakeWayback) -> None:
    assert "secret" not in repr(KEYS).replace("secret=", "")


@pytest.mark.parametrize(
    ("moment", "stamp"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), "20210101000000"),
        (datetime(2021, 2, 1, tzinfo=UTC), "20210101000000"),
        (datetime(2022, 12, 1, tzinfo=UTC), "20230101000000"),
        (datetime(2022, 1, 1, tzinfo=UTC), "20210101000000"),
        (datetime(2030, 1, 1, tzinfo=UTC), "20230101000000"),
    ],
)
def test_the_nearest_snapshot_is_found(archive: FakeWayback, moment: datetime, stamp: str) -> None:
    archive.captures = [("20210101000000", ORIGINAL, b"a"), ("20230101000000", ORIGINAL, b"b")]
    found = client(archive, keys=None).find_nearest(ORIGINAL, moment)
    assert found is not None
    assert f"/web/{stamp}/" in found.snapshot_url


def test_a_snapshot_of_the_same_bytes_can_be_asked_for(archive: FakeWayback) -> None:
    archive.captures = [("20210101000000", ORIGINAL, b"a"), ("20230101000000", ORIGINAL, b"b")]
    found = client(archive).find_nearest(ORIGINAL, datetime(2020, 1, 1, tzinfo=UTC), b"b")
    assert found is not None
    assert found.captured_at.year == 2023
    assert client(archive).find_nearest(ORIGINAL, datetime(2020, 1, 1, tzinfo=UTC), b"c") is None
    assert client(archive).find_nearest("https://example.org/never", datetime(2020, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"{}", b"[1]", b'[["a","b","c"],["2026","u","x"]]', b'[["a","b","c"],["20260131120000",1,"-"]]', b"[" * 9000],
)
def test_an_undocumented_answer_is_said_so(archive: FakeWayback, body: bytes) -> None:
    archive.site.anything = lambda _handler: Page(body)
    for call in (
        lambda: client(archive).find_nearest(ORIGINAL, datetime(2020, 1, 1, tzinfo=UTC)),
        lambda: client(archive).poll("x"),
    ):
        with pytest.raises(UnavailableError) as caught:
            call()
        assert caught.value.code == "wayback_undocumented"


def test_the_raw_form_of_a_snapshot() -> None:
    raw = "https://web.archive.org/web/20260131120000id_/http://a.example/x?y"
    assert raw_snapshot_url("https://web.archive.org/web/20260131120000/http://a.example/x?y") == raw
    assert raw_snapshot_url("https://web.archive.org/web/20260131120000im_/http://a.example/x?y") == raw
    assert raw_snapshot_url(raw) == raw
    assert raw_snapshot_url("https://archive.example/abc") == "https://archive.example/abc"
