"""Many generations of a model in one call: each gets what it would get alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import select

from services.audit.training_sets.sealed_set import load_sealed_set
from services.output_gate.checks import service
from services.output_gate.checks.answers import build_answers
from services.output_gate.checks.service import check_generation, check_generations, compare
from services.output_gate.gate import Gate, view_recipe
from services.output_gate.opening import open_gate
from shared.errors import ConflictError, InputError, NotFoundError, SleeveError
from shared.ledger.verify import verify_log, verify_receipt
from shared.records.checks import Check
from shared.records.models import load_model_record
from shared.vision.image_decoding import decode_image
from shared.vision.views import build_view
from shared.workspace import Workspace
from tests.support.factories import png

MODEL = "model-a"


@pytest.fixture
def gate(audited_workspace: Workspace) -> Iterator[Gate]:
    opened = open_gate(audited_workspace)
    yield opened
    opened.close()


def training_originals(workspace: Workspace) -> list[bytes]:
    return [workspace.blobs.load(digest) for digest in load_sealed_set(workspace, "small").blobs]


def told(check: Check | SleeveError) -> dict[str, Any]:
    """What a check found, every figure to the last digit."""
    assert isinstance(check, Check)
    return {**check.result, "index": None}


def test_each_gets_what_it_would_get_alone(gate: Gate, audited_workspace: Workspace) -> None:
    images = [*training_originals(audited_workspace), *(png(seed) for seed in range(500, 506))]
    together = check_generations(gate, MODEL, images)
    alone = [check_generation(gate, MODEL, data) for data in images]
    assert [one.decision for one in alone[:6]] == ["flag"] * 6
    for one, other in zip(together, alone, strict=True):
        assert told(one) == told(other)
    answers = build_answers(gate.workspace, [one for one in together if isinstance(one, Check)])
    for answer in answers:
        assert verify_receipt(answer.receipt, audited_workspace.log.vkey).entry.subject["check"] == answer.id
    verify_log(audited_workspace.log.folder, audited_workspace.log.vkey)


def test_bad_ones_get_their_own_errors_and_the_rest_their_decisions(gate: Gate) -> None:
    outcomes = check_generations(gate, MODEL, [png(1), b"words", png(2), png(3)[:150]])
    assert [one.code if isinstance(one, SleeveError) else one.decision for one in outcomes] == [
        "clear",
        "not_an_image",
        "clear",
        "image_damaged",
    ]


def test_keys_have_one_effect_each_within_a_batch_too(gate: Gate) -> None:
    first = check_generation(gate, MODEL, png(1), "k1")
    again, twice, same, other = check_generations(gate, MODEL, [png(1), png(2), png(2), png(3)], ["k1", "k2", "k2", "k2"])
    assert isinstance(again, Check)
    assert isinstance(twice, Check)
    assert isinstance(same, Check)
    assert (again.id, same.id) == (first.id, twice.id)
    assert isinstance(other, ConflictError)
    with gate.workspace.reading() as session:
        assert len(session.exec(select(Check)).all()) == 2


def test_one_that_breaks_a_step_does_not_touch_the_others(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    find = compare
    poison = build_view(decode_image(png(507), gate.workspace.limits).pixels, gate_recipe(gate))

    def find_or_break(gate: Gate, model: Any, views: Any, *shown: Any) -> Any:
        if any((view == poison).all() for view in views):
            raise ZeroDivisionError("a step broke")
        return find(gate, model, views, *shown)

    monkeypatch.setattr(service, "compare", find_or_break)
    outcomes = check_generations(gate, MODEL, [png(506), png(507), png(508)])
    decided = [(one.decision, one.result["reason"]) for one in outcomes if isinstance(one, Check)]
    assert decided == [("clear", "within_control"), ("undecided", "internal_error"), ("clear", "within_control")]


def gate_recipe(gate: Gate) -> Any:
    with gate.workspace.reading() as session:
        return view_recipe(load_model_record(session, MODEL))


def test_nothing_and_what_is_unknown(gate: Gate) -> None:
    assert check_generations(gate, MODEL, []) == []
    assert build_answers(gate.workspace, []) == []
    with pytest.raises(NotFoundError):
        check_generations(gate, "no-such-model", [png(1)])
    with pytest.raises(InputError):
        check_generations(gate, MODEL, [png(1)], [])
