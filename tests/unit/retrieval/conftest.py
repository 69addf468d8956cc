"""What several tests of retrieval share; ``drawn`` lies beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def dataset(tmp_path):
    """12 images of 4 colours on noise: three of each; the queries show a colour in a box.

    In canonical order: what methods are given has the ids of the dataset.
    """
    from drawn import draw_dataset

    from harness.cache import Cache
    from harness.retrieval.canonical import canonical

    return canonical(draw_dataset(tmp_path), "drawn", Cache(None)).dataset
