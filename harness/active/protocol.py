"""The options of the active-learning protocol: how many labels at the start, how many a cycle, how many cycles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from harness.core.errors import InvalidInput

Positive = Annotated[int, Gt(0)]


@dataclass(frozen=True)
class ActiveProtocol:
    """How labels are spent.

    Attributes:
        initial: labels at cycle 0, balanced over the classes.
        budget: labels acquired after each cycle but the last: one number, or a list of ``cycles - 1``.
        cycles: number of models trained, cycle 0 included.
        imbalance: examples of the largest class of the pool for one of the smallest. The sizes between fall by one
            factor, which class is how large is drawn by seed, and what is too much is left out; 1 keeps the pool.
        targets: accuracies in [0, 1] for which the record says how many labels reached them.
    """

    initial: Positive = 10  # thesis §3.5.1, MNIST: one label a class
    budget: Positive | tuple[Positive, ...] = 10  # thesis §3.5.1, MNIST
    cycles: Positive = 5  # thesis §3.5.1
    imbalance: Annotated[float, Ge(1)] = 1.0
    targets: tuple[Annotated[float, Gt(0), Le(1)], ...] = ()

    def __post_init__(self) -> None:
        if self.initial < 1 or self.cycles < 1:
            raise InvalidInput(f"initial and cycles must be at least 1, not {self.initial} and {self.cycles}")
        if isinstance(self.budget, tuple) and len(self.budget) != self.cycles - 1:
            raise InvalidInput(
                f"budget lists {len(self.budget)} numbers for {self.cycles} cycles; should list {self.cycles - 1}"
            )
        if any(budget < 1 for budget in self.budgets):
            raise InvalidInput(f"budget must be at least 1, not {self.budget}")

    @property
    def budgets(self) -> tuple[int, ...]:
        """Labels acquired after each cycle but the last."""
        return self.budget if isinstance(self.budget, tuple) else (self.budget,) * (self.cycles - 1)
