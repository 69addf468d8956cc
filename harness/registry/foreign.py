"""Which code besides the harness was loaded in this process: it may have changed anything, so it stays on the list.

A plugin counts from the moment at which its module is asked for: one that fails to load has run some of its code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from harness.core.errors import PluginError
from harness.registry.source import foreign_digest, source_digest


@dataclass(frozen=True, order=True)
class ForeignCode:
    """A plugin that is not built in.

    Attributes:
        name: of a file, a module, or a distribution with its version.
        digest: of its source when it was loaded; a file that was changed and loaded again is two.
        plugin: what loads it again: a whole path or the name of a module; empty for installed plugins.
    """

    name: str
    digest: str
    plugin: str = ""


_loaded: dict[ForeignCode, None] = {}


def foreign_code() -> tuple[ForeignCode, ...]:
    """What this process has loaded so far, sorted."""
    return tuple(sorted(_loaded))


def note_loading(name: str, source: str | Path, plugin: str = "") -> ForeignCode:
    """Add a plugin whose module (the file, or the name) is about to be loaded."""
    digest = _file_digest(source) if isinstance(source, Path) else source_digest(source)
    code = ForeignCode(name, digest[:32], plugin)
    _loaded[code] = None
    return code


def note_class(name: str, digest: str) -> None:
    """Add a class that was given itself, with what identifies its code."""
    _loaded[ForeignCode(name, digest)] = None


def note_registered(code: ForeignCode, modules: Iterable[str]) -> None:
    """Replace what ``note_loading`` knew of a plugin by the source of all the modules that hold its methods."""
    del _loaded[code]
    _loaded[ForeignCode(code.name, _digest(modules), code.plugin)] = None


def _digest(modules: Iterable[str]) -> str:
    try:
        return foreign_digest(*sorted(set(modules)))[:32]
    except PluginError:  # its file changed meanwhile: neither the old code nor the new
        return ""


def _file_digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
