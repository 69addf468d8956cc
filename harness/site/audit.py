"""What an audit found as a page of its own, with thumbnails of the images: one file, nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.core.errors import HarnessError
from harness.core.files import write_atomically
from harness.data.audit.finding import Audit, Finding
from harness.site.render import render

if TYPE_CHECKING:
    from harness.plugin_api import Orientation

_SIDE: Final = 96
_SHOWN: Final = 12
"""Thumbnails of a finding."""


@dataclass(frozen=True)
class Thumbnail:
    """An image within the page."""

    name: str
    source: str


@dataclass(frozen=True)
class ShownFinding:
    """A finding and its first images."""

    severity: str
    code: str
    message: str
    thumbnails: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class ShownAudit:
    """The audit of a dataset."""

    name: str
    counts: str
    findings: tuple[ShownFinding, ...]


def write_audit_page(audits: Sequence[Audit], file: Path, orientation: Orientation = "upright") -> None:
    """Write what was found.

    Args:
        audits: of one or more datasets.
        file: HTML file to write.
        orientation: how thumbnails are turned.

    Raises:
        OSError: it cannot be written.
    """
    shown = [
        ShownAudit(
            audit.name,
            ", ".join(f"{number:,} {name}" for name, number in audit.counts.items() if isinstance(number, int)),
            tuple(_finding(found, orientation) for found in audit.findings),
        )
        for audit in audits
    ]
    title = f"Audit of {', '.join(audit.name for audit in audits)}"
    write_atomically(file, render("audit.html.jinja", title=title, audits=shown).encode())


def _finding(found: Finding, orientation: Orientation) -> ShownFinding:
    thumbnails = _thumbnails(found.files, orientation)
    return ShownFinding(found.severity, found.code, found.message, tuple(thumbnails))


def _thumbnails(files: Sequence[str], orientation: Orientation) -> Iterator[Thumbnail]:
    """Of what is an image file; a pair ``a = b`` is two."""
    from harness.data.decode import decode_image

    for name in [part for file in files for part in file.split(" = ")][:_SHOWN]:
        try:
            image = decode_image(Path(name), orientation=orientation) if Path(name).is_file() else None
        except HarnessError:
            continue
        if image is not None:
            image.thumbnail((_SIDE, _SIDE))
            out = io.BytesIO()
            image.save(out, "JPEG", quality=80)
            yield Thumbnail(Path(name).name, "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode())
