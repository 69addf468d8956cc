"""What the tests of adapters share: layers of transformers in float64, token by token, and packages of ``examples``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

EXAMPLES = Path(__file__).parents[3] / "examples"


@contextmanager
def example(package: str, *modules: str) -> Iterator[tuple]:
    """Modules of an example package, with one thread: on small matrices more of them wait for each other."""
    threads = torch.get_num_threads()
    sys.path.insert(0, source := str(EXAMPLES / package.removeprefix("harness_") / "src"))
    torch.set_num_threads(1)
    try:
        yield tuple(importlib.import_module(f"{package}.{module}") for module in modules)
    finally:
        torch.set_num_threads(threads)
        sys.path.remove(source)


def broken_rules(package: str) -> tuple:
    """The rules of re-rankers that the only method of an example package breaks."""
    from harness.conformance.suite import check
    from harness.conformance.worker import worker

    if worker.cache_info().currsize:  # a process that was started before does not know the folder of the package
        worker().close()
        worker.cache_clear()
    (report,) = check(package, plugins=[package], cost=False)
    return report.failed


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def layer_norm(x, state, name):
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def attended(x, state, name, sees, heads=2):
    """Token by token, head by head."""
    d = x.shape[1]
    q, k, v = np.split(x @ state[f"{name}.in_proj_weight"].T + state[f"{name}.in_proj_bias"], 3, axis=1)
    result = np.zeros_like(x)
    for h in range(heads):
        part = slice(h * d // heads, (h + 1) * d // heads)
        for i in range(len(x)):
            others = [j for j in range(len(x)) if sees(i, j)]
            scores = np.array([q[i, part] @ k[j, part] for j in others]) / np.sqrt(d / heads)
            shares = np.exp(scores - scores.max())
            result[i, part] = (shares / shares.sum()) @ v[others, part]
    return result @ state[f"{name}.out_proj.weight"].T + state[f"{name}.out_proj.bias"]
