"""Copy detection: does a generation show a registered item, whole or in part, whatever was done to it since?

There are two stages. A descriptor finds candidates (`descriptor`, `indexed_views`, `shortlist`). Each candidate is then laid
over the generation (`alignment`) and compared window by window (`window_sums`, `copy_evidence`), and the evidence for and
against a copy is added up to one score (`fusion`). `detector` puts the stages together. docs/methods/quality.md says how well
it works.
"""

from shared.matching.copy_detection.detector import CopyDetector, Detections
from shared.matching.copy_detection.shortlist import Shortlist

__all__ = ["CopyDetector", "Detections", "Shortlist"]
