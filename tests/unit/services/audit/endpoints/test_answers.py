"""Answers with reports: a page that runs nothing and belongs to no other page."""

from services.audit.endpoints.answers import answer_file, answer_report


def test_a_report_runs_nothing() -> None:
    answer = answer_report("<p>report</p>")
    policy = answer.headers["content-security-policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'", "sandbox allow-downloads"} <= set(policy.split("; "))
    assert answer.headers["cache-control"] == "no-store"
    assert "script-src" not in policy


def test_a_file_is_answered_byte_for_byte() -> None:
    answer = answer_file(b'{"v":1}')
    assert (answer.body, answer.media_type) == (b'{"v":1}', "application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
