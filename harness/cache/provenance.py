"""What the cache knows of the process it runs in: foreign code, the run at work, entries to be computed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.cache.entries import Arrays, Provenance
from harness.core.digest import digest
from harness.registry.foreign import foreign_code


@dataclass
class Recomputation:
    """Entries that are computed again though they are stored: ``results`` gets the new arrays by name."""

    names: frozenset[str]
    results: dict[str, Arrays] = field(default_factory=dict)


_recipe: Mapping[str, Any] = {}
_recomputation = Recomputation(frozenset())


def foreign_names() -> tuple[tuple[str, str], ...]:
    """Name and digest of all foreign code that was loaded in this process."""
    return tuple((code.name, code.digest) for code in foreign_code())


def provenance() -> Provenance:
    """That of what this process computes now."""
    return Provenance(foreign_names(), _recipe)


def folder_by_provenance(folder: Path) -> Path:
    """Where this process finds or puts what it generates into a folder of the cache.

    A clean process: in the folder itself; one with foreign code: beside it, unless a clean one has filled it already.
    """
    foreign = foreign_names()
    if not foreign or folder.exists():
        return folder
    return folder.with_name(f"{folder.name}-{digest([list(code) for code in foreign])[:16]}")


def current_recipe() -> Mapping[str, Any]:
    """The run at work, or nothing."""
    return _recipe


@contextmanager
def recipe(run: Mapping[str, Any]) -> Iterator[None]:
    """Inside, entries say that this run (JSON-able) computed them."""
    global _recipe
    before, _recipe = _recipe, run
    try:
        yield
    finally:
        _recipe = before


@contextmanager
def recomputing(names: frozenset[str]) -> Iterator[dict[str, Arrays]]:
    """Inside, these entries are computed again where they are asked for; yields what comes out, by name.

    Whoever asks gets what is stored, so that one wrong entry does not make others wrong.
    """
    global _recomputation
    before, _recomputation = _recomputation, Recomputation(names)
    try:
        yield _recomputation.results
    finally:
        _recomputation = before


def recomputation() -> Recomputation:
    """What is to be computed again now."""
    return _recomputation
