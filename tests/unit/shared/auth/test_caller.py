"""The caller: the operator where nobody is set, the one who is set in a block and its threads, and nobody after it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from anyio import to_thread

from shared.auth.caller import ANYONE, OPERATOR, Caller, acting_as, current_caller
from shared.auth.scopes import SCOPES
from shared.errors import ForbiddenError

OWNER = Caller("k1", frozenset({"items:own"}), "p1")


def test_the_operator_holds_every_scope_and_anyone_none() -> None:
    assert all(OPERATOR.holds(scope) for scope in SCOPES)
    assert not any(ANYONE.holds(scope) for scope in SCOPES)


def test_a_caller_is_set_for_a_block_and_blocks_may_be_nested() -> None:
    assert current_caller() is OPERATOR
    with acting_as(OWNER):
        with acting_as(ANYONE):
            assert current_caller() is ANYONE
        assert current_caller() is OWNER
    assert current_caller() is OPERATOR


def test_a_block_that_raises_leaves_nobody_behind() -> None:
    with pytest.raises(ZeroDivisionError), acting_as(OWNER):
        raise ZeroDivisionError
    assert current_caller() is OPERATOR


def test_the_caller_is_known_in_the_threads_of_a_request_and_to_no_other_request() -> None:
    async def request(caller: Caller) -> tuple[Caller, Caller]:
        with acting_as(caller):
            await asyncio.sleep(0)  # the other request runs in between
            return current_caller(), await to_thread.run_sync(current_caller)

    async def both() -> list[tuple[Caller, Caller]]:
        first, second = await asyncio.gather(request(OWNER), request(ANYONE))
        return [first, second]

    assert asyncio.run(both()) == [(OWNER, OWNER), (ANYONE, ANYONE)]


def test_a_thread_that_is_no_requests_acts_as_the_operator() -> None:
    def look(run: Callable[[Callable[[], Caller]], Caller]) -> Caller:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(run, current_caller).result()

    with acting_as(OWNER):
        assert look(lambda read: read()) is OPERATOR
        assert look(copy_context().run) is OWNER


def test_a_caller_without_a_party_is_refused_where_one_is_needed() -> None:
    assert OWNER.require_party() == "p1"
    with pytest.raises(ForbiddenError) as caught:
        ANYONE.require_party()
    assert caught.value.code == "party_missing"
