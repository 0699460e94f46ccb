"""The words `noai`, `noimageai` and `noml` among an image's keywords, also spelled out: "no AI training".

Rules, in order:

1. A keyword counts as a whole, without case, spaces and dashes. A caption that speaks of AI is no keyword.
2. Such a keyword denies. No keyword ever allows.

Source: the directives, see `x_robots_tag`; keywords, IPTC Photo Metadata Standard 2023.1 (XMP dc:subject, IIM 2:25). Writing
the directives there is a convention of artists without a standard.
"""

import re
from collections.abc import Iterator

from services.ingest.signals.containers import EmbeddedMetadata, find_metadata
from services.ingest.signals.iptc_iim import read_datasets
from services.ingest.signals.signal import Signal, SignalReading, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader
from services.ingest.signals.xmp import read_packets

_SUBJECT = "{http://purl.org/dc/elements/1.1/}subject"
_PDF_KEYWORDS = "{http://ns.adobe.com/pdf/1.3/}Keywords"
# IIM 4.2 section 6: Keywords.
_IIM_KEYWORDS = (2, 25)
_PNG_KEYWORDS = frozenset({"keywords", "tags"})
DENYING_WORDS = frozenset(
    {
        *("noai", "noimageai", "noml", "noaitraining", "noaiml", "nomachinelearning", "donottrain", "notforaitraining"),
        *("noaiimages", "noaigenerated", "noaiuse", "noaiart", "nogenerativeai", "nogenai", "notrainai", "noaidatasets"),
    }
)


def denying_words(text: str) -> Iterator[str]:
    """Yield the keywords of a text that deny; they are parted by commas, semicolons or line ends.

    >>> list(denying_words("cats, No AI; #noai"))
    ['No AI', '#noai']
    """
    for keyword in re.split(r"[,;\n]", text):
        if fold_keyword(keyword) in DENYING_WORDS:
            yield keyword.strip()


def fold_keyword(keyword: str) -> str:
    """Return a keyword without case, spaces and signs.

    >>> fold_keyword("#No-AI")
    'noai'
    """
    return re.sub(r"[\W_]+", "", keyword).casefold()


def read_noai_keywords(data: bytes, metadata: EmbeddedMetadata | None = None) -> Signal | None:
    """Read the keywords of an image file.

    Args:
        data: the encoded file.
        metadata: what `find_metadata` took out of it; looked for where not given.

    Returns:
        The signal, with the digest of the blocks that hold keywords; None where no keyword denies.
    """
    metadata = find_metadata(data) if metadata is None else metadata
    if not (metadata.xmp or metadata.photoshop or metadata.texts):
        return None
    raw = b"".join([*metadata.xmp, *metadata.photoshop, *(text.encode() for _, text in metadata.texts)])
    return read_or_unknown("noai-keywords", raw, lambda: _find(metadata))


def _find(metadata: EmbeddedMetadata) -> SignalReading | None:
    properties, _ = read_packets(metadata.xmp)  # What is wrong with them, the reader of `plus:DataMining` reports.
    texts = [*properties.get(_SUBJECT, ()), *properties.get(_PDF_KEYWORDS, ())]
    for block in metadata.photoshop:
        texts += [text for record, dataset, text in read_datasets(block) if (record, dataset) == _IIM_KEYWORDS]
    texts += [text for keyword, text in metadata.texts if keyword.casefold() in _PNG_KEYWORDS]
    words = [word for text in texts for word in denying_words(text)]
    return SignalReading("deny", {"keywords": words}) if words else None


READERS = (SignalReader("noai-keywords", "image", lambda image: read_noai_keywords(image.raw, image.metadata), position=22),)
