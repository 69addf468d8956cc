"""Inputs of a method, from small to large, each made again whenever it is needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.conformance import checks

Inputs = Mapping[str, Any]
"""Named inputs of one call."""


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: a few words for people.
        make: the inputs, the same at every call and nobody else's.
        judge: the rule that a method breaks which does not answer this input.
        may_refuse: whether a ``HarnessError`` is an answer.
    """

    name: str
    make: Callable[[], Inputs]
    judge: str = "plain-inputs"
    may_refuse: bool = False


class Kind(ABC):
    """How methods of one kind are called, and with what; by default a method learns nothing and returns an array."""

    name: str
    baseline: str
    """The built-in method that costs are shown beside."""

    what = "the answer"
    numbers = "float32"
    tensor = False
    """How messages call what a method returns, the type of its numbers, and whether it is a tensor of torch."""

    @abstractmethod
    def cases(self, method: Any) -> Sequence[Case]:
        """Inputs from small to large; at least one of them plain."""

    @abstractmethod
    def standard(self, method: Any) -> Case:
        """The input on which time and memory are measured."""

    def prepare(self, method: Any, inputs: Inputs, rng: Any) -> Any:
        """What the method learns from its inputs; the method itself where it learns nothing."""
        return method

    @abstractmethod
    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The answer, as the method gave it."""

    def returns(self, inputs: Inputs, answer: Any) -> None:
        """Raises ``Violation`` where the answer is of another Python type than the protocol says."""
        (checks.require_tensor if self.tensor else checks.require_array)(answer, self.what)

    def dtype(self, inputs: Inputs, answer: Any) -> None:
        """Raises ``Violation`` where the answer holds numbers of another type."""
        checks.require_dtype(answer, self.numbers, self.what)

    @abstractmethod
    def shape(self, inputs: Inputs, answer: Any) -> None:
        """Raises ``Violation`` where the answer has another shape."""
