"""Usage preferences: AIPREF `Content-Usage`, as header and as rule in robots.txt, and `Content-Signal` in robots.txt.

Rules, in order:

1. A preference is a structured-field dictionary; the key for training says `y` or `n`. Anything else about that key, or a
   dictionary that does not parse, is unknown. A dictionary without the key is no statement.
2. Keys of earlier drafts are understood; of several, the most specific counts.
3. In robots.txt the rule with the longest matching path counts, in the groups of the crawler; of equally long ones the most
   restrictive. Where the URL may not be fetched at all, `robots_txt` says so.

Source: draft-ietf-aipref-attach sections 2 and 3; draft-ietf-aipref-vocab, "Exemplary Serialization Format" (`train-ai`), and
its first working-group revision for `genai`, `ai`, `tdm`; RFC 9651 section 3.2; draft-romm-aipref-contentsignals-00
(`ai-train`, `yes`, `no`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from http_sf import StructuredFieldError, Token, parse

from services.ingest.signals.path_patterns import is_match, normal_path, path_of
from services.ingest.signals.readers.robots_txt import decode_robots_txt, find_group_lines
from services.ingest.signals.signal import Signal, SignalReading, SignalVerdict, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader
from services.ingest.signals.verdict import most_restrictive


@dataclass(frozen=True)
class Vocabulary:
    """The keys for training, most specific first, and the tokens that allow and deny it."""

    keys: tuple[str, ...]
    verdicts: dict[str, SignalVerdict]


AIPREF = Vocabulary(("train-ai", "genai", "ai", "tdm"), {"y": "allow", "n": "deny"})
CONTENT_SIGNALS = Vocabulary(("ai-train",), {"yes": "allow", "no": "deny"})
HEADER = "content-usage"


def read_content_usage_header(headers: Sequence[tuple[str, str]]) -> Signal | None:
    """Read the `Content-Usage` fields of the response that carried the image.

    Args:
        headers: names and values of the response's fields, a repeated field repeated.

    Returns:
        The signal; None where there is no such field or it says nothing of training.
    """
    # RFC 9651 section 4.2: lines of one field are joined with a comma before parsing.
    value = ", ".join(value for name, value in headers if name.lower() == HEADER)
    return read_or_unknown("content-usage-header", value.encode("utf-8", "replace"), lambda: judge_preference(value, AIPREF))


def read_content_usage_rules(robots_txt: bytes, url: str, user_agent: str) -> Signal | None:
    """Read the `Content-Usage` rules of robots.txt for one URL.

    Args:
        robots_txt: the file as received.
        url: where the image was acquired.
        user_agent: the crawler's name, as it stands in its `User-Agent` header.

    Returns:
        The signal; None where no rule matches or it says nothing of training.
    """
    return _read_rules("content-usage-robots", AIPREF, robots_txt, url, user_agent)


def read_content_signal(robots_txt: bytes, url: str, user_agent: str) -> Signal | None:
    """Read the `Content-Signal` lines of robots.txt for one URL; as `read_content_usage_rules`."""
    return _read_rules("content-signal", CONTENT_SIGNALS, robots_txt, url, user_agent)


def _read_rules(kind: str, vocabulary: Vocabulary, robots_txt: bytes, url: str, user_agent: str) -> Signal | None:
    field = "content-usage" if vocabulary is AIPREF else "content-signal"

    def find() -> SignalReading | None:
        lines = find_group_lines(decode_robots_txt(robots_txt), field, user_agent)
        return _judge_rules([_split_rule(line) for line in lines], path_of(url), vocabulary)

    return read_or_unknown(kind, robots_txt, find)


def _split_rule(line: str) -> tuple[str, str]:
    # Earlier drafts, and Content-Signal, let the path be left out.
    path, *preference = line.split(maxsplit=1) if line.startswith("/") else ("/", line)
    return path, " ".join(preference)


def _judge_rules(rules: Sequence[tuple[str, str]], path: str, vocabulary: Vocabulary) -> SignalReading | None:
    matching = [(pattern, preference) for pattern, preference in rules if is_match(pattern, path)]
    longest = max((len(normal_path(pattern)) for pattern, _ in matching), default=0)
    chosen = [(pattern, text) for pattern, text in matching if len(normal_path(pattern)) == longest]
    readings = [reading for _, text in chosen if (reading := judge_preference(text, vocabulary)) is not None]
    if not readings:
        return None
    verdict = most_restrictive(reading.verdict for reading in readings)
    return SignalReading(verdict, {"rules": [f"{pattern} {text}" for pattern, text in chosen]})


def judge_preference(text: str, vocabulary: Vocabulary) -> SignalReading | None:
    """Judge one preference; None where it says nothing of training.

    >>> judge_preference("train-ai=n, search=y", AIPREF).verdict
    'deny'
    """
    if not text.strip():
        return None
    try:
        preferences: Any = parse(text.encode("ascii", "replace"), tltype="dictionary")
    except StructuredFieldError as error:
        return SignalReading("unknown", {"preference": text, "error": f"expected a structured-field dictionary: {error}"})
    key = next((key for key in vocabulary.keys if key in preferences), None)
    if key is None:
        return None
    value = preferences[key][0]
    verdict = vocabulary.verdicts.get(str(value), "unknown") if isinstance(value, Token) else "unknown"
    return SignalReading(verdict, {"preference": text, "key": key})


READERS = (
    SignalReader("content-usage-header", "headers", lambda answer: read_content_usage_header(answer.headers), position=50),
    SignalReader(
        "content-usage-robots",
        "robots.txt",
        lambda file: read_content_usage_rules(file.raw, file.url, file.user_agent),
        position=80,
        needs_url=True,
    ),
    SignalReader(
        "content-signal",
        "robots.txt",
        lambda file: read_content_signal(file.raw, file.url, file.user_agent),
        position=90,
        needs_url=True,
    ),
)
