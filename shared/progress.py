"""How long work reports its progress."""

from collections.abc import Callable
from typing import TypeAlias

# Called with the steps done and the steps in all, again and again until they are equal.
ProgressCallback: TypeAlias = Callable[[int, int], None]
