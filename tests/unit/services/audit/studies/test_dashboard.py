"""The progress of a study: a line for each finished step where the output is no terminal, bars where it is."""

import io

from rich.console import Console

from services.audit.studies.dashboard import dashboard
from services.audit.studies.study_config import load_study_config

MODEL = "smoke-2a-s0"


def show(*, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    with dashboard(console, load_study_config("smoke")) as report_progress:
        report_progress(MODEL, "training", 1, 4)
        for _ in range(2):
            report_progress(MODEL, "training", 4, 4)
        report_progress(MODEL, "kept", 4, 4)
        report_progress(MODEL, "audit", 1, 1)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_finished_step_is_one_line_however_often_it_is_reported() -> None:
    assert show(terminal=False).splitlines() == [
        f"{MODEL}: training done, 4 (1 of 4 models)",
        f"{MODEL}: audit done, 1 (1 of 4 models)",
    ]


def test_a_terminal_shows_a_bar_for_each_model() -> None:
    text = show(terminal=True)
    assert all(name in text for name in ("models audited", MODEL, "smoke-6b-s0", "waiting"))
