"""RSL: `License:` lines in robots.txt, which name a licence that binds every crawler of the site.

Rules, in order:

1. A licence named is unknown: its terms are in a document that is not fetched here.
2. The line stands outside the groups and applies to all crawlers.

Source: Really Simple Licensing 1.0, "Adding RSL to robots.txt" (https://rslstandard.org/guide/robots-txt).
"""

from services.ingest.signals.readers.robots_txt import decode_robots_txt, fields_of
from services.ingest.signals.signal import Signal, SignalReading, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader


def read_rsl(robots_txt: bytes) -> Signal | None:
    """Read the `License:` lines of robots.txt.

    Args:
        robots_txt: the file as received.

    Returns:
        The signal, verdict unknown, with the licences' addresses; None where there is no such line.
    """
    return read_or_unknown("rsl-license", robots_txt, lambda: _find(robots_txt))


def _find(robots_txt: bytes) -> SignalReading | None:
    licences = [value for name, value in fields_of(decode_robots_txt(robots_txt)) if name == "license" and value]
    return SignalReading("unknown", {"licences": licences}) if licences else None


READERS = (SignalReader("rsl-license", "robots.txt", lambda file: read_rsl(file.raw), position=100),)
