"""The subprocess of `compiling`: compiles one function for one signature, and so writes both to the cache.

It reads from its standard input what its parent pickled: module, name and signature.
"""

import importlib
import pickle
import sys


def main() -> None:
    """Compile what the parent process asks for."""
    module, name, signature = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent process
    getattr(importlib.import_module(module), name).compile(signature)


if __name__ == "__main__":
    main()
