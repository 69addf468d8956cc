"""Texts of ``harness datasets`` and its commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.listing import dump, entry_fields, listing, method_card, text_of
from harness.core.errors import UnknownName, nearest
from harness.data.catalogue import catalogue, catalogue_files
from harness.data.disk import size_text
from harness.data.entry import CatalogueEntry, SourceFile
from harness.data.manifest import read_manifest
from harness.data.stand_in.marker import NOTE
from harness.registry import Registry

if TYPE_CHECKING:
    from harness.data.audit.finding import Audit
    from harness.data.fetch import Fetched
    from harness.data.verify import Verification


def dataset_list(registry: Registry, catalogues: tuple[Path, ...], root: Path, as_json: bool) -> str:
    """The catalogue with what was verified, then loaders for a user's own data."""
    entries = catalogue(catalogue_files(catalogues))
    own = [registry.entry("dataset", name) for name in registry.names("dataset") if name not in entries]
    if as_json:
        named = [
            {"name": name, **entry.model_dump(), "verified": read_manifest(root, name).date}
            for name, entry in entries.items()
        ]
        return dump({"catalogue": named, "loaders": [entry_fields(entry) for entry in own]})
    rows = [[name, entry.task, _state(name, entry, root), entry.description] for name, entry in entries.items()]
    text = f"catalogue (data folder {root})\n" + listing(rows)
    return text + "\nloaders\n" + listing([[entry.name, "", "", entry.summary] for entry in own])


def _state(name: str, entry: CatalogueEntry, root: Path) -> str:
    """``verified 2026-11-24``, or nothing."""
    date = read_manifest(root, name).date
    return f"verified {date}" if date and entry.files else ""


def dataset_card(name: str, registry: Registry, catalogues: tuple[Path, ...], as_json: bool) -> str:
    """One dataset of the catalogue, or a loader."""
    entries = catalogue(catalogue_files(catalogues))
    if name not in entries:
        names = registry.names("dataset")
        if name not in names:
            fix = f"{nearest(name, [*entries, *names])} (harness datasets list shows all)".strip()
            raise UnknownName(f'unknown dataset "{name}"', fix=fix)
        return method_card(registry.entry("dataset", name), as_json)
    entry = entries[name]
    if as_json:
        return dump({"name": name, **entry.model_dump()})
    fields = {key: value for key, value in entry if value and key not in ("files", "counts")}
    rows = [[key, text_of(value)] for key, value in fields.items()]
    rows += [["counts", ", ".join(f"{number:,} {key}" for key, number in entry.counts.items())]] if entry.counts else []
    rows += [["file", line] for file in entry.files for line in _file_lines(file)]
    return f"{name}\n" + listing(rows)


def _file_lines(file: SourceFile) -> list[str]:
    size = f", {size_text(file.size)}" if file.size else ""
    parts = f", {file.parts} parts" if file.parts > 1 else ""
    checksum = file.checksum or "no checksum published"
    where = f"unpacked into {file.to}" if file.unpack else f"into {file.to}"
    return [f"{file.name}{parts}{size}, {checksum}, {where}", *(f"  {url}" for url in file.urls)]


def fetched_text(name: str, fetched: Fetched, root: Path, as_json: bool) -> str:
    """What was downloaded and what came of it."""
    if as_json:
        verification = asdict(fetched.verification) if fetched.verification else None
        return dump(
            {"name": name, "downloaded": fetched.downloaded, "counts": fetched.counts, "verification": verification}
        )
    if fetched.verification is None:
        return f"{name} exists already: {_counts(fetched.counts)}. harness datasets verify {name} checks every byte."
    lines = [f"downloaded  {file}  from {url}" for file, url in fetched.downloaded.items()]
    recorded = f"Checksums and fingerprint are recorded in {root / '.harness' / name}.json."
    return "\n".join([*lines, verified_text(fetched.verification, False), recorded])


def verified_text(verification: Verification, as_json: bool) -> str:
    """Counts, fingerprint, checksums; then ``OK`` or what is wrong, line by line."""
    if as_json:
        return dump(asdict(verification))
    meaning = {
        "published": "equals the published checksum",
        "content": "repacked, holds what the published file holds",
        "wrong": "wrong",
        "recorded": "equals the checksum of the first download",
        "first": "no checksum is published: this one is recorded",
    }
    lines = [f"{verification.name}: {_counts(verification.counts)}", f"fingerprint {verification.fingerprint}"]
    lines += [f"{file}: {meaning[how]}" for file, how in verification.checksums.items()]
    lines += [f"{verification.decoded:,} images decoded"] if verification.decoded else []
    lines += [NOTE] if verification.stand_in else []
    lines += [f"{found.severity}: {found.message}" for found in verification.findings]
    if not verification.problems:
        return "\n".join([*lines, "OK"])
    return "\n".join([*lines, *(f"wrong: {problem}" for problem in verification.problems)])


def audit_text(audits: Sequence[Audit], as_json: bool) -> str:
    """Errors, warnings and notes of each dataset; ``OK`` where there is neither error nor warning."""
    if as_json:
        return dump([asdict(audit) for audit in audits])
    lines = []
    for audit in audits:
        lines += [f"{audit.name}: {_counts({key: n for key, n in audit.counts.items() if isinstance(n, int)})}"]
        lines += [f"fingerprint {audit.fingerprint}"]
        lines += [f"{found.severity}: {found.message}" for found in audit.findings]
        lines += [] if audit.of("error", "warning") else ["OK"]
    return "\n".join(lines)


def _counts(counts: Any) -> str:
    return ", ".join(f"{number:,} {key}" for key, number in counts.items())
