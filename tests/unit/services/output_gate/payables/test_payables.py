"""What is owed to whom: rows that add up, and cells that no spreadsheet computes."""

import csv
import io

from services.output_gate.checks.service import check_generations
from services.output_gate.flags.service import page_of_flags
from services.output_gate.payables.payables import guard_formula, iterate_payables, page_of_payables, write_csv
from services.output_gate.reviews.schemas import ReviewRequest
from services.output_gate.reviews.service import review_flag
from shared.http.paging import PageRequest
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld


def test_rows_of_a_flag_are_its_amount_and_an_overturned_one_owes_nothing(world: MemoryWorld) -> None:
    check_generations(world.gate, "model-a", [png(1), png(2)])
    flags = page_of_flags(world.workspace, PageRequest()).items
    review_flag(world.workspace, flags[0].id, ReviewRequest(verdict="overturn", reason="licensed"))
    rows = list(iterate_payables(world.workspace, None))
    assert [(row.flag_id, row.owner, row.amount_minor) for row in rows] == [(flags[1].id, "Olga Owner", 1001)]
    assert page_of_payables(world.workspace, PageRequest(), None).items == rows
    assert [row.flag_id for row in page_of_payables(world.workspace, PageRequest(), "overturned").items] == [flags[0].id]
    [header, line] = csv.reader(io.StringIO("".join(write_csv(iter(rows)))))
    assert dict(zip(header, line, strict=True))["amount_minor"] == "1001"


def test_a_cell_is_no_formula() -> None:
    assert [guard_formula(text) for text in ("=1", "\t=1", "＋1", "Olga")] == ["'=1", "'\t=1", "'＋1", "Olga"]
