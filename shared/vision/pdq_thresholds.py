"""How near two PDQ hashes must be to be taken for the same picture, and how much a picture must show to be compared at all.

Source: PDQ, pdq/README.md in facebook/ThreatExchange.
"""

# Section "Matching": hashes up to this distance, in bits, are taken for the same picture …
MATCH_DISTANCE = 31
# … and hashes of quality 49 or less are best discarded.
MIN_QUALITY = 50
