"""Pages: every row is on exactly one of them, in order, and a cursor that is none of ours is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.http.paging import Page, PageRequest, decode_cursor, encode_cursor


def load_page(rows: list[int], request: PageRequest) -> Page[str]:
    """A page of rows that are positions themselves, answered as text."""
    after = int(request.position or -1)
    loaded = [row for row in rows if row > after][: request.rows_to_load]
    return request.build(loaded, str, lambda page_rows: [f"row {row}" for row in page_rows])


@pytest.mark.parametrize(("count", "limit"), [(0, 1), (1, 1), (2, 1), (6, 3), (7, 3), (3, 50)])
def test_pages_together_hold_every_row_once(count: int, limit: int) -> None:
    pages = [load_page(list(range(count)), PageRequest(None, limit))]
    while pages[-1].next_cursor is not None:
        pages.append(load_page(list(range(count)), PageRequest(pages[-1].next_cursor, limit)))
    assert [item for page in pages for item in page.items] == [f"row {row}" for row in range(count)]
    # No page but the only one is empty: the last full page has no cursor.
    assert all(page.items for page in pages[1:])
    assert len(pages) == max(1, -(-count // limit))


def test_answers_that_are_left_out_end_no_list() -> None:
    page = PageRequest(None, 2).build([1, 2, 3], str, lambda _shown: list[str]())
    assert page.items == []
    assert page.next_cursor == encode_cursor("2")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_cursor_gives_its_position_back(position: str) -> None:
    assert decode_cursor(encode_cursor(position)) == position


@pytest.mark.parametrize(
    "cursor",
    ["!", "a", "ab cd", "é", base64.urlsafe_b64encode(b"\xff\xfe").decode(), base64.urlsafe_b64encode(b"a\0b").decode()],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InputError) as caught:
        PageRequest(cursor).position  # noqa: B018
    assert caught.value.code == "cursor_invalid"
