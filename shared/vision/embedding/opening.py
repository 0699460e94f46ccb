"""The embedder that a setting names.

`pixels:<n>` needs no weights; `open_clip:<architecture>:<pretrained>` is any open_clip model, where `pretrained` is one of
its tags or a local checkpoint file; `sscd:<file>` is a copy-detection network from converted weights.
"""

from shared.errors import InputError
from shared.vision.embedding.embedder import Embedder


def open_embedder(spec: str) -> Embedder:
    """Open the embedder that a setting names.

    Args:
        spec: `pixels:<n>`, `open_clip:<architecture>:<tag or file>` or `sscd:<file>`.

    Raises:
        InputError: the setting names no embedder, or its weights cannot be loaded.
    """
    kind, _, rest = spec.partition(":")
    if kind == "pixels":
        from shared.vision.embedding.pixels import PixelEmbedder

        return PixelEmbedder.from_spec(rest)
    if kind == "open_clip":
        # Imported here because it brings torch and a model zoo, which the pixel embedder does without.
        from shared.vision.embedding.clip import OpenClipEmbedder

        architecture, _, pretrained = rest.partition(":")
        return OpenClipEmbedder.load(architecture, pretrained)
    if kind == "sscd":
        from shared.vision.embedding.sscd import SscdEmbedder

        return SscdEmbedder.load(rest)
    raise InputError(
        f"expected pixels:<n>, open_clip:<architecture>:<weights> or sscd:<file>, got {spec!r}", code="embedder_unknown"
    )
