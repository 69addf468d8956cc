"""Poolings of several runs in one pass of the network: what each makes of the maps is stored where its runs look.

The pass is in the costs of each as it would be without the others: CPU seconds are those of the network and of its own
pooling, wall seconds those of the pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.cache.provenance import recipe
from harness.core.cost import Cost, count_for_others, measured
from harness.plugin_api import Pooling
from harness.retrieval.pooled import JointRows

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class JointPooling:
    """A pooling of other runs, which learns nothing.

    Attributes:
        pooling: computes descriptors.
        key: its identity, JSON-able: descriptors are stored under it.
        recipe: a run that computes them, for ``harness cache verify --recompute``.
    """

    pooling: Pooling
    key: Mapping[str, Any]
    recipe: Mapping[str, Any] = field(default_factory=dict)


def pooled_jointly(
    poolings: Sequence[JointPooling],
    pool: Callable[[JointRows], Floats],
    store: Callable[[JointPooling, Floats, Cost], None],
) -> Floats:
    """The descriptors of one pooling, with those of others stored.

    Args:
        poolings: the others.
        pool: computes the descriptors (n, scales, D) of all.
        store: gets a pooling, its descriptors (n, scales, D) float32 and what the network and it took.
    """
    joint = JointRows([each.pooling for each in poolings])
    if not poolings:
        return pool(joint)
    with measured() as cost:
        own = pool(joint)
    network_s = cost.cpu_s - joint.own_cpu_s - sum(joint.cpu_s)
    for each, rows, cpu_s in zip(poolings, joint.rows, joint.cpu_s, strict=True):
        if rows is not None:
            with recipe(each.recipe):
                store(each, rows, replace(cost, cpu_s=network_s + cpu_s))
    count_for_others(sum(joint.cpu_s))
    return own
