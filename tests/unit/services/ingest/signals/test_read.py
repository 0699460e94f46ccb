"""All readers at once, and the promises every signal keeps."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.signals.read import read_http_signals, read_image_signals, read_page_signals
from services.ingest.signals.signal import MAX_TEXT_CHARS, Signal, bounded
from services.ingest.signals.verdict import combine
from shared.canonical import canonical_json, sha256_hex
from tests.support.factories import png
from tests.unit.services.ingest.signals.signing import sign, training_mining
from tests.unit.services.ingest.signals.xmp_pictures import data_mining, with_xmp

URL = "https://example.org/works/a.png"
THEN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def check(signals: list[Signal]) -> None:
    for signal in signals:
        assert signal.verdict in {"allow", "deny", "unknown"}
        assert len(signal.raw_sha256) == 64
        assert canonical_json(signal.detail)


def test_an_image_with_two_statements() -> None:
    carrier = with_xmp(data_mining("DMI-PROHIBITED"))
    signed = sign(training_mining({"ai_generative_training": "allowed"}), data=carrier)
    signals = read_image_signals(signed, observed_at=THEN)
    assert [(one.kind, one.verdict) for one in signals] == [
        ("c2pa-training-mining", "allow"),
        ("xmp-plus-data-mining", "deny"),
    ]
    assert combine(signals) == "deny"
    assert {one.observed_at for one in signals} == {THEN}


def test_a_silent_image_and_a_silent_server() -> None:
    assert read_image_signals(png(1)) == []
    assert read_http_signals(URL, {"Content-Type": "image/png"}, b"User-agent: *\nAllow: /", None, "bot") == []
    assert read_page_signals(b"<html></html>", "bot") == []


def test_everything_a_server_can_say() -> None:
    robots = b"License: https://l\nUser-agent: *\nDisallow: /works\nContent-Usage: / train-ai=n\nContent-Signal: ai-train=no"
    headers = [("tdm-reservation", "1"), ("X-Robots-Tag", "noai"), ("Content-Usage", "train-ai=y")]
    rules = b'[{"location": "/", "tdm-reservation": 1}]'
    signals = read_http_signals(URL, headers, robots, rules, "SleeveBot", observed_at=THEN)
    assert [(one.kind, one.verdict) for one in signals] == [
        ("tdmrep-header", "deny"),
        ("x-robots-tag", "deny"),
        ("content-usage-header", "allow"),
        ("tdmrep-file", "deny"),
        ("robots-txt", "deny"),
        ("content-usage-robots", "deny"),
        ("content-signal", "deny"),
        ("rsl-license", "unknown"),
    ]
    assert signals[3].raw_sha256 == sha256_hex(rules)
    check(signals)


def test_a_robots_txt_that_cannot_be_read_is_reported_once() -> None:
    signals = read_http_signals(URL, {}, b"#" * 600_000, None, "bot")
    assert [(one.kind, one.verdict) for one in signals] == [("robots-txt", "unknown")]


def test_detail_is_bounded_and_canonical() -> None:
    detail = bounded({"a": "x" * 9000, "b": ["y"] * 900, "c": {"d": "\ud800"}})
    assert len(detail["a"]) == MAX_TEXT_CHARS
    assert len(detail["b"]) == 50
    assert detail["c"] == {"d": "?"}
    assert bounded({"a": float("nan")}) == {"error": bounded({"a": float("nan")})["error"]}


LINES = st.sampled_from(
    [
        "User-agent: *",
        "User-agent: bot",
        "Disallow: /",
        "Allow: /*$",
        "Content-Usage: / train-ai=n",
        "Content-Usage: x",
        "License: l",
    ]
)
NAMES = st.sampled_from(["tdm-reservation", "tdm-policy", "X-Robots-Tag", "Content-Usage"])


@settings(max_examples=300, deadline=2000)
@given(
    st.one_of(st.just(URL), st.text()),
    st.lists(st.tuples(NAMES, st.text())),
    st.one_of(
        st.binary(), st.lists(st.one_of(LINES, st.text())).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))
    ),
    st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "replace"))),
    st.text(),
)
def test_nothing_a_server_sends_raises(
    url: str, headers: list[tuple[str, str]], robots: bytes, tdmrep: bytes, agent: str
) -> None:
    check(read_http_signals(url, headers, robots, tdmrep, agent))
    check(read_page_signals(robots, agent))
