"""The global random generators of Python, numpy and torch: set, watched, and restored."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

GENERATORS: Final = ("random", "numpy.random", "torch")


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Inside, the global generators start from ``seed`` and nothing warns: adversarial inputs may deserve warnings.

    Afterwards the generators are in the state in which they were before.
    """
    import torch

    python, of_numpy, of_torch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # those of other devices are not restored
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(python)
        np.random.set_state(of_numpy)
        torch.set_rng_state(of_torch)


def states() -> dict[str, Any]:
    """What each global generator would give next, comparable by ``==``."""
    import torch

    name, keys, *rest = np.random.get_state()
    return {
        "random": random.getstate(),
        "numpy.random": (name, np.asarray(keys).tobytes(), *rest),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
