"""Robust Links: written and read back, read from other people's pages, refused where they say nothing usable."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.archive.robust_link import (
    ArchivalState,
    RobustLink,
    format_robust_link,
    parse_robust_link,
    parse_robust_links,
)
from shared.errors import InputError

SNAPSHOT = "https://web.archive.org/web/20241121100333/https://www.w3.org/"
urls = st.from_regex(r"https?://[a-z]{1,9}\.example/[!-~]{0,40}", fullmatch=True)
links = st.builds(
    RobustLink,
    original_url=urls,
    snapshot_url=st.none() | urls,
    version_date=st.none() | st.dates(),
    sha256=st.none() | st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    state=st.sampled_from(ArchivalState),
)


@given(links, st.text(max_size=30))
def test_what_is_written_is_read_back(link: RobustLink, text: str) -> None:
    assert parse_robust_link(f"<p>see {format_robust_link(link, text)}.</p>") == link


@pytest.mark.parametrize(
    "attributes",
    [
        # The forms of the specification: linking to the original, to the snapshot, and with several snapshots.
        'href="https://www.w3.org/" data-versionurl="{snapshot}" data-versiondate="2024-11-21"',
        'HREF="{snapshot}" DATA-ORIGINALURL="https://www.w3.org/" data-versiondate="2024-11-21" data-versionurl="{snapshot}"',
        'href="https://www.w3.org/" data-versiondate="2024-11-21T10Z" data-versionurl="{snapshot} 2024-11-21 https://a.test/"',
    ],
)
def test_other_peoples_links_are_read(attributes: str) -> None:
    assert parse_robust_link(f"<a {attributes.format(snapshot=SNAPSHOT)}>W3C</a>") == RobustLink(
        "https://www.w3.org/", SNAPSHOT, date(2024, 11, 21)
    )


def test_ordinary_links_are_skipped() -> None:
    page = '<a href="https://example.org/">plain</a><br><a name=x><img data-versionurl="https://example.org/">'
    assert parse_robust_links(page) == []


@pytest.mark.parametrize(
    "page",
    [
        "<a href='https://example.org/'>plain</a>",
        f"<a href='{SNAPSHOT}' data-versionurl='{SNAPSHOT}'>no original</a>",
        "<a data-versiondate='2026-01-31'>nothing</a>",
        "<a href='https://example.org/' data-versiondate='31.1.2026'>",
        "<a href='https://example.org/' data-versiondate='2026-02-30'>",
        "<a href='javascript:alert(1)' data-versiondate='2026-01-31'>",
        "<a href='https://example.org/' data-versionurl='data:text/html,x'>",
        "<a href='https://example.org/' data-versiondate='2026-01-31' data-state='fine'>",
        "<a href='https://example.org/' data-versiondate='2026-01-31' data-sha256='abc'>",
        2 * "<a href='https://example.org/' data-versiondate='2026-01-31'>",
    ],
)
def test_what_is_no_usable_link_is_refused(page: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_robust_link(page)
    assert caught.value.code == "link_invalid"
