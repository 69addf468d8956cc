"""One choice of an acquisition, by what it offers: alone, shown labels, asking for them, or with a memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.errors import ContractError
from harness.plugin_api import AcquisitionFunction, AsksLabels, ChangesByCycle, Remembers, SeesLabels
from harness.plugin_api.contract import require_picks

if TYPE_CHECKING:
    from harness.active.pool import Pool
    from harness.plugin_api import Ids

Memory = Mapping[str, Any]
"""Arrays by name."""

ASKS: Final = (
    "it asks for labels while it chooses a batch, which acquisitions that choose a batch at once cannot: "
    "not comparable with their rows"
)


@dataclass
class Annotator:
    """Answers one question after the other, as many as the budget pays for.

    Attributes:
        pool: the examples.
        answers: (n,) what is said of each of them.
        budget: how many questions are paid for.
        name: what messages call who asks.
        asked: the questions so far, in order.
    """

    pool: Pool
    answers: Ids
    budget: int
    name: str
    asked: list[int] = field(default_factory=list)

    def __call__(self, position: int) -> int:
        """The label of an example, which counts as picked."""
        if len(self.asked) == self.budget and position not in self.asked:
            raise ContractError(f"{self.name} asked for more labels than its budget of {self.budget}")
        if not 0 <= position < len(self.answers) or self.pool.labels[position] >= 0:
            raise ContractError(f"{self.name} asked for the label of {position}, which has one or does not exist")
        if position not in self.asked:
            self.asked.append(int(position))
        return int(self.answers[position])


def choose(
    method: AcquisitionFunction,
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    name: str,
    answers: Ids,
    truth: Ids,
    memory: Memory | None,
) -> tuple[Ids, Memory]:
    """Picks (budget,) and what the method wants to remember.

    Args:
        method: the acquisition of this cycle.
        pool: what it sees.
        budget: labels to spend.
        rng: its generator.
        name: what messages call it.
        answers: (n,) what an annotator says of each example of the pool.
        truth: (n,) labels for references that are shown them.
        memory: what it remembered in the cycle before.

    Raises:
        ContractError: picks that break the rules, a question too many, or one that is not among the picks.
    """
    if isinstance(method, SeesLabels):
        return require_picks(name, method.select_knowing(pool, budget, rng, truth), pool, budget), {}
    if isinstance(method, AsksLabels):
        annotator = Annotator(pool, answers, budget, name)
        picks = require_picks(name, method.select_asking(pool, budget, rng, annotator), pool, budget)
        if unpaid := set(annotator.asked) - set(picks.tolist()):
            raise ContractError(f"{name} asked for the label of {min(unpaid)} and did not pick it")
        return picks, {}
    if isinstance(method, Remembers):
        found, remembered = method.select_remembering(pool, budget, rng, memory)
        arrays = {str(key): np.asarray(value) for key, value in remembered.items()}
        if wrong := [key for key, value in arrays.items() if value.dtype.kind not in "biufU"]:
            raise ContractError(f'{name} remembers "{wrong[0]}", which is no array of numbers or text')
        return require_picks(name, found, pool, budget), arrays
    return require_picks(name, method.select(pool, budget, rng), pool, budget), {}


def advantages(acquisition: AcquisitionFunction, cycles: int) -> list[str]:
    """What readers of a table should know of an acquisition that learns labels while it chooses, in a sentence."""
    ways = [acquisition.at(k) for k in range(cycles)] if isinstance(acquisition, ChangesByCycle) else [acquisition]
    return [ASKS] if any(isinstance(one, AsksLabels) for one in ways) else []
