"""Answers got once and kept for a while: by many threads, within bounds, failures not at all."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import UnavailableError
from shared.fetching.answer_cache import AnswerCache


class Counted:
    """Loads a key's bytes, as many as the key says, and counts how often."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def load(self, key: str) -> bytes:
        with self._lock:
            self.asked.append(key)
        time.sleep(0.01)
        if key == "bad":
            raise UnavailableError("expected an answer, got none")
        return bytes(int(key))


def cache(counted: Counted, kept_seconds: float = 60, max_answers: int = 100, max_bytes: int = 1000) -> AnswerCache[bytes]:
    return AnswerCache(counted.load, len, kept_seconds=kept_seconds, max_answers=max_answers, max_bytes=max_bytes)


def test_threads_that_ask_at_once_share_one_answer() -> None:
    counted = Counted()
    answers = cache(counted)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(answers.get, ["5"] * 40)) == {bytes(5)}
    assert counted.asked == ["5"]


def test_a_failure_reaches_all_that_wait_and_is_not_kept() -> None:
    counted = Counted()
    answers = cache(counted)

    def fails(_number: int) -> bool:
        with pytest.raises(UnavailableError):
            answers.get("bad")
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(fails, range(4)))
    before = len(counted.asked)
    assert fails(0)
    assert len(counted.asked) == before + 1


def test_an_answer_counts_for_a_while() -> None:
    counted = Counted()
    answers = cache(counted, kept_seconds=0.05)
    answers.get("5")
    answers.get("5")
    time.sleep(0.06)
    answers.get("5")
    assert counted.asked == ["5", "5"]


def test_count_and_size_are_bounded_and_the_longest_unused_goes_first() -> None:
    counted = Counted()
    answers = cache(counted, max_answers=2)
    for key in ("1", "2", "1", "3", "1", "2"):
        answers.get(key)
    assert counted.asked == ["1", "2", "3", "2"]
    large = Counted()
    answers = cache(large, max_bytes=1000)
    for key in ("400", "500", "300", "500", "400", "2000", "2000"):
        answers.get(key)
    assert large.asked == ["400", "500", "300", "400", "2000"]
