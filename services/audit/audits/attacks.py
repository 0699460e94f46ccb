"""The attack of an audit: how its generations were obtained, and which of them are compared.

In the words of Cooper and Grimmelmann (2024), *regurgitation* is a copy in an ordinary generation, and *extraction* one that
was obtained on purpose. A figure of one says nothing of the other. So `audit.json`, the log and the report name the attack.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from services.audit.audits.extraction import find_cliques
from services.audit.sampling.sample_shards import Samples
from shared.vision.views import Pixels

AttackKind = Literal["regurgitation", "extraction"]


@dataclass(frozen=True)
class Attack:
    """Generations to compare.

    Attributes:
        kind: as the log names it.
        text: how the generations were obtained, for `audit.json` and report.
        unit: what is compared and counted, in words.
        samples: all generations drawn.
        positions: int64 (B,), which of them are compared.
        details: further facts for `audit.json`, JSON values.
    """

    kind: AttackKind
    text: str
    unit: str
    samples: Samples
    positions: NDArray[np.int64]
    details: dict[str, Any]

    @property
    def images(self) -> Pixels:
        """The pictures compared, uint8 (B, C, H, W)."""
        return self.samples.images[self.positions]


def all_generations(samples: Samples) -> Attack:
    """Compare every generation: ordinary sampling."""
    text = "ordinary sampling, one seed an image, no selection (regurgitation)"
    return Attack("regurgitation", text, "generations", samples, np.arange(len(samples.images), dtype=np.int64), {})


def extracted_generations(samples: Samples, clique_size: int, distance: float) -> Attack:
    """Compare one representative of every picture that many generations share.

    Raises:
        InputError: as `find_cliques`.
    """
    cliques = find_cliques(samples.images, size=clique_size, distance=distance)
    text = (
        f"extraction on purpose: of {len(samples.images):,} seeds, the pictures that at least {clique_size} of them share "
        f"within a tiled distance of {distance:g}, one representative each (Carlini et al. 2023)"
    )
    details = {
        "drawn": len(samples.images),
        "clique_size": clique_size,
        "distance": distance,
        "cliques": [{"generations": len(clique.members), "representative": clique.representative} for clique in cliques],
        "in_cliques": sum(len(clique.members) for clique in cliques),
    }
    positions = np.array([clique.representative for clique in cliques], dtype=np.int64)
    return Attack("extraction", text, "extracted pictures", samples, positions, details)
