"""The registry of embedders: every module of `shared/vision/embedders` is a kind of embedder; there is no other list of them.

Rules, in order:

1. A setting reads `<kind>:<argument>`. The kind is the name of the module that opens it.
2. A module has a function `open_embedder(argument)`, which returns an `Embedder` or raises InputError.
3. Only the module of the kind asked for is imported: a network brings torch and a model zoo, which the pixel embedder does
   without.

docs/extending/embedder.md says how to add one.
"""

import pkgutil
from importlib import import_module
from pathlib import Path

from shared.errors import InputError
from shared.vision.embedding.embedder import Embedder

_PACKAGE = "shared.vision.embedders"
_FOLDER = Path(__file__).parents[1] / "embedders"


def list_embedder_kinds() -> tuple[str, ...]:
    """Return the kinds of embedders, in alphabetical order.

    >>> "pixels" in list_embedder_kinds()
    True
    """
    return tuple(sorted(module.name for module in pkgutil.iter_modules([str(_FOLDER)])))


def open_embedder(spec: str) -> Embedder:
    """Open the embedder that a setting names.

    Args:
        spec: `<kind>:<argument>`, as `pixels:16`; docs/methods/neighbours.md lists the kinds.

    Raises:
        InputError: the setting names no embedder, or its weights cannot be loaded.
    """
    kind, _, argument = spec.partition(":")
    if kind not in list_embedder_kinds():
        raise InputError(
            f"expected an embedder of the kind {', '.join(list_embedder_kinds())}, as pixels:16, got {spec!r}",
            code="embedder_unknown",
        )
    embedder: Embedder = import_module(f"{_PACKAGE}.{kind}").open_embedder(argument)
    return embedder
