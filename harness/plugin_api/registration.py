"""What a plugin registers with: one method of ``Registrar`` per kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from harness.plugin_api.evidence import Evidence

KINDS: Final = (
    "acquisition",
    "learning",
    "network",
    "backbone",
    "pooling",
    "whitening",
    "reranking",
    "expansion",
    "dataset",
)
"""Kinds of method, in the order in which tables and listings show them."""

REQUIRED_METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "acquisition": ("select",),
    "learning": ("prepare", "train"),
    "network": ("build",),
    "backbone": ("maps", "stride"),
    "pooling": ("pool",),
    "whitening": ("fit",),
    "reranking": ("top", "describe", "score"),
    "expansion": ("fit",),
    "dataset": ("task", "fingerprint", "load"),
}
"""Names by which the harness calls a method of each kind."""

SINK: Final = "sink"
"""Sinks are registered as methods are, but are no part of a run."""

Check = Mapping[str, Any] | Callable[[Path], Mapping[str, Any]] | str | None
"""On what ``harness check`` tries a method: parameters; a function of a folder that returns parameters and writes the
files they name into the folder, itself or as ``"module:function"``; None for the defaults."""


class Registrar:
    """What ``harness_register(registry)`` gets: ``registry.pooling("gem", GeM)``.

    A method is given as its class or, to be imported on first use, as ``"my_package.gem:GeM"``. ``check`` is for a
    method that has parameters without defaults, or whose defaults take long. ``evidence`` is for a method that has a
    reference: ``harness verify`` compares the two.

    Args:
        add: takes kind, name, class, ``check`` and ``evidence`` of each method.
    """

    def __init__(self, add: Callable[[str, str, type | str, Check, Evidence], None]) -> None:
        self._add = add

    def acquisition(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register an acquisition function."""
        self._add("acquisition", name, method, check, evidence)

    def learning(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register a learning scheme."""
        self._add("learning", name, method, check, evidence)

    def network(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register a classification network."""
        self._add("network", name, method, check, evidence)

    def backbone(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register a fully convolutional backbone."""
        self._add("backbone", name, method, check, evidence)

    def pooling(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register a pooling."""
        self._add("pooling", name, method, check, evidence)

    def whitening(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register a whitening."""
        self._add("whitening", name, method, check, evidence)

    def reranking(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register a re-ranker."""
        self._add("reranking", name, method, check, evidence)

    def expansion(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register a query expansion."""
        self._add("expansion", name, method, check, evidence)

    def dataset(self, name: str, method: type | str, *, check: Check = None, evidence: Evidence = None) -> None:
        """Register a dataset."""
        self._add("dataset", name, method, check, evidence)

    def sink(self, name: str, sink: type | str) -> None:
        """Register a sink (``harness.plugin_api.SinkHooks``), called where ``--report`` asks for it."""
        self._add(SINK, name, sink, None, None)

    def reporter(self, name: str, sink: type | str) -> None:
        """Deprecated name of ``sink``; goes with the next release."""
        warnings.warn("registry.reporter is now registry.sink", DeprecationWarning, stacklevel=2)
        self.sink(name, sink)
