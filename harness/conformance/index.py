"""``harness plugins``: an index of plugins is a file that anybody may offer; it names packages, nothing in it is run.

YAML or JSON: ``{format: 1, plugins: [{name: ..., methods: {pooling: [...]}, source: ..., version: ..., check: ...}]}``.
"""

from __future__ import annotations

import http.client
import importlib.metadata
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.request import Request

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.conformance.suite import check
from harness.core.document import plain, read_document
from harness.core.errors import DataMissing, FileUnusable, SpecError
from harness.core.files import write_atomically
from harness.core.scratch import scratch_folder
from harness.core.text import sentence
from harness.plugin_api import KINDS
from harness.registry import load_registry
from harness.registry.modules import HARNESS

BUNDLED: Final = Path(__file__).with_name("plugins.yaml")
_LARGEST: Final = 1 << 20
_SECONDS: Final = 30.0
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,79}$")]
_Source = Annotated[str, Field(pattern=r"^(https://[!-~]{1,300}|[A-Za-z0-9][A-Za-z0-9._-]{0,79})$")]
_Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9.+!_-]{0,40}$")]


class Checked(BaseModel):
    """What ``harness check`` gave when the plugin was added."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    harness: _Version
    passed: Annotated[int, Field(ge=0)]
    failed: Annotated[int, Field(ge=0)]


class IndexEntry(BaseModel):
    """One plugin: an address (https) or the name of its package, and what it registers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _Name
    methods: Annotated[dict[Literal[KINDS], list[_Name]], Field(min_length=1)]  # type: ignore[valid-type]
    source: _Source
    version: _Version = ""
    check: Checked | None = None


class PluginIndex(BaseModel):
    """A whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1]
    plugins: Annotated[list[IndexEntry], Field(max_length=10_000)] = []


def read_index(place: str | Path) -> PluginIndex:
    """Read an index, a file or an https address.

    Raises:
        DataMissing: there is no such file or address.
        SpecError, Errors: it is no index; each mistake with its place.
    """
    if "://" in str(place):
        file = scratch_folder() / "plugins-index.yaml"
        file.write_bytes(_downloaded(str(place)))
    else:
        file = Path(place)
    name = sentence(str(place), 300)
    if not file.is_file():
        raise DataMissing(f"there is no index {name}", fix="give a file, or an address that begins with https://")
    if file.stat().st_size > _LARGEST:
        raise SpecError(f"{name} is too large for an index of plugins", fix="at most 1 MiB")
    document = read_document(file, "index")
    try:
        return PluginIndex.model_validate(plain(document.data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SpecError(
            f"{name} is no index of plugins: {sentence(where, 80)}: {sentence(first['msg'], 200)}"
        ) from error


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https alone: what came over http may be from anybody."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        """The request that follows. Raises ``URLError`` for another scheme."""
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it leads to {newurl}, which is no https address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _downloaded(url: str) -> bytes:
    """At most one byte more than an index may have. Raises ``SpecError``, ``DataMissing``."""
    if not url.startswith("https://"):
        raise SpecError(f"{sentence(url, 200)} is not read", why="only https", fix="https://, or download it first")
    content, until = bytearray(), time.monotonic() + _SECONDS
    try:
        with urllib.request.build_opener(_OnlyHttps).open(url, timeout=_SECONDS) as answer:
            while len(content) <= _LARGEST and (part := answer.read1(_LARGEST + 1 - len(content))):
                content += part
                if time.monotonic() > until:  # each part may take as long as a timeout
                    raise TimeoutError(f"it takes more than {_SECONDS:g} seconds")
    except (OSError, ValueError, http.client.HTTPException) as error:
        fix = "see whether a browser opens it, or download it and give the file"
        raise DataMissing(f"{sentence(url, 200)} cannot be read: {sentence(error, 200)}", fix=fix) from error
    return bytes(content)


def entry_of(target: str, source: str, plugins: Sequence[str] = ()) -> IndexEntry:
    """Hold a plugin to the rules of its kinds and describe it. Raises what ``check`` does, ``SpecError``."""
    reports = check(target, plugins=plugins, cost=False)
    methods: dict[str, list[str]] = {}
    for report in reports:
        methods.setdefault(report.kind, []).append(report.name)
    statuses = [result.status for report in reports for result in report.results]
    registry = load_registry([*plugins, *([target] if target.endswith(".py") else [])])
    version = registry.entry(reports[0].kind, reports[0].name).origin.version
    about: dict[str, Any] = {
        "name": reports[0].plugin,
        "methods": methods,
        "source": source,
        "version": version,
        "check": {
            "harness": importlib.metadata.version(HARNESS),
            "passed": statuses.count("passed"),
            "failed": statuses.count("failed"),
        },
    }
    try:
        return IndexEntry.model_validate(about)
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(
            f"{first['loc'][0]} cannot stand in an index: {sentence(first['msg'], 200)}",
            fix="--source takes an https address, or the name of the package",
        ) from error


def add(file: Path, entry: IndexEntry) -> None:
    """Write an entry into an index, in place of the one of the same name. Raises ``FileUnusable``."""
    before = read_index(file).plugins if file.is_file() else []
    entries = sorted([*(one for one in before if one.name != entry.name), entry], key=lambda one: one.name)
    content = PluginIndex(format=1, plugins=entries).model_dump(exclude_none=True)
    try:
        write_atomically(file, (json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise FileUnusable.of(error, file) from error


def rows(places: Sequence[str | Path]) -> list[tuple[str, str, str, str, str]]:
    """Name, methods, source, version and check of all entries."""
    found = []
    for place in places:
        for entry in read_index(place).plugins:
            methods = "; ".join(f"{kind}: {', '.join(names)}" for kind in KINDS if (names := entry.methods.get(kind)))
            one = entry.check
            said = f"{one.passed} passed, {one.failed} failed with harness {one.harness}" if one else "not checked"
            found.append((entry.name, methods, entry.source, entry.version, said))
    return sorted(set(found))
