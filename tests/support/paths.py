"""Where the project and the real data sets beside it are."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
# The data sets, reference values and cases that the project does not ship (SLEEVE_SHARED names them where they are elsewhere).
SHARED = Path(os.environ.get("SLEEVE_SHARED", ROOT.parent / "shared"))
