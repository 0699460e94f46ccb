"""The registry of rights signals: every module of `signals/readers` states its readers, and there is no other list of them.

docs/extending/rights-signal.md says how to add one.
"""

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from services.ingest.signals.signal import Signal
from services.ingest.signals.signal_reader import Carrier, CarrierKind, SignalReader

_PACKAGE = "services.ingest.signals.readers"
_FOLDER = Path(__file__).parent / "readers"


@cache
def load_readers() -> tuple[SignalReader, ...]:
    """Return all readers, in the order in which the signals of a carrier are recorded.

    Raises:
        ValueError: two readers are of one kind, or share a position.
    """
    modules = [import_module(f"{_PACKAGE}.{module.name}") for module in pkgutil.iter_modules([str(_FOLDER)])]
    readers: list[SignalReader] = [reader for module in modules for reader in module.READERS]
    readers.sort(key=lambda reader: reader.position)
    if len({reader.kind for reader in readers}) < len(readers) or len({reader.position for reader in readers}) < len(readers):
        places = [(reader.kind, reader.position) for reader in readers]
        raise ValueError(f"expected readers with kinds and positions of their own, got {places}")
    return tuple(readers)


def find_reader(kind: str) -> SignalReader | None:
    """Return the reader of a kind; None where there is none."""
    return next((reader for reader in load_readers() if reader.kind == kind), None)


def read_signals(carrier_kind: CarrierKind, carrier: Carrier) -> list[Signal]:
    """Ask every reader of a carrier; each answers for itself, so one that fails hides no other."""
    signals = [reader.read(carrier) for reader in load_readers() if reader.carrier == carrier_kind]
    return [signal for signal in signals if signal is not None]
