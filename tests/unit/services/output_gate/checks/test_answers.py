"""Recorded checks as they are answered: with names as they are now, in pages, with receipts that verify."""

import pytest

from services.output_gate.checks.answers import page_of_checks, show_check
from services.output_gate.checks.service import check_generation, check_generations
from shared.errors import NotFoundError
from shared.http.paging import PageRequest
from shared.ledger.verify import verify_receipt
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld


def test_an_answer_names_the_owner_and_proves_itself(world: MemoryWorld) -> None:
    answer = show_check(world.workspace, check_generation(world.gate, "model-a", png(2)).id)
    assert answer.match is not None
    assert [owner.name for owner in answer.match.owners] == ["Olga Owner"]
    assert answer.flag_id is not None
    assert answer.timings_ms["total"] > 0
    verify_receipt(answer.receipt, world.workspace.log.vkey)


def test_pages_are_newest_first_and_filtered(world: MemoryWorld) -> None:
    checks = check_generations(world.gate, "model-a", [png(1), png(5_000), png(5_001)])
    ids = [check.id for check in checks if not isinstance(check, Exception)]
    first = page_of_checks(world.workspace, PageRequest(limit=2))
    rest = page_of_checks(world.workspace, PageRequest(first.next_cursor, 2))
    assert [summary.id for summary in (*first.items, *rest.items)] == ids[::-1]
    assert rest.next_cursor is None
    [flagged] = page_of_checks(world.workspace, PageRequest(), decision="flag", model="model-a").items
    assert (flagged.id, flagged.item, flagged.rule) == (ids[0], world.items[1].id, "ssim")
    with pytest.raises(NotFoundError):
        page_of_checks(world.workspace, PageRequest(), model="model-z")
    with pytest.raises(NotFoundError):
        show_check(world.workspace, "nothing")
