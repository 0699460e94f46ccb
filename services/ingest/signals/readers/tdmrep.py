"""The TDM Reservation Protocol: the file at the origin, the response header, the page's meta elements.

Rules, in order:

1. `tdm-reservation` 1 reserves the rights and denies; 0 says that they are not reserved and allows; any other value is a
   protocol error and unknown.
2. In the file the first rule whose location matches is used, the others are not. No match is no statement.
3. A policy's address goes into the detail; it is not fetched, so it never softens a denial.
4. Each technique is a signal of its own. The protocol lets the header overrule the file and the page overrule both; here the
   most restrictive of them wins, because a reservation found anywhere is a reservation that was expressed.

Source: TDM Reservation Protocol, W3C Community Group Final Report of 10 May 2024, sections "Declaring the reservation of TDM
Rights", "TDM File on the Origin Server", "TDM Header Field in HTTP Responses", "TDM Metadata in HTML Content", "Processing
priority".
"""

import json
from collections.abc import Sequence
from typing import Any

from services.ingest.signals.html_meta import find_meta
from services.ingest.signals.path_patterns import is_match, path_of
from services.ingest.signals.signal import Signal, SignalReading, SignalVerdict, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader
from services.ingest.signals.verdict import most_restrictive
from shared.errors import InputError

RESERVATION, POLICY = "tdm-reservation", "tdm-policy"
# Our own bound: the limit that RFC 9309 section 2.5 sets for robots.txt, taken for this file too.
MAX_FILE_BYTES = 500 * 1024

_VERDICTS: dict[str, SignalVerdict] = {"1": "deny", "0": "allow"}


def read_tdmrep_file(tdmrep_json: bytes, url: str) -> Signal | None:
    """Read `/.well-known/tdmrep.json` for one URL of its origin.

    Args:
        tdmrep_json: the file as received.
        url: where the image was acquired.

    Returns:
        The signal; None where no rule matches the URL.
    """
    return read_or_unknown("tdmrep-file", tdmrep_json, lambda: _find_in_file(tdmrep_json, url))


def read_tdmrep_headers(headers: Sequence[tuple[str, str]]) -> Signal | None:
    """Read the fields `tdm-reservation` and `tdm-policy` of the response that carried the image.

    Args:
        headers: names and values of the response's fields, a repeated field repeated.

    Returns:
        The signal; None where the response has no `tdm-reservation`.
    """
    fields = [(name.lower(), value) for name, value in headers if name.lower() in {RESERVATION, POLICY}]
    raw = "\n".join(f"{name}: {value}" for name, value in fields).encode("utf-8", "replace")
    return read_or_unknown("tdmrep-header", raw, lambda: _find_declared(fields))


def read_tdmrep_meta(html: bytes) -> Signal | None:
    """Read the meta elements `tdm-reservation` and `tdm-policy` of a page.

    They speak for the page itself; whether they extend to a picture that the page shows is the caller's decision.

    Args:
        html: the page as received.

    Returns:
        The signal; None where the page has no `tdm-reservation`.
    """
    return read_or_unknown(
        "tdmrep-meta", html, lambda: _find_declared([field for field in find_meta(html) if field[0] in {RESERVATION, POLICY}])
    )


def _find_declared(fields: Sequence[tuple[str, str]]) -> SignalReading | None:
    values = [value.strip() for name, value in fields if name == RESERVATION]
    if not values:
        return None
    policies = [value.strip() for name, value in fields if name == POLICY]
    return _judge(values, {"tdm_policy": policies} if policies else {})


def _find_in_file(tdmrep_json: bytes, url: str) -> SignalReading | None:
    if len(tdmrep_json) > MAX_FILE_BYTES:
        raise InputError(f"tdmrep.json too long: expected at most {MAX_FILE_BYTES:,} bytes, got {len(tdmrep_json):,}")
    rules = json.loads(tdmrep_json.decode("utf-8-sig"))
    if not isinstance(rules, list):
        raise InputError(f"tdmrep.json: expected a list of rules, got {type(rules).__name__}")
    path = path_of(url)
    for rule in rules:
        if not isinstance(rule, dict) or not isinstance(rule.get("location"), str):
            raise InputError("tdmrep.json: expected rules with a location before any that matches, got another value")
        if is_match(rule["location"], path):
            return _judge([_spelling(rule.get(RESERVATION))], _rule_detail(rule))
    return None


def _rule_detail(rule: dict[str, Any]) -> dict[str, Any]:
    policy = {"tdm_policy": [str(rule[POLICY])]} if POLICY in rule else {}
    return {"location": rule["location"], **policy}


def _spelling(value: Any) -> str:
    # JSON's true is no reservation value, though Python counts it as 1. Many files quote the number.
    return str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else json.dumps(value)


def _judge(values: Sequence[str], detail: dict[str, Any]) -> SignalReading:
    verdicts = [_VERDICTS.get(value, "unknown") for value in values]
    wrong = [value for value in values if value not in _VERDICTS]
    error = {"error": f"expected tdm-reservation 0 or 1, got {wrong[0]!r}"} if wrong else {}
    return SignalReading(most_restrictive(verdicts), {"tdm_reservation": list(values), **detail, **error})


READERS = (
    SignalReader("tdmrep-header", "headers", lambda answer: read_tdmrep_headers(answer.headers), position=30),
    SignalReader("tdmrep-file", "tdmrep.json", lambda file: read_tdmrep_file(file.raw, file.url), position=60, needs_url=True),
    SignalReader("tdmrep-meta", "page", lambda page: read_tdmrep_meta(page.raw), position=110),
)
