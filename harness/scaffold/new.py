"""Writes a method to start from: a file with a spec beside it, or a package that can be installed.

The templates are methods that work: what comes out passes its checks and gets a row on a leaderboard as it is.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.core.errors import FileUnusable, SpecError, UnknownName, nearest
from harness.plugin_api import KINDS
from harness.registry import load_registry
from harness.registry.discovery import in_plugin_folder

_TEMPLATES: Final = Path(__file__).with_name("templates")
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 40

_RETRIEVAL: Final = """\
task: retrieval
datasets: [{synthetic-instances: {objects: 4, images: 40, queries: 8, size: 128}}]
"""
_ACTIVE: Final = """\
task: active-learning
datasets: [digits]
seeds: [0, 1]
protocol: {initial: 10, budget: 10, cycles: 3}
"""
_METHODS: Final[Mapping[str, Mapping[str, str]]] = {
    "acquisition": {
        "network": "linear-head",
        "learning": "{supervised: {epochs: 60}}",
        "acquisition": "[random, my-method]",
    },
    "learning": {
        "network": "linear-head",
        "learning": "[{supervised: {epochs: 60}}, {my-method: {epochs: 60}}]",
        "acquisition": "random",
    },
    "network": {
        "network": "[linear-head, my-method]",
        "learning": "{supervised: {epochs: 60}}",
        "acquisition": "random",
    },
    "dataset": {
        "network": "small-cnn",
        "learning": "{supervised: {epochs: 60}}",
        "acquisition": "[random, entropy]",
    },
    "backbone": {"backbone": "[tiny, my-method]", "pooling": "gem"},
    "pooling": {"backbone": "tiny", "pooling": "[gem, my-method]"},
    "whitening": {"backbone": "tiny", "pooling": "gem", "whitening": "[none, my-method]"},
    "reranking": {"backbone": "tiny", "pooling": "gem", "reranking": "[none, my-method]"},
    "expansion": {"backbone": "tiny", "pooling": "gem", "expansion": "[none, my-method]"},
}
"""What the method is compared with, by kind."""


@dataclass(frozen=True)
class Scaffold:
    """What was written, and the commands that try it out."""

    files: tuple[Path, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class _Names:
    """The names of one method: ``top-mean`` is ``top_mean`` as a module and ``TopMean`` as a class."""

    kind: str
    method: str

    @property
    def module(self) -> str:
        return self.method.replace("-", "_")

    def fill(self, text: str) -> str:
        """A template with these names in place of its own."""
        cased = "".join(part.capitalize() for part in self.method.split("-"))
        names = {"my-method": self.method, "my_module": self.module, "MyMethod": cased, "KIND": self.kind}
        return re.sub("|".join(names), lambda found: names[found[0]], text)


def new_plugin(kind: str, name: str, *, package: bool = False, folder: str | Path = ".") -> Scaffold:
    """Write a method of a kind that works, to be changed into one's own.

    Args:
        kind: one of ``harness.plugin_api.KINDS``.
        name: what specs and leaderboards call it: ``top-mean``.
        package: an installable package with entry point, tests and a workflow for CI, in place of a single file.
        folder: where to write; made if it is not there.

    Raises:
        UnknownName: no such kind.
        SpecError: a name that cannot be used or is taken; nothing was written.
        FileUnusable: the folder cannot be written to.
    """
    if kind not in KINDS:
        raise UnknownName(f'unknown kind "{kind}"', fix=f"{nearest(kind, KINDS)} kinds: {', '.join(KINDS)}".strip())
    names, parent = _Names(kind, name), Path(folder)
    _require_name(names)
    contents = _package(names) if package else _single(names)
    first = parent / name if package else parent
    targets = [first] if package else [parent / file for file in contents]
    for target in targets:
        if target.exists() or target.is_symlink():
            raise SpecError(f"{target} exists already", why="nothing is overwritten", fix="another name, or --folder")
    _require_free(names)
    try:
        write_files(contents, first)
    except OSError as error:
        raise FileUnusable.of(error, parent) from error
    return Scaffold(tuple(first / file for file in contents), _commands(names, first, package))


def require_slug(name: str, whose: str) -> None:
    """Raise ``SpecError`` for what cannot be the name of a method, a folder and a module."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise SpecError(
            f"{name!r} cannot be the name {whose}",
            why=f"at most {_LONGEST} small letters, digits and single hyphens; a letter comes first",
            fix=_suggested(name),
        )


