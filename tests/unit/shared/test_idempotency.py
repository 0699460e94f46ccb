"""One effect a key: a new key, the same request again, another request, two at once, and an act that fails."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, func, select

from shared.auth.caller import Caller, acting_as
from shared.errors import ConflictError, InputError
from shared.http.jobs import queue_job_once
from shared.idempotency import Effect, once
from shared.records.idempotency import IdempotencyKey
from shared.records.jobs import Job, add_job
from shared.workspace import Workspace

OPERATION = "tests.queue"


def queue(session: Session) -> str:
    return add_job(session, "count", {}).id


def queue_once(workspace: Workspace, key: str | None, request: object, act: Callable[[Session], str] = queue) -> Effect:
    return once(workspace, OPERATION, key, request, act)


def count_rows(workspace: Workspace) -> tuple[int, int]:
    """How many jobs and how many keys are on record."""
    with workspace.reading() as session:
        jobs = session.exec(select(func.count()).select_from(Job)).one()
        return jobs, session.exec(select(func.count()).select_from(IdempotencyKey)).one()


def test_a_new_key_has_an_effect_and_the_same_request_again_has_none(any_workspace: Workspace) -> None:
    first = queue_once(any_workspace, "key-1", {"limit": 1})
    again = queue_once(any_workspace, "key-1", {"limit": 1})
    assert (first.created, again.created) == (True, False)
    assert first.resource_id == again.resource_id
    assert count_rows(any_workspace) == (1, 1)


def test_the_order_of_a_requests_fields_makes_no_other_request(workspace: Workspace) -> None:
    first = queue_once(workspace, "key-1", {"limit": 1, "dataset": "faces"})
    assert queue_once(workspace, "key-1", {"dataset": "faces", "limit": 1}).resource_id == first.resource_id


def test_a_key_with_another_request_is_a_conflict_and_changes_nothing(any_workspace: Workspace) -> None:
    queue_once(any_workspace, "key-1", {"limit": 1})
    with pytest.raises(ConflictError) as caught:
        queue_once(any_workspace, "key-1", {"limit": 2})
    assert caught.value.code == "idempotency_key_reused"
    assert count_rows(any_workspace) == (1, 1)


def test_other_keys_other_operations_other_callers_and_no_key_have_effects_of_their_own(workspace: Workspace) -> None:
    effects = [queue_once(workspace, key, {}) for key in ("key-1", "key-2", None, None)]
    effects.append(once(workspace, "tests.other", "key-1", {}, queue))
    with acting_as(Caller("another", frozenset())):
        effects.append(queue_once(workspace, "key-1", {}))
    assert all(effect.created for effect in effects)
    assert len({effect.resource_id for effect in effects}) == len(effects) == 6


@pytest.mark.parametrize("racers", [2, 6])
def test_of_requests_at_the_same_time_one_has_the_effect_and_all_name_it(any_workspace: Workspace, racers: int) -> None:
    together = Barrier(racers)

    def race(_: int) -> Effect:
        together.wait()
        return queue_once(any_workspace, "key-1", {"limit": 1})

    with ThreadPoolExecutor(racers) as pool:
        effects = list(pool.map(race, range(racers)))
    assert len({effect.resource_id for effect in effects}) == 1
    assert sum(effect.created for effect in effects) == 1
    assert count_rows(any_workspace) == (1, 1)


def test_who_loses_by_a_constraint_names_what_the_winner_made(any_workspace: Workspace) -> None:
    """The winner commits while the loser's act runs: the database refuses the loser, which looks again."""
    attempts = []

    def lose(session: Session) -> str:
        attempts.append(queue(session))
        raise IntegrityError("the winner's row is there", None, ValueError())

    winner: list[Effect] = []

    def lose_to_the_winner(session: Session) -> str:
        try:
            return lose(session)
        finally:
            session.rollback()  # frees the key, as the database does for whom it refuses
            winner.append(queue_once(any_workspace, "key-1", {}))

    loser = queue_once(any_workspace, "key-1", {}, lose_to_the_winner)
    assert loser == Effect(winner[0].resource_id, created=False)
    assert len(attempts) == 1
    assert count_rows(any_workspace) == (1, 1)


@pytest.mark.parametrize("error", [InputError("refused"), IntegrityError("a constraint of its own", None, ValueError())])
def test_an_act_that_fails_leaves_nothing_and_the_key_free(any_workspace: Workspace, error: Exception) -> None:
    def fail(session: Session) -> str:
        queue(session)
        raise error

    with pytest.raises(type(error)):
        queue_once(any_workspace, "key-1", {}, fail)
    assert count_rows(any_workspace) == (0, 0)
    assert queue_once(any_workspace, "key-1", {}).created


def test_a_job_is_queued_once_a_key(any_workspace: Workspace) -> None:
    first = queue_job_once(any_workspace, "count", {"limit": 1}, "key-1")
    again = queue_job_once(any_workspace, "count", {"limit": 1}, "key-1")
    assert (first.id, first.kind, first.request, first.state) == (again.id, "count", {"limit": 1}, "queued")
    assert count_rows(any_workspace) == (1, 1)
