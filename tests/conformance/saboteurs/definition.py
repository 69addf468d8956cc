"""How a method is written down: its class, parameters, docstring, deviations, text and pickle."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import honest

from saboteurs.making import breaks, pooling


@breaks("pooling", "frozen-dataclass")
@dataclass
class Melting:
    """Its parameters can change."""

    p: float = 1.0

    def pool(self, maps):
        return maps.mean((-2, -1))


@breaks("pooling", "parameters")
@dataclass(frozen=True)
class Demanding:
    """Its parameter has no default, and nobody says what to try."""

    p: float

    def pool(self, maps):
        return maps.mean((-2, -1))


@breaks("pooling", "protocol")
@dataclass(frozen=True)
class Nameless:
    """Calls it otherwise."""

    def aggregate(self, maps):
        return maps.mean((-2, -1))


@breaks("pooling", "documented")
@dataclass(frozen=True)
class Silent:
    def pool(self, maps):
        return maps.mean((-2, -1))


@breaks("pooling", "declared-deviations")
@dataclass(frozen=True)
class Excused(honest.Pooling):
    """Excuses itself from a rule that does not exist."""

    deviations: ClassVar = {"determinism": "a slip of the pen"}


@breaks("pooling", "yaml")
@dataclass(frozen=True)
class Growing(honest.Pooling):
    """Doubles its parameter whenever it is made."""

    p: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "p", 2 * self.p)


@breaks("pooling", "pickle")
@dataclass(frozen=True)
class Stuck(honest.Pooling):
    """Holds on to this process."""

    def __reduce__(self):
        raise TypeError("cannot pickle a lock")


@pooling("worker")
def homesick(maps):
    return maps.mean((-2, -1)) * (1 + os.getpid() % 1000)


@breaks("pooling", "declared-files")
@dataclass(frozen=True)
class Reading:
    """Scales by what a file beside it says, which no parameter names."""

    def pool(self, maps):
        return maps.mean((-2, -1)) * float(Path(__file__).with_name("factor.txt").read_text())
