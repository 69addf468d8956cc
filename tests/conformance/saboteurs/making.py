"""How wrong methods are made from honest ones."""

from __future__ import annotations

import functools
from dataclasses import dataclass

SABOTEURS = []


def breaks(kind, name, check=None):
    """Registers a class under this kind and name."""

    def remember(cls):
        SABOTEURS.append((kind, name, cls, check))
        return cls

    return remember


def pooling(name):
    """A pooling made of one function of maps."""

    def remember(function):
        body = {"pool": lambda self, maps: function(maps), "__doc__": f"Breaks {name}.", "__module__": __name__}
        cls = dataclass(frozen=True)(type(function.__name__, (), body))
        globals()[function.__name__] = cls  # where pickle looks for it
        return breaks("pooling", name)(cls)

    return remember


def changed(kind, base, method, name, change):
    """An honest method whose ``method`` returns something else."""

    @functools.wraps(getattr(base, method))
    def wrapped(self, *arguments):
        return change(getattr(super(cls, self), method)(*arguments))

    label = f"{kind}_{name}".replace("-", "_")
    body = {method: wrapped, "__doc__": f"Breaks {name}.", "__module__": __name__}
    cls = dataclass(frozen=True)(type(label, (base,), body))
    globals()[label] = cls
    breaks(kind, f"{name}: of {kind}")(cls)


def fitted(kind, base, inner, method, name, change):
    """The same of what ``fit`` returns."""
    answer = lambda self, *arguments: change(getattr(inner, method)(self, *arguments))  # noqa: E731
    other = type(f"{kind}_{name}_fitted", (inner,), {method: answer})
    changed(kind, base, "fit", name, lambda found: other(*vars(found).values()))
