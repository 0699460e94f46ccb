"""Results on record: without names, read into their model."""

import pytest

from services.ingest.lifecycle.erasure import ERASED, erase_party
from services.output_gate.checks.service import check_generation
from services.output_gate.results.recorded import read_result, with_names, without_names
from services.output_gate.results.schemas import CheckResult
from shared.errors import CorruptStateError
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld


def test_names_are_put_back_as_they_are_now(world: MemoryWorld) -> None:
    check = check_generation(world.gate, "model-a", png(1))
    assert without_names(check.result) == check.result
    with world.workspace.reading() as session:
        [result] = with_names(session, [check.result])
    answer = CheckResult.model_validate(result)
    assert answer.match is not None
    [owner] = answer.match.owners
    assert owner.name == "Olga Owner"
    with world.workspace.writing() as session:
        erase_party(session, owner.party_id, "request")
    with world.workspace.reading() as session:
        [result] = with_names(session, [check.result])
    assert result["matches"][0]["owners"][0]["name"] == ERASED


def test_a_result_of_before_there_were_kinds_is_read_and_damage_is_named(world: MemoryWorld) -> None:
    check = check_generation(world.gate, "model-a", png(1))
    check.result = {name: value for name, value in check.result.items() if name not in {"kind", "kind_figures", "cluster"}}
    assert (read_result(check).kind, read_result(check).cluster) == (None, [])
    check.result = {"decision": "flag"}
    with pytest.raises(CorruptStateError) as caught:
        read_result(check)
    assert caught.value.code == "check_damaged"
