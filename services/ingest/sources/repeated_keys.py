"""Which keys a source uses more than once, told before its rows are read."""

from collections.abc import Iterable


class RepeatedKeys:
    """Keys that occur twice or more; eight bytes of each key are kept while they are counted.

    >>> "a" in RepeatedKeys(["a", "b", "a"]), "b" in RepeatedKeys(["a", "b", "a"])
    (True, False)
    """

    def __init__(self, keys: Iterable[str]) -> None:
        seen: set[int] = set()
        self._repeated: set[int] = set()
        for key in keys:
            number = hash(key)
            (self._repeated if number in seen else seen).add(number)

    def __contains__(self, key: object) -> bool:
        return hash(key) in self._repeated