def _require_name(names: _Names) -> None:
    name = names.method
    require_slug(name, "of a method")
    if name == "none" or keyword.iskeyword(names.module):
        raise SpecError(f'"{name}" means something else already', fix=f"my-{name}")


def _require_free(names: _Names) -> None:
    """Neither a method nor a module has this name: a file ``random.py`` would hide Python's own from every program."""
    registry = load_registry()
    if names.method in registry.names(names.kind):
        origin = registry.entry(names.kind, names.method).origin
        raise SpecError(
            f'there is a {names.kind} "{names.method}" already, of {origin.plugin}', fix=f"my-{names.method}"
        )
    spec = importlib.util.find_spec(names.module)
    if names.module in sys.stdlib_module_names or (spec is not None and not in_plugin_folder(spec.origin)):
        raise SpecError(
            f'"{names.module}" is the name of an installed module, which the new one would hide',
            fix=f"my-{names.method}",
        )


def _suggested(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
    return words.strip("-0123456789")[:_LONGEST].strip("-") or "top-mean"


def _single(names: _Names) -> dict[str, str]:
    return {
        f"{names.module}.py": names.fill(_registered(template(f"{names.kind}.py"))),
        f"{names.module}.yaml": _spec(names, plugin=f"{names.module}.py"),
    }


def _registered(method: str) -> str:
    """The text of a method as a plugin of one file: with its registration, and the import that this takes."""
    imports = re.compile(r"from harness\.plugin_api import (.*)\n\n(?=if TYPE_CHECKING)")
    imported = imports.search(method)
    names = sorted([*(imported[1].split(", ") if imported else ()), "Registrar", "hookimpl"])
    before, condition, after = imports.sub("", method).partition("if TYPE_CHECKING:")
    line = f"from harness.plugin_api import {', '.join(names)}\n\n"
    return f"{before}{line}{condition}{after}\n\n{_registration('MyMethod')}"


def _package(names: _Names) -> dict[str, str]:
    """File name in the package -> content."""
    texts = {
        "pyproject.toml": template("package/pyproject.toml"),
        "README.md": template("package/README.md"),
        ".gitignore": template("package/gitignore"),
        ".github/workflows/tests.yml": template("package/workflow.yml"),
        "src/my_module/__init__.py": template("package/init.py.in") + _registration('"my_module.method:MyMethod"'),
        "src/my_module/method.py": template(f"{names.kind}.py"),
        "tests/test_my_module.py": template("package/test_plugin.py.in"),
    }
    filled = {names.fill(file): names.fill(text) for file, text in texts.items()}
    return filled | {"spec.yaml": _spec(names)}


def _spec(names: _Names, plugin: str = "") -> str:
    """A comparison on embedded data that takes seconds."""
    methods = _METHODS[names.kind]
    text = _RETRIEVAL if "backbone" in methods else _ACTIVE
    if names.kind == "dataset":
        text = text.replace("[digits]", "[my-method]")
    lines = [f"  {kind}: {choice}\n" for kind, choice in methods.items()]
    plugins = f"plugins: [{plugin}]\n" if plugin else ""
    return names.fill(
        f"# A comparison of seconds on little data: for a first look, not for conclusions.\n"
        f"name: my-method\n{text}{plugins}methods:\n{''.join(lines)}"
    )


def _commands(names: _Names, first: Path, package: bool) -> tuple[str, ...]:
    spec = first / ("spec.yaml" if package else f"{names.module}.yaml")
    install = (f"pip install -e {first}",) if package else ()
    target = f"{names.kind}:{names.method}" if package else str(first / f"{names.module}.py")
    return (*install, f"harness check {target}", f"harness run {spec}", f"harness leaderboard {spec}")


def _registration(target: str) -> str:
    return template("registration.py.in").replace("TARGET", target)


def template(name: str) -> str:
    """The text of a template."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def write_files(contents: Mapping[str, str], folder: Path) -> None:
    """All files or none: they are written elsewhere first, and what exists is never replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as unfinished:
        for name, text in contents.items():
            path = Path(unfinished, "files", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if not folder.exists():
            shutil.move(Path(unfinished, "files"), folder)
            return
        for name in contents:
            # A link, unlike a rename, fails where something has appeared meanwhile.
            (folder / name).hardlink_to(Path(unfinished, "files", name))
