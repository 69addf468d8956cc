"""The options of the active-learning protocol: how many labels at the start, how many a cycle, how many cycles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from harness.core.devices import Device, Numerics, require_numerics
from harness.core.errors import InvalidInput
from harness.registry.parameters import LATER

Positive = Annotated[int, Gt(0)]


@dataclass(frozen=True)
class ActiveProtocol:
    """How labels are spent.

    Attributes:
        initial: labels at cycle 0.
        budget: labels acquired after each cycle but the last: one number, or a list of ``cycles - 1``.
        cycles: number of models trained, cycle 0 included.
        imbalance: examples of the largest class of the pool for one of the smallest. The sizes between fall by one
            factor, which class is how large is drawn by seed, and what is too much is left out; 1 keeps the pool.
        targets: accuracies in [0, 1] for which the record says how many labels reached them.
        first_set: how the labels of cycle 0 are chosen. ``balanced``: equally many a class, which nobody can do who has
            no labels yet; fewer than there are classes go to classes drawn by seed. ``random``: by chance.
            ``acquisition``: by the acquisition itself, before there is any label (cold start); of ``a+b`` by a.
        label_noise: share of the pool for which the annotator names a wrong class, drawn by seed; the same example
            always gets the same answer. Test labels are right.
        label_costs: what a label costs, one number a class; the record says what was spent. Empty: not counted.
        warm_start: each training starts from the weights of the cycle before, not from the initial ones.
        full_supervision: whether a model is also trained on all labels of the pool, as a reference.
        device: where networks, searches and graphs of a run compute: ``cpu`` or ``cuda``.
        numerics: of products on it: ``fp32``; ``tf32``, of ``cuda`` only; or ``bf16``, in networks.
    """

    initial: Positive = 10  # thesis §3.5.1, MNIST: one label a class
    budget: Positive | tuple[Positive, ...] = 10  # thesis §3.5.1, MNIST
    cycles: Positive = 5  # thesis §3.5.1
    imbalance: Annotated[float, Ge(1)] = 1.0
    targets: tuple[Annotated[float, Gt(0), Le(1)], ...] = ()
    first_set: Literal["balanced", "random", "acquisition"] = "balanced"
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0
    label_costs: tuple[Annotated[float, Ge(0)], ...] = ()
    warm_start: bool = False
    full_supervision: bool = False
    device: Device = field(default="cpu", metadata=LATER)
    numerics: Numerics = field(default="fp32", metadata=LATER)

    added: ClassVar[frozenset[str]] = frozenset(
        {"first_set", "label_noise", "label_costs", "warm_start", "full_supervision"}
    )
    """Options of later versions: at their default they change no identity."""

    def __post_init__(self) -> None:
        if self.initial < 1 or self.cycles < 1:
            raise InvalidInput(f"initial and cycles must be at least 1, not {self.initial} and {self.cycles}")
        if isinstance(self.budget, tuple) and len(self.budget) != self.cycles - 1:
            raise InvalidInput(
                f"budget lists {len(self.budget)} numbers for {self.cycles} cycles; should list {self.cycles - 1}"
            )
        if any(budget < 1 for budget in self.budgets):
            raise InvalidInput(f"budget must be at least 1, not {self.budget}")
        require_numerics(self.device, self.numerics)

    @property
    def budgets(self) -> tuple[int, ...]:
        """Labels acquired after each cycle but the last."""
        return self.budget if isinstance(self.budget, tuple) else (self.budget,) * (self.cycles - 1)
