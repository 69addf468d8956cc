"""Makes the methods of this folder importable, also for the processes that checks start."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
