"""What a cycle begins with, and what its choice leaves to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.active.choosing import Memory
from harness.cache import Arrays
from harness.core.cost import Cost
from harness.core.digest import digest

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids


@dataclass(frozen=True)
class State:
    """The beginning of a cycle.

    Attributes:
        labels: (n,), -1 where unknown.
        history: a digest of each set of labels that was acquired.
        previous: probabilities (n, C) of the last model.
        model: its arrays, where training starts from them.
        memory: what the acquisition remembers.
    """

    labels: Ids
    history: tuple[str, ...] = ()
    previous: Floats | None = None
    model: Arrays | None = None
    memory: Memory | None = None

    def after(self, new: Ids, labels: Ids) -> State:
        """The state with the labels of further examples (m,) revealed, before anything is learnt from them."""
        revealed = self.labels.copy()
        revealed[new] = labels[new]
        return State(revealed, (*self.history, digest(np.sort(new).tolist())))


@dataclass(frozen=True)
class Picked:
    """What was chosen after a cycle.

    Attributes:
        picks: examples (m,) in the order of the choice.
        probabilities: of the pool (n, C), by the model that was asked.
        extract: cost of features and probabilities.
        cost: of choosing.
        equal: what was equal for all unlabelled examples.
        memory: what the acquisition remembers.
    """

    picks: Ids
    probabilities: Floats
    extract: Cost
    cost: Cost
    equal: tuple[str, ...]
    memory: Memory | None
