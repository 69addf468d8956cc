"""A page per built-in method, from the registry: formula, advice, parameters, quality, cost, picture, use, papers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import method_costs
import method_evidence
import method_notes
import method_pictures
import method_standing
import references
from plain_types import plain_types

from harness.plugin_api import KINDS
from harness.registry import Entry, load_registry
from harness.registry.parameters import describe

_TITLES: Mapping[str, str] = {
    "acquisition": "Acquisition functions",
    "learning": "Learning schemes",
    "network": "Networks",
    "backbone": "Backbones",
    "pooling": "Poolings",
    "whitening": "Whitenings",
    "reranking": "Re-rankers",
    "expansion": "Query expansions",
    "dataset": "Datasets",
}


@dataclass(frozen=True)
class Documentation:
    """The parts of a class docstring."""

    summary: str
    formula: str
    text: str
    parameters: Mapping[str, str]

    @property
    def source(self) -> str:
        """What stands in the last brackets of the summary: authors and year, equation of the thesis."""
        found = re.findall(r"\(([^()]*\d{4}[^()]*|[^()]*thesis[^()]*|this [^()]*)\)", self.summary)
        return found[-1] if found else ""


def documentation(method: type) -> Documentation:
    """Read the docstring of a method: summary, ``Formula:``, free text, ``Attributes:``."""
    parts = re.split(r"^(Formula|Attributes):", inspect.getdoc(method) or "", flags=re.MULTILINE)
    summary, _, text = parts[0].strip().partition("\n")
    sections = {name: body for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    formula, _, rest = _indented(sections.get("Formula", ""))
    return Documentation(
        summary=summary.strip(),
        formula=formula,
        text="\n\n".join(part for part in (text.strip(), rest) if part),
        parameters=_attributes(sections.get("Attributes", "")),
    )


def _indented(section: str) -> tuple[str, str, str]:
    """The indented block at the beginning of a section, and what follows it."""
    lines = section.strip("\n").splitlines()
    end = next((i for i, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return inspect.cleandoc("\n".join(lines[:end])), "", "\n".join(lines[end:]).strip()


def _attributes(section: str) -> dict[str, str]:
    """Name -> meaning; ``eps, preset: ...`` stands for both."""
    found: dict[str, str] = {}
    for match in re.finditer(r"^ {4}(\w[\w, ]*):((?:.*\n?)(?:^(?: {8}.*)?\n?)*)", section, re.MULTILINE):
        for name in match[1].split(","):
            found[name.strip()] = " ".join(match[2].split())
    return found


@cache
def entries() -> tuple[Entry, ...]:
    """All built-in methods, by kind, then by name."""
    registry = load_registry()
    found = [registry.entry(kind, name) for kind in KINDS for name in registry.names(kind)]
    return tuple(entry for entry in found if entry.origin.plugin == "vision-evaluation-harness")


def navigation() -> list[object]:
    """The section of the navigation: an overview, then the kinds."""
    sections: list[object] = ["methods/index.md"]
    for kind in KINDS:
        pages = [{entry.name: _path(entry)} for entry in entries() if entry.kind == kind]
        sections.append({_TITLES[kind]: pages})
    return sections


def pages(root: Path) -> dict[str, str | bytes]:
    """Path in the site -> content of each page and picture."""
    found: dict[str, str | bytes] = {"methods/index.md": _overview()}
    for entry in entries():
        picture = method_pictures.picture(entry, root / ".cache" / "site")
        if picture is not None:
            found[f"methods/{entry.kind}/{entry.name}.png"] = picture.png
        found[_path(entry)] = "\n".join(_page(entry, root, picture))
    return found


def _path(entry: Entry) -> str:
    return f"methods/{entry.kind}/{entry.name}.md"


def _overview() -> str:
    lines = ["# Methods", "", "What is built in, by kind; `harness methods` lists what is installed besides.", ""]
    for kind in KINDS:
        lines += [f"## {_TITLES[kind]}", "", "| | |", "| --- | --- |"]
        for entry in entries():
            if entry.kind == kind:
                lines.append(f"| [{entry.name}]({kind}/{entry.name}.md) | {_cell(entry.summary)} |")
        lines.append("")
    return "\n".join(lines)


def _page(entry: Entry, root: Path, picture: method_pictures.Picture | None) -> Iterator[str]:
    method = entry.load()
    found = documentation(method)
    yield f"# {entry.name}\n\n{_escaped(found.summary)}\n"
    yield from method_notes.formula(entry, found.formula)
    if found.source:
        yield f"Source: {found.source}.\n"
    yield from method_notes.advice(entry)
    if found.text:
        yield f"## What it does\n\n{_escaped(found.text)}\n"
    yield "## Parameters\n"
    yield from _parameters(method, found)
    yield from method_standing.lines(entry, root)
    yield from method_evidence.lines(entry)
    yield "## Cost\n"
    yield from method_costs.lines(entry, root)
    if picture is not None:
        yield f"## Picture\n\n![{entry.name}]({entry.name}.png)\n\n{picture.caption}\n"
    else:
        yield f"No picture: {method_pictures.reason(entry)}.\n"
    yield "## Use\n"
    yield f"In a spec:\n\n```yaml\n{_use(entry, method)}\n```\n"
    yield f"`harness methods {entry.kind} {entry.name}` shows this page's facts. Code: `{method.__module__}`.\n"
    yield from references.lines(entry)


def _parameters(method: type, found: Documentation) -> Iterator[str]:
    rows = describe(method)
    if not rows:
        yield "None.\n"
        return
    inherited = {name: text for parent in method.__mro__[1:] for name, text in documentation(parent).parameters.items()}
    types = plain_types(method)
    yield "| name | value | default | meaning |\n| --- | --- | --- | --- |"
    for row in rows:
        meaning = found.parameters.get(row.name) or inherited.get(row.name, "")
        default = "required" if row.default is None else f"`{row.default}`"
        yield f"| `{row.name}` | {types[row.name]} | {default} | {_cell(meaning)} |"
    yield ""


def _use(entry: Entry, method: type) -> str:
    required = ", ".join(f"{row.name}: ..." for row in describe(method) if row.default is None)
    name = f"{{{entry.name}: {{{required}}}}}" if required else entry.name
    if entry.kind == "dataset":
        return f"datasets: [{name}]"
    return f"methods: {{{entry.kind}: {name}}}"


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Text in which ``<x, y>`` is a product and no tag; code between backticks stays as it is."""
    parts = re.split(r"(`+[^`]*`+)", text)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)
