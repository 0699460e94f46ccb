"""Copy detection: does a generation show a registered item, whole or in part, whatever was done to it since?

Two stages. A descriptor finds candidates (`descriptor`, `indexed_views`); each candidate is laid over the generation
(`alignment`), compared window by window (`windows`, `evidence`), and what speaks for and against a copy is added up to one
score (`fusion`). `detector` puts them together; docs/methods/quality.md says how well it works.
"""

from shared.matching.copy_detection.detector import CopyDetector, Detections
from shared.matching.copy_detection.shortlist import Shortlist

__all__ = ["CopyDetector", "Detections", "Shortlist"]
