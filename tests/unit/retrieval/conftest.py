"""What several tests of retrieval share; ``drawn`` lies beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def dataset(tmp_path):
    """12 images of 4 colours on noise: three of each; the queries show a colour in a box."""
    from drawn import draw_dataset

    return draw_dataset(tmp_path)
