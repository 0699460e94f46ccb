"""One operation's example, and the values that several examples share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ITEM_ID = "0198c0de-4a10-7c11-9d0e-2f6a51b0c001"
OTHER_ITEM_ID = "0198c0de-4a10-7c11-9d0e-2f6a51b0c002"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ROOT = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
MOMENT = "2026-03-01T09:00:00.000Z"
# The form of a C2SP tlog-proof, cut short.
CHECKPOINT = "log.example.org/sleeve\n5\nT5sT…=\n\n— log.example.org/sleeve zKPx…=\n"
RECEIPT = "c2sp.org/tlog-proof@v1\nextra eyJhdCI6…\nindex 4\nqJ8Z…=\n\n" + CHECKPOINT
# What opens a field of the receipt's entry.
SALT = "5b2f6d9c0e1a4f7788c3d2e1f0a9b8c75b2f6d9c0e1a4f7788c3d2e1f0a9b8c7"


@dataclass(frozen=True)
class Example:
    """What an operation takes and answers.

    Args:
        request: the body; None where there is none.
        answer: the body of the answer.
        other_forms: bodies of the answer in other media types than the first, by media type.
        request_forms: bodies of the request in other media types than the first, by media type.
        other_answers: bodies of other answers than the first, by status.
    """

    answer: Any
    request: Any = None
    other_forms: Mapping[str, Any] = field(default_factory=dict)
    request_forms: Mapping[str, Any] = field(default_factory=dict)
    other_answers: Mapping[str, Any] = field(default_factory=dict)
